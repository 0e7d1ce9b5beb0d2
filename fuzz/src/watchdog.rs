//! Ends a target that hangs, and says at what: an input that keeps a decoder busy is as bad as one that it
//! panics at.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::input::Input;

/// No input takes a hundredth of it, on a machine that does nothing else.
const LIMIT: Duration = Duration::from_secs(60);

type Present = Mutex<Option<(Instant, Input)>>;

/// Looks after one target.
pub struct Watchdog {
    target: &'static str,
    present: Arc<Present>,
}

impl Watchdog {
    /// Looks after it until it is dropped.
    #[must_use]
    pub fn of(target: &'static str) -> Self {
        let present = Arc::default();
        let watched = Arc::downgrade(&present);
        thread::spawn(move || while look(&watched) {});
        Self { target, present }
    }

    /// Feeds the target.
    pub fn watch(&self, bytes: &[u8], check: fn(&[u8])) {
        let input = Input {
            target: self.target,
            bytes: bytes.to_vec(),
        };
        self.set(Some((Instant::now(), input)));
        // Where it panics, the next input takes its place.
        check(bytes);
        self.set(None);
    }

    fn set(&self, present: Option<(Instant, Input)>) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = present;
    }
}

/// Looks once; false when there is nothing to look after any more.
fn look(watched: &Weak<Present>) -> bool {
    thread::sleep(Duration::from_secs(1));
    let Some(present) = watched.upgrade() else {
        return false;
    };
    let present = present.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((since, input)) = &*present
        && since.elapsed() > LIMIT
    {
        let target = input.target;
        eprintln!("{target} takes more than {LIMIT:?} for one input:\n{input:?}");
        std::process::exit(101);
    }
    true
}
