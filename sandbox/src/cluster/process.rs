//! One process of the sandbox, which can be killed, paused and started again.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::error::SandboxError;
use super::orphans::{self, CHILD_COMMAND};

/// How to start a process.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// Its name, for people.
    pub name: String,
    /// The `stepdown` program, which sees to it that the process dies with this one.
    pub starter: PathBuf,
    /// The program that runs, often the same.
    pub program: PathBuf,
    /// What follows the program's name.
    pub words: Vec<OsString>,
    /// What is added to its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where what it prints is added.
    pub log: PathBuf,
}

/// A process that dies with this one. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    options: ProcessOptions,
    child: Option<Child>,
    paused: bool,
}

impl Process {
    /// Starts it.
    pub fn start(options: ProcessOptions) -> Result<Self, SandboxError> {
        let mut process = Self {
            options,
            child: None,
            paused: false,
        };
        process.restart()?;
        Ok(process)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.options.log
    }

    /// Its id, while it runs or nobody has noticed its end.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it was paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Starts it again with the same words; kills it first if it runs.
    pub fn restart(&mut self) -> Result<(), SandboxError> {
        self.kill()?;
        let options = &self.options;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&options.log)
            .map_err(SandboxError::file("open", &options.log))?;
        let errors = log
            .try_clone()
            .map_err(SandboxError::file("open", &options.log))?;
        let mut command = Command::new(&options.starter);
        command
            .arg(CHILD_COMMAND)
            .arg(std::process::id().to_string())
            .arg(&options.program)
            .args(&options.words)
            .envs(
                options
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let child =
            orphans::spawn(command).map_err(SandboxError::os(format!("start {}", options.name)))?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills it (SIGKILL) and waits until it is gone. One that has ended already is no error.
    pub fn kill(&mut self) -> Result<(), SandboxError> {
        self.paused = false;
        if let Some(mut child) = self.child.take() {
            let ended = child.kill().and_then(|()| child.wait());
            ended.map_err(SandboxError::os(format!("kill {}", self.options.name)))?;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) -> Result<(), SandboxError> {
        self.signal(Signal::TERM)
    }

    /// Stops it where it is (SIGSTOP).
    pub fn pause(&mut self) -> Result<(), SandboxError> {
        self.signal(Signal::STOP)?;
        self.paused = true;
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&mut self) -> Result<(), SandboxError> {
        self.signal(Signal::CONT)?;
        self.paused = false;
        Ok(())
    }

    /// How it ended, once, if it has ended by itself or by [`Process::terminate`].
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, SandboxError> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let status = child
            .try_wait()
            .map_err(SandboxError::os(format!("ask after {}", self.options.name)))?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    fn signal(&self, signal: Signal) -> Result<(), SandboxError> {
        let child = self
            .child
            .as_ref()
            .ok_or_else(|| SandboxError::NotRunning {
                name: self.options.name.clone(),
            })?;
        kill_process(Pid::from_child(child), signal)
            .map_err(|error| error.into())
            .map_err(SandboxError::os(format!("signal {}", self.options.name)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // There is nobody to tell; the kernel ends it with this process at the latest.
        let _ = self.kill();
    }
}
