//! A line that says what is waited for.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Where lines stay, there is one no more often than this.
const PAUSE: Duration = Duration::from_secs(10);

/// On a terminal one line that changes; elsewhere a line now and then.
pub(super) struct Progress {
    is_live: bool,
    told: String,
    next: Instant,
}

impl Progress {
    pub(super) fn begin() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
        Self {
            is_live: io::stderr().is_terminal() && !is_dumb,
            told: String::new(),
            next: Instant::now(),
        }
    }

    pub(super) fn tell(&mut self, what: &str) {
        if self.told == what {
            return;
        }
        // Without standard error, nobody looks.
        if self.is_live {
            let _ = write!(io::stderr(), "\r\x1b[2K{what}");
        } else if Instant::now() >= self.next {
            let _ = writeln!(io::stderr(), "{what}");
            self.next = Instant::now() + PAUSE;
        } else {
            return;
        }
        what.clone_into(&mut self.told);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_live && !self.told.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
