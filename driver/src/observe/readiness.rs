//! Whether this coordinator could lead. A standby could, though it does not; one that may not write the
//! status, or read the lease, can't, and nobody would notice before the leader is gone.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::{Cause, Report, Role};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

/// How long something has to keep it from leading before that counts.
const PATIENCE: Duration = Duration::from_secs(30);
/// What it met when it had won leadership counts for so long, unless it meets it again.
const MEMORY: Duration = Duration::from_secs(120);
/// How often it is said again.
const EVERY: Duration = Duration::from_secs(60);

/// What keeps a coordinator from leading, as it reports it. Clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Readiness(Arc<watch::Sender<Option<Met>>>);

/// What it met on its way to office, or in it.
#[derive(Clone, Debug)]
struct Met {
    reason: Arc<str>,
    last: Instant,
}

impl Readiness {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Takes note of a report.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "few reports tell of what keeps it from leading"
    )]
    pub(crate) fn report(&self, report: &Report) {
        match report {
            Report::RoleChanged {
                to: Role::Leader, ..
            } => {
                self.0.send_replace(None);
            }
            Report::RoleChanged {
                to: Role::SteppingDown,
                cause: Some(Cause::NotInOffice | Cause::StoreRefused | Cause::StoreStalled),
                reason,
                ..
            }
            | Report::StatusUnreadable { reason } => {
                self.0.send_replace(Some(Met {
                    reason: reason.as_str().into(),
                    last: Instant::now(),
                }));
            }
            _ => {}
        }
    }

    /// Tells `tell` whether it could lead, at first and whenever that changes, and says again and again
    /// what keeps it from that. `obstacle` is what the backend knows of. Never ends.
    pub(crate) async fn follow<F: Future<Output = ()>>(
        &self,
        mut obstacle: watch::Receiver<Option<Arc<str>>>,
        mut tell: impl FnMut(bool) -> F,
    ) {
        let mut met = self.0.subscribe();
        let mut since: Option<Instant> = None;
        let mut says_next: Option<Instant> = None;
        tell(true).await;
        loop {
            let now = Instant::now();
            let memory = met.borrow_and_update().clone();
            let memory = memory.filter(|met| now < met.last + MEMORY);
            let forgotten = memory.as_ref().map(|met| met.last + MEMORY);
            let known = obstacle.borrow_and_update().clone();
            let known = known.or_else(|| memory.map(|met| met.reason));
            since = known.as_ref().map(|_| since.unwrap_or(now));
            let counts_from = since.map(|since| since + PATIENCE);
            match known.filter(|_| counts_from.is_some_and(|from| from <= now)) {
                Some(reason) => {
                    if says_next.is_none() {
                        tell(false).await;
                    }
                    if says_next.is_none_or(|at| at <= now) {
                        error!(component = "coordinator", %reason, "This coordinator can't lead");
                        says_next = Some(now + EVERY);
                    }
                }
                None => {
                    if says_next.take().is_some() {
                        info!(
                            component = "coordinator",
                            "This coordinator could lead again"
                        );
                        tell(true).await;
                    }
                }
            }
            let next = [says_next.or(counts_from), forgotten];
            let next = next.into_iter().flatten().min();
            tokio::select! {
                Ok(()) = obstacle.changed() => {}
                Ok(()) = met.changed() => {}
                () = sleep_until(next.unwrap_or(now + EVERY)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use stepdown_core::Tenure;
    use tokio::time::sleep;

    use super::*;

    /// What was told, in its order.
    type Told = Arc<Mutex<Vec<bool>>>;

    fn follow(readiness: &Readiness) -> (watch::Sender<Option<Arc<str>>>, Told) {
        let (obstacles, obstacle) = watch::channel(None);
        let told = Told::default();
        let (readiness, telling) = (readiness.clone(), told.clone());
        tokio::spawn(async move {
            readiness
                .follow(obstacle, |is_ready| {
                    telling.lock().unwrap().push(is_ready);
                    std::future::ready(())
                })
                .await;
        });
        (obstacles, told)
    }

    fn role(to: Role, cause: Option<Cause>) -> Report {
        Report::RoleChanged {
            tenure: Tenure(1),
            from: Role::Candidate,
            to,
            cause,
            reason: "because".to_owned(),
            took: None,
            epoch: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_obstacle_that_lasts_makes_it_unready_until_it_is_gone() {
        let (obstacles, told) = follow(&Readiness::new());
        obstacles.send_replace(Some("no right to write".into()));
        sleep(PATIENCE / 2).await;
        assert_eq!(*told.lock().unwrap(), [true]);
        // However its words change.
        obstacles.send_replace(Some("no right to read".into()));
        sleep(PATIENCE).await;
        assert_eq!(*told.lock().unwrap(), [true, false]);
        obstacles.send_replace(None);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*told.lock().unwrap(), [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_obstacle_that_comes_and_goes_makes_it_not_unready() {
        let (obstacles, told) = follow(&Readiness::new());
        for _ in 0..5 {
            obstacles.send_replace(Some("no answer".into()));
            sleep(PATIENCE / 2).await;
            obstacles.send_replace(None);
            sleep(PATIENCE / 2).await;
        }
        assert_eq!(*told.lock().unwrap(), [true]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_wins_leadership_in_vain_is_unready_until_it_leads() {
        let readiness = Readiness::new();
        let (_obstacles, told) = follow(&readiness);
        for _ in 0..5 {
            let report = Report::StatusUnreadable {
                reason: "it is cut short".to_owned(),
            };
            readiness.report(&report);
            sleep(Duration::from_secs(5)).await;
            readiness.report(&role(Role::SteppingDown, Some(Cause::NotInOffice)));
            sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(*told.lock().unwrap(), [true, false]);
        readiness.report(&role(Role::Leader, None));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*told.lock().unwrap(), [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_is_ready_again_when_what_it_met_as_a_leader_is_long_ago() {
        let readiness = Readiness::new();
        let (_obstacles, told) = follow(&readiness);
        readiness.report(&role(Role::SteppingDown, Some(Cause::StoreStalled)));
        sleep(PATIENCE + Duration::from_secs(1)).await;
        assert_eq!(*told.lock().unwrap(), [true, false]);
        sleep(MEMORY).await;
        assert_eq!(*told.lock().unwrap(), [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn to_lose_leadership_to_another_is_no_obstacle() {
        let readiness = Readiness::new();
        let (_obstacles, told) = follow(&readiness);
        readiness.report(&role(Role::SteppingDown, Some(Cause::LeadershipLost)));
        sleep(2 * PATIENCE).await;
        assert_eq!(*told.lock().unwrap(), [true]);
    }
}
