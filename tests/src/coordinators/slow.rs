//! Disks whose every sync takes longer, by `strace`, which holds each of them up.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::skipped::skip;

const SYNCS: &str = "fsync,fdatasync";

/// Whether disks can be made slow here. It says so, loudly, where they can't.
#[must_use]
pub fn can_be_slow() -> bool {
    let mut probe = Command::new("sleep")
        .arg("60")
        .spawn()
        .expect("there is sleep");
    let can = strace(probe.id(), Duration::ZERO)
        .ok()
        .is_some_and(|mut held| {
            // It stays until it is ended, unless it may not.
            let ended = is_attached(probe.id(), &mut held);
            let _ = held.kill();
            let _ = held.wait();
            ended
        });
    let _ = probe.kill();
    let _ = probe.wait();
    if !can {
        skip(
            "STEPDOWN_FAULTS",
            "Coordinators on slow disks are",
            "it needs strace, and\n  somebody who may trace others' processes",
        );
    }
    can
}

/// Every sync of a process takes so much longer, until this is dropped.
#[derive(Debug)]
pub struct SlowDisk(Child);

impl SlowDisk {
    /// From when it returns.
    #[must_use]
    pub fn of(pid: u32, delay: Duration) -> Self {
        let mut strace = strace(pid, delay).expect("can_be_slow has looked");
        assert!(is_attached(pid, &mut strace), "strace is refused");
        Self(strace)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // It lets go of the process, whichever way it ends.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn strace(pid: u32, delay: Duration) -> io::Result<Child> {
    Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-p", &pid.to_string()])
        .arg(format!("--trace={SYNCS}"))
        .arg(format!(
            "--inject={SYNCS}:delay_enter={}",
            delay.as_micros()
        ))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Waits until it holds the process, or has ended.
fn is_attached(pid: u32, strace: &mut Child) -> bool {
    let tracer = format!("TracerPid:\t{}", strace.id());
    loop {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if status.lines().any(|line| line == tracer) {
            return true;
        }
        if !matches!(strace.try_wait(), Ok(None)) {
            return false;
        }
        std::thread::yield_now();
    }
}
