//! A data server as a child process.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// Where its data directory and its log are put.
    pub dir: PathBuf,
}

/// A data server as a child process.
#[derive(Debug)]
pub struct DataServerProcess {
    process: Process,
    internal: SocketAddr,
    public: SocketAddr,
}

impl DataServerProcess {
    /// Starts it on free ports of loopback.
    pub fn start(options: DataServerProcessOptions) -> Result<Self, SandboxError> {
        let addresses = free_addresses(2).map_err(SandboxError::os("find free ports"))?;
        let &[internal, public] = addresses.as_slice() else {
            return Err(SandboxError::os("find free ports")(
                std::io::ErrorKind::AddrInUse.into(),
            ));
        };
        let words = vec![
            DATA_SERVER_COMMAND.into(),
            format!("--name={}", options.name).into(),
            format!("--internal-addr={internal}").into(),
            format!("--public-addr={public}").into(),
            "--data-dir".into(),
            options.dir.join(&options.name).into_os_string(),
        ];
        let process = Process::start(ProcessOptions {
            log: options.dir.join(format!("{}.log", options.name)),
            name: options.name,
            starter: options.program.clone(),
            program: options.program,
            words,
            environment: Vec::new(),
        })?;
        Ok(Self {
            process,
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

    /// Where coordinators and other data servers reach it.
    pub(crate) fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// Where clients reach it.
    pub(crate) fn public(&self) -> SocketAddr {
        self.public
    }
}
