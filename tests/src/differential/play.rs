//! Plays steps on one shard of the real servers, and compares with the model after each.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use stepdown_core::call::{Binding, CallErrorKind};
use tokio::time::sleep;

use super::possible::{Possible, agree};
use super::real::{Calls, Real};
use super::step::{Ask, SERVERS, Said, Seen, Shown, Step};

/// For an answer that must come.
const SURELY: Duration = Duration::from_secs(20);
/// For one that may come.
const PERHAPS: Duration = Duration::from_millis(1_500);
/// For one that must not come.
const HARDLY: Duration = Duration::from_millis(300);
/// For what happens by itself.
const SETTLED: Duration = Duration::from_secs(15);
/// Where it may settle in more than one way, it is looked at again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// One shard of the real servers, and every way in which the model's may be.
pub struct Play {
    calls: Calls,
    shard: i64,
    up: [bool; SERVERS],
    possible: Possible,
    /// Whether every server's database is what its log says.
    logs_are_whole: bool,
    history: String,
}

/// Real servers do what the model's never would.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// A difference.
    #[error("shard {shard}: {what}\n{history}")]
    Found {
        /// The shard.
        shard: i64,
        /// What differs.
        what: String,
        /// What was done and heard.
        history: String,
    },
    /// The model may be in too many states to go on.
    #[error("shard {shard}: too many ways to go on\n{history}")]
    Lost {
        /// The shard.
        shard: i64,
        /// What was done and heard.
        history: String,
    },
}

impl Play {
    /// A shard that nobody has heard of.
    pub fn new(real: &Real, shard: i64) -> Self {
        let calls = real.calls();
        let addresses = std::array::from_fn(|at| calls.address(at).clone());
        Self {
            possible: Possible::new(addresses),
            calls,
            shard,
            up: real.up(),
            logs_are_whole: true,
            history: String::new(),
        }
    }

    /// Asks a server that is up.
    pub async fn ask(&mut self, at: usize, ask: &Ask) -> Result<Said, Difference> {
        let expected = self.possible.ask(at, ask);
        let expected = expected.map_err(|_| self.lost())?.at_rest;
        let limit = match (
            expected.contains(&None),
            expected.iter().any(Option::is_some),
        ) {
            (true, false) => HARDLY,
            (true, true) => PERHAPS,
            (false, _) => SURELY,
        };
        let mut said = self.calls.ask(at, self.shard, ask, limit).await;
        if said == Said::Refused(CallErrorKind::Unreachable) {
            // It is up: whom it called itself was not reached.
            said = Said::Refused(CallErrorKind::Other);
        }
        let _ = writeln!(self.history, "  s{at} {ask:?} -> {said:?}");
        if !self.possible.heard(&said) {
            return Err(self.found(&format!("the model says {expected:?}, not {said:?}")));
        }
        if said == Said::Bound(Binding::Bound) {
            self.calls.open(at).await;
        }
        Ok(said)
    }

    /// Waits until the real servers look as the model's.
    pub async fn settle(&mut self) -> Result<(), Difference> {
        let looks = self.possible.rest().map_err(|_| self.lost())?;
        let may = |seen: &[Seen; SERVERS]| looks.iter().any(|look| agree(look, seen));
        let until = Instant::now() + SETTLED;
        loop {
            let mut seen = self.calls.seen(self.up, self.shard).await;
            if may(&seen) && looks.len() > 1 {
                sleep(AGAIN).await;
                seen = self.calls.seen(self.up, self.shard).await;
            }
            if may(&seen) {
                let _ = writeln!(self.history, "   {}", Shown(&seen));
                self.possible.strike(&seen);
                return Ok(());
            }
            if Instant::now() > until {
                let mut what = format!("the real ones are{}\nthe model's", Shown(&seen));
                for look in &looks {
                    let _ = write!(what, "\n      may be{}", Shown(look));
                }
                return Err(self.found(&what));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets what real servers try again by themselves be tried.
    pub async fn wait(&self) {
        sleep(AGAIN).await;
    }

    /// Compares how many entries clients can read at a leader.
    pub async fn read(&mut self, at: usize) -> Result<(), Difference> {
        if !self.logs_are_whole {
            return Ok(());
        }
        if let Ok(keys) = self.calls.keys(at, self.shard).await {
            let entries = i64::try_from(keys.len()).unwrap_or(i64::MAX);
            let _ = writeln!(self.history, "  s{at} has {entries} keys");
            if !self.possible.has_entries(at, entries) {
                return Err(self.found("the model has other entries"));
            }
        }
        Ok(())
    }

    /// What was done to a whole server.
    pub fn note(&mut self, step: &Step) {
        match step {
            Step::Ask(..) | Step::Settle => return,
            Step::Kill(at) => {
                self.up[*at] = false;
                self.possible.each(|world| world.kill(*at));
            }
            Step::Start(at) => {
                self.up[*at] = true;
                self.possible.each(|world| world.start(*at));
            }
            Step::Empty(at) => self.possible.each(|world| world.empty(*at)),
            Step::DropLogs(at) => {
                self.logs_are_whole = false;
                self.possible.each(|world| world.drop_logs(*at));
            }
        }
        let _ = writeln!(self.history, "  {step:?}");
    }

    /// What was done and heard.
    pub fn history(&self) -> &str {
        &self.history
    }

    fn found(&self, what: &str) -> Difference {
        Difference::Found {
            shard: self.shard,
            what: what.to_owned(),
            history: self.history.clone(),
        }
    }

    fn lost(&self) -> Difference {
        Difference::Lost {
            shard: self.shard,
            history: self.history.clone(),
        }
    }
}

/// Does to a real server what is done to whole servers.
pub async fn hurt(real: &mut Real, step: &Step) {
    match step {
        Step::Ask(..) | Step::Settle => {}
        Step::Kill(at) => {
            // What was acknowledged shall have been heard.
            sleep(AGAIN).await;
            real.kill(*at);
        }
        Step::Start(at) => real.restart(*at).await,
        Step::Empty(at) => real.empty(*at),
        Step::DropLogs(at) => real.drop_logs(*at),
    }
}
