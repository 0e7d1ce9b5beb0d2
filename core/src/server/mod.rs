//! One data server: health, handshake, features, and the assignments stream.

mod binding;
mod health;
mod probe;
mod silence;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::binding::Bound;
use self::probe::Probe;
use self::silence::Silence;
use crate::assign::ShardAssignments;
use crate::call::{Answer, Call, CallError, Feature};
use crate::cluster::DataServerIdentity;
use crate::context::{Context, Owner};
use crate::id::{RequestId, ServerId, Timestamp};
use crate::report::{Report, ServerState};

/// One data server as a tenure sees it.
#[derive(Clone, Debug)]
pub(crate) struct ServerController {
    identity: DataServerIdentity,
    configured: bool,
    /// A person has said that it never comes back.
    given_up: bool,
    reach: Reach,
    features: Option<BTreeSet<Feature>>,
    failures: u32,
    check: Probe,
    watch: Probe,
    handshake: Probe,
    stream: Probe,
    latest: Option<Arc<ShardAssignments>>,
    /// The health watch in flight has said that the server serves: a restart from then on breaks
    /// it.
    watched: bool,
    /// The health watch broke, and no check has succeeded since: if one fails as well, the server
    /// is unavailable.
    suspicious: bool,
    /// It broke once more since the check was sent that looks whether it is there.
    again: bool,
    /// Since when it can be worked with, whether it is watched or not.
    running_since: Timestamp,
    /// It was unavailable in this tenure.
    has_failed: bool,
    /// It belongs to another cluster, by its last handshake.
    foreign: bool,
    /// Its last check was not answered.
    silent: bool,
    silence: Silence,
    binding: Bound,
}

/// Whether the server can be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing is known yet.
    Unknown,
    /// It has shaken hands and answers.
    Running,
    /// It does not answer, does not serve, or is not ours.
    Unavailable,
}

/// What an event means for the shards on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// It can be worked with (again).
    Running {
        /// Whether it was bound only now: it has no data yet, or none any more.
        emptied: bool,
    },
    /// It can't be worked with (any more).
    Unavailable(String),
    /// It is watched almost since it answers.
    Watched,
    /// It answers, but for a while nobody has watched it: it may have been restarted, on whatever
    /// disk it has now.
    Restarted,
}

impl ServerController {
    /// A server not seen yet: it is checked and watched from the first event on.
    pub(crate) fn new(identity: DataServerIdentity, configured: bool, now: Timestamp) -> Self {
        let at_once = || Probe {
            due: Some(now),
            ..Probe::default()
        };
        Self {
            identity,
            configured,
            given_up: false,
            reach: Reach::Unknown,
            features: None,
            failures: 0,
            check: at_once(),
            watch: at_once(),
            handshake: Probe::default(),
            stream: Probe::default(),
            latest: None,
            watched: false,
            suspicious: false,
            again: false,
            running_since: now,
            has_failed: false,
            foreign: false,
            silent: false,
            silence: Silence::since(now),
            binding: Bound::default(),
        }
    }

    pub(crate) fn identity(&self) -> &DataServerIdentity {
        &self.identity
    }

