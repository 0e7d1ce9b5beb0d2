//! Plays steps on one shard of the real servers, and compares with the model after each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use stepdown_core::call::{Binding, CallErrorKind};
use tokio::time::{sleep, timeout};

use super::possible::Possible;
use super::real::{Calls, Real};
use super::step::{Ask, SERVERS, Said, Shown, Step};

/// For an answer that must come.
const SURELY: Duration = Duration::from_secs(90);
/// For one that may come, after everything else is as if it does not.
const PERHAPS: Duration = Duration::from_secs(2);
/// For one that must not come, after that.
const HARDLY: Duration = Duration::from_millis(100);
/// Who does not tell its status for so long is waiting for others.
const WAITING: Duration = Duration::from_millis(400);
/// For what happens by itself: who has failed for long waits up to a minute before the next try.
const SETTLED: Duration = Duration::from_secs(90);
/// A follower that has entries applies them in this time.
const APPLIED: Duration = Duration::from_millis(300);
/// Where it may come to rest in more than one way, it has after this.
const DECIDED: Duration = Duration::from_secs(1);
/// It is looked at again after this.
const AGAIN: Duration = Duration::from_millis(700);
const PAUSE: Duration = Duration::from_millis(10);

/// One shard of the real servers, and every way in which the model's may be.
pub struct Play {
    calls: Calls,
    shard: i64,
    up: [bool; SERVERS],
    possible: Possible,
    /// Whether every server's database is what its log says.
    logs_are_whole: bool,
    /// The keys that were sent.
    sent: BTreeSet<String>,
    steps: usize,
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
    /// A shard of so many replicas that nobody has heard of.
    pub fn new(real: &Real, shard: i64, factor: u32) -> Self {
        let calls = real.calls(factor);
        let addresses = std::array::from_fn(|at| calls.address(at).clone());
        Self {
            possible: Possible::new(addresses, factor),
            calls,
            shard,
            up: real.up(),
            logs_are_whole: true,
            sent: BTreeSet::new(),
            steps: 0,
            history: String::new(),
        }
    }

    /// Asks a server that is up.
    pub async fn ask(&mut self, at: usize, ask: &Ask) -> Result<Said, Difference> {
        self.steps += 1;
        let key = format!("{}-{}", self.shard, self.steps);
        if *ask == Ask::Write {
            self.sent.insert(key.clone());
        }
        let expected = self.possible.ask(at, ask).map_err(|_| self.lost())?;
        let call = self.call(at, ask, &key, &expected);
        let said = if expected.contains(&None) {
            let must_not = expected.iter().all(Option::is_none);
            let limit = if must_not { HARDLY } else { PERHAPS };
            tokio::select! {
                biased;
                said = call => said,
                () = self.unanswered(at, ask, limit) => Said::Nothing,
            }
        } else {
            call.await
        };
        let _ = writeln!(self.history, "  s{at} {ask:?} -> {said:?}");
        if !self.possible.heard(&said).map_err(|_| self.lost())? {
            return Err(self.found(&format!("the model says {expected:?}, not {said:?}")));
        }
        if said == Said::Bound(Binding::Bound) {
            self.calls.open(at).await;
        }
        Ok(said)
    }

    /// Calls, and once more where the replica was just being opened for a leader's stream: it
    /// refuses everything at that moment, and nothing comes of it.
    async fn call(&self, at: usize, ask: &Ask, key: &str, expected: &[Option<Said>]) -> Said {
        let unavailable = Said::Refused(CallErrorKind::Other);
        let said = self.answer(at, ask, key).await;
        if said == unavailable && !expected.contains(&Some(unavailable)) {
            sleep(AGAIN).await;
            return self.answer(at, ask, key).await;
        }
        said
    }

    async fn answer(&self, at: usize, ask: &Ask, key: &str) -> Said {
        let said = self.calls.ask(at, self.shard, ask, key, SURELY).await;
        if said == Said::Refused(CallErrorKind::Unreachable) {
            // It is up: whom it called itself was not reached.
            return Said::Refused(CallErrorKind::Other);
        }
        said
    }

    /// Waits until a call has had its effect, and for a while more.
    async fn unanswered(&self, at: usize, ask: &Ask, limit: Duration) {
        let until = Instant::now() + SURELY;
        while Instant::now() < until {
            let has_begun = if let Ask::Write = ask {
                let seen = self.calls.seen(self.up, self.shard).await;
                self.possible.may_unanswered(&seen)
            } else {
                // Everything else waits behind it.
                let status = self.calls.status(at, self.shard);
                timeout(WAITING, status).await.is_err()
            };
            if has_begun {
                break;
            }
            sleep(PAUSE).await;
        }
        sleep(limit).await;
    }

