//! A data server as a child process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::error::SandboxError;
use super::ports::free_addresses;
use super::process::{Process, ProcessOptions};

/// The hidden subcommand that is a data server.
const DATA_SERVER_COMMAND: &str = "sandbox-data-server";

/// How to start a data server.
#[derive(Clone, Debug)]
pub struct DataServerProcessOptions {
    /// Its name; its data directory and its log are named for it.
    pub name: String,
    /// The `stepdown` program.
    pub program: PathBuf,
    /// What it is.
    pub kind: DataServerKind,
    /// Where its data directory and its log are put.
    pub dir: PathBuf,
}

/// What a data server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataServerKind {
    /// The sandbox's own, which keeps no keys.
    #[default]
    Sandbox,
    /// Another program, which takes the flags of `oxia server`.
    Program {
        /// The program.
        path: PathBuf,
        /// What follows the flags that every server gets.
        words: Vec<OsString>,
    },
}

/// A data server as a child process.
#[derive(Debug)]
pub struct DataServerProcess {
    process: Process,
    data_dir: PathBuf,
    internal: SocketAddr,
    public: SocketAddr,
}

impl DataServerProcess {
    /// Starts it on free ports of loopback.
    pub fn start(options: DataServerProcessOptions) -> Result<Self, SandboxError> {
        let addresses = free_addresses(3).map_err(SandboxError::os("find free ports"))?;
        let &[internal, public, metrics] = addresses.as_slice() else {
            return Err(SandboxError::os("find free ports")(
                std::io::ErrorKind::AddrInUse.into(),
            ));
        };
        let data_dir = options.dir.join(&options.name);
        let addresses = [
            format!("--internal-addr={internal}").into(),
            format!("--public-addr={public}").into(),
        ];
        let (program, words) = match options.kind {
            DataServerKind::Sandbox => (
                options.program.clone(),
                sandbox_words(&options.name, addresses, &data_dir),
            ),
            DataServerKind::Program { path, words } => {
                (path, program_words(addresses, metrics, &data_dir, words))
            }
        };
        let process = Process::start(ProcessOptions {
            log: options.dir.join(format!("{}.log", options.name)),
            name: options.name,
            starter: options.program,
            program,
            words,
            environment: Vec::new(),
        })?;
        Ok(Self {
            process,
            data_dir,
            internal,
            public,
        })
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to be killed, paused or started again.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where it keeps its data; all of it is gone once this is removed.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where coordinators and other data servers reach it.
    pub fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// Where clients reach it.
    pub fn public(&self) -> SocketAddr {
        self.public
    }
}

fn sandbox_words(name: &str, addresses: [OsString; 2], data_dir: &Path) -> Vec<OsString> {
    let mut words = vec![
        DATA_SERVER_COMMAND.into(),
        format!("--name={name}").into(),
        "--data-dir".into(),
        data_dir.into(),
    ];
    words.extend(addresses);
    words
}

fn program_words(
    addresses: [OsString; 2],
    metrics: SocketAddr,
    data_dir: &Path,
    more: Vec<OsString>,
) -> Vec<OsString> {
    let mut words = vec!["server".into()];
    words.extend(addresses);
    words.extend([
        format!("--metrics-addr={metrics}").into(),
        "--wal-dir".into(),
        data_dir.join("wal").into(),
        "--data-dir".into(),
        data_dir.join("db").into(),
    ]);
    words.extend(more);
    words
}