    /// How it is written now. Its id and its addresses stay the same.
    pub(crate) fn set_identity(&mut self, identity: DataServerIdentity) {
        self.identity = identity;
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether it can be relied on for more: it did not fail, or that was long ago.
    pub(crate) fn is_lasting(&self, context: &Context) -> bool {
        let runs = context.now.since(self.running_since);
        self.reach == Reach::Running && (!self.has_failed || runs >= context.timing.relied_after)
    }

    /// Whether it is known to be away, not only to say that it does not serve; one of another cluster is in
    /// its place, maybe.
    pub(crate) fn is_away(&self) -> bool {
        self.foreign || self.reach == Reach::Unavailable && self.silent
    }

    /// Whether it belongs to another cluster: then it gets handshakes and checks only.
    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// What it can do; `None` until it has shaken hands.
    pub(crate) fn features(&self) -> Option<&BTreeSet<Feature>> {
        self.features.as_ref()
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        [&self.check, &self.watch, &self.handshake, &self.stream]
            .into_iter()
            .filter(|probe| probe.request.is_none())
            .filter_map(|probe| probe.due)
            .chain(self.overdue_at())
            .min()
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.configured
    }

    /// Whether it is in the configuration; one that is not is draining.
    pub(crate) fn set_configured(&mut self, configured: bool, context: &mut Context) {
        self.given_up &= !configured;
        if self.configured != configured {
            self.configured = configured;
            let reason = if configured {
                "configured again"
            } else {
                "no longer configured"
            };
            self.report(reason.to_owned(), context);
        }
    }

    /// It never comes back. Returns whether that can be: it is not configured, and known to be away, or replaced
    /// by others that keep what it is to delete.
    pub(crate) fn give_up(&mut self, is_replaced: bool) -> bool {
        let can_be = !self.configured && (self.is_away() || is_replaced);
        self.given_up |= can_be;
        can_be
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Sends the newest assignments, at once if the server is bound to the cluster.
    pub(crate) fn publish(&mut self, assignments: &Arc<ShardAssignments>, context: &mut Context) {
        self.latest = Some(assignments.clone());
        if self.reach == Reach::Running && self.stream.due.is_none() {
            let request = context.push(self.stream.request, &self.identity, assignments.clone());
            self.stream.sent(request, context.now);
        }
    }

    /// Ends whatever is in flight.
    pub(crate) fn close(&mut self, context: &mut Context) {
        for probe in [
            &mut self.check,
            &mut self.watch,
            &mut self.handshake,
            &mut self.stream,
        ] {
            probe.stop(context);
        }
    }

    pub(crate) fn time_passed(&mut self, context: &mut Context) {
        let now = context.now;
        let owner = || Owner::Server(self.identity.id());
        if self.check.is_due(now) {
            let request = context.call(owner(), &self.identity, Call::CheckHealth);
            self.check.sent(request, now);
            self.silence.asked(context);
        }
        if self.watch.is_due(now) {
            self.watch.sent(context.watch(&self.identity), now);
            self.watched = false;
        }
        if self.handshake.is_due(now) {
            let request = context.call(owner(), &self.identity, Call::Handshake);
            self.handshake.sent(request, now);
        }
        if self.stream.is_due(now) {
            self.stream.due = None;
            if let Some(latest) = self.latest.clone() {
                self.publish(&latest, context);
            }
        }
        self.tell_if_overdue(context);
    }

    /// It has answered; `instance_id` is that of the cluster.
    pub(crate) fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        instance_id: &str,
        context: &mut Context,
    ) -> News {
        if self.check.ended(request) {
            return self.checked(result, context);
        }
        if self.handshake.ended(request) {
            return self.shaken(request, result, instance_id, context);
        }
        News::None
    }

    pub(crate) fn push_ended(&mut self, request: RequestId, context: &mut Context) {
        if self.stream.ended(request) {
            self.stream.broke(context);
        }
    }

    fn lost(&mut self, reason: &str, context: &mut Context) -> News {
        self.handshake.stop(context);
        self.refused(reason, context)
    }

    fn refused(&mut self, reason: &str, context: &mut Context) -> News {
        self.failures = 0;
        self.suspicious = false;
        self.again = false;
        self.silence.is_over();
        if self.reach == Reach::Unavailable {
            return News::None;
        }
        self.reach = Reach::Unavailable;
        self.has_failed = true;
        self.stream.stop(context);
        self.report(reason.to_owned(), context);
        News::Unavailable(reason.to_owned())
    }

    /// How it is seen from outside.
    pub(crate) fn state(&self) -> ServerState {
        match self.reach {
            Reach::Unknown | Reach::Unavailable => ServerState::Unavailable,
            Reach::Running if !self.configured => ServerState::Draining,
            Reach::Running => ServerState::Running,
        }
    }

    fn report(&self, reason: String, context: &mut Context) {
        context.report(Report::ServerChanged {
            server: self.id(),
            state: self.state(),
            reason,
        });
    }

    fn id(&self) -> ServerId {
        self.identity.id()
    }
}