    /// Waits until the real servers look as the model's.
    pub async fn settle(&mut self) -> Result<(), Difference> {
        let until = Instant::now() + SETTLED;
        let mut seen = self.calls.seen(self.up, self.shard).await;
        let mut since = Instant::now();
        loop {
            sleep(PAUSE).await;
            let now = self.calls.seen(self.up, self.shard).await;
            if now != seen {
                (seen, since) = (now, Instant::now());
                continue;
            }
            let still = since.elapsed();
            if self.possible.may(&seen)
                && (still > APPLIED || !self.possible.may_hear_more(&seen))
                && (still > DECIDED || self.possible.looks().len() == 1)
            {
                break;
            }
            if Instant::now() > until {
                let mut what = format!("the real ones are{}\nthe model's", Shown(&seen));
                for look in self.possible.looks() {
                    let _ = write!(what, "\n      may be{}", Shown(&look));
                }
                return Err(self.found(&what));
            }
        }
        self.possible.strike(&seen).map_err(|_| self.lost())?;
        let statuses = seen.iter().flatten().flatten();
        // A log that was truncated below that leaves records behind.
        self.logs_are_whole &= statuses
            .filter(|it| it.commit_offset > it.head_offset)
            .count()
            == 0;
        let ways = self.possible.count();
        let _ = writeln!(self.history, "   {} ({ways})", Shown(&seen));
        Ok(())
    }

    /// Settles, and looks again after a while: it must not be left.
    pub async fn rest(&mut self) -> Result<(), Difference> {
        self.settle().await?;
        sleep(AGAIN).await;
        self.settle().await
    }

    /// Compares which entries clients can read at a leader.
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
            if let Some(key) = keys.iter().find(|key| !self.sent.contains(*key)) {
                return Err(self.found(&format!("nobody has written {key}")));
            }
        }
        Ok(())
    }

    /// What was done to whole servers and their connections.
    pub fn note(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Kill(at) | Step::Stop(at) => self.up[*at] = false,
            Step::Start(at) => self.up[*at] = true,
            Step::DropLogs(_) => self.logs_are_whole = false,
            Step::Ask(..)
            | Step::Bind(_)
            | Step::Empty(_)
            | Step::Break(..)
            | Step::Close(..)
            | Step::Open(..)
            | Step::Settle => {}
        }
        let noted = self.possible.each(|world| match step {
            Step::Ask(..) | Step::Settle => {}
            Step::Kill(at) => world.kill(*at),
            Step::Stop(at) => world.stop(*at),
            Step::Start(at) => world.start(*at),
            Step::Bind(at) => world.bind(*at),
            Step::Empty(at) => world.empty(*at),
            Step::DropLogs(at) => world.drop_logs(*at),
            Step::Break(from, to) => world.cut(*from, *to),
            Step::Close(from, to) => {
                world.open(*from, *to, false);
                world.cut(*from, *to);
            }
            Step::Open(from, to) => world.open(*from, *to, true),
        });
        let _ = writeln!(self.history, "  {step:?}");
        noted.map_err(|_| self.lost())
    }

    /// Which servers run.
    pub fn up(&self) -> [bool; SERVERS] {
        self.up
    }

    /// How many calls were made.
    pub fn steps(&self) -> usize {
        self.steps
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

/// Does to real servers what is done to whole servers and their connections.
pub async fn hurt(real: &mut Real, step: &Step) {
    match step {
        Step::Ask(..) | Step::Settle => {}
        Step::Kill(at) => real.kill(*at),
        Step::Stop(at) => real.stop(*at).await,
        Step::Start(at) => {
            real.restart(*at).await;
            real.connected().await;
        }
        Step::Bind(at) => real.bind(*at).await,
        Step::Empty(at) => real.empty(*at),
        Step::DropLogs(at) => real.drop_logs(*at),
        Step::Break(from, to) => real.cut(*from, *to),
        Step::Close(from, to) => {
            real.open(*from, *to, false);
            real.cut(*from, *to);
        }
        Step::Open(from, to) => {
            real.open(*from, *to, true);
            real.connected().await;
        }
    }
}
