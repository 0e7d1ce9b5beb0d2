//! Children that die with their parent, even if it is killed.
//!
//! The kernel does that (Linux; elsewhere they live on), but only a process itself can ask for
//! it. So children start as `stepdown sandbox-child`, which asks and then becomes the program
//! that is wanted; its process id stays.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{LazyLock, mpsc};
use std::thread;

/// The hidden subcommand that asks to die with the parent.
pub(super) const CHILD_COMMAND: &str = "sandbox-child";

/// Asks to die with the parent, and becomes this program; returns only on failure.
pub fn become_child(parent: u32, program: &OsStr, words: &[OsString]) -> io::Error {
    match die_with_parent(parent) {
        Ok(()) => Command::new(program).args(words).exec(),
        Err(error) => error,
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent(parent: u32) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let now = getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if now == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the parent has ended already"))
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: u32) -> io::Result<()> {
    Ok(())
}

/// Starts a process from a thread that lasts: for the kernel, the parent is the thread that
/// started a child, and those of a runtime come and go.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, answered) = mpsc::channel();
    let gone = |_| io::Error::other("the thread that starts processes has ended");
    NURSERY
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))?
        .send(Request { command, answer })
        .map_err(|_| gone(mpsc::RecvError))?;
    answered.recv().map_err(gone)?
}

struct Request {
    command: Command,
    answer: mpsc::Sender<io::Result<Child>>,
}

static NURSERY: LazyLock<io::Result<mpsc::Sender<Request>>> = LazyLock::new(|| {
    let (requests, queue) = mpsc::channel::<Request>();
    thread::Builder::new()
        .name("nursery".to_owned())
        .spawn(move || {
            for mut request in queue {
                // Nobody waits for it any more: then it is killed with its handle's owner.
                let _ = request.answer.send(request.command.spawn());
            }
        })?;
    Ok(requests)
});
