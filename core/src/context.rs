//! What every part of the machine works with: the time, the outbox, the requests, the seed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::assign::ShardAssignments;
use crate::backoff::Backoff;
use crate::call::Call;
use crate::cluster::DataServerIdentity;
use crate::effect::Effect;
use crate::id::{RequestId, ServerId, ShardId, Tenure, Timestamp};
use crate::options::Timing;
use crate::report::Report;

/// The time, the outbox, the requests and the seed, lent to whichever part is at work.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) now: Timestamp,
    pub(crate) tenure: Tenure,
    pub(crate) timing: Timing,
    pub(crate) rng: fastrand::Rng,
    outbox: VecDeque<Effect>,
    /// What is held back: see [`Context::hold`].
    held: VecDeque<Effect>,
    holds: bool,
    last_request: RequestId,
    asked: BTreeMap<RequestId, Asked>,
}

/// A request that was not answered yet.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Who waits for its answer.
    pub(crate) owner: Owner,
    /// Who is asked.
    pub(crate) server: ServerId,
}

/// Who waits for a request's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Server(ServerId),
    Shard(ShardId),
}

impl Context {
    pub(crate) fn new(timing: Timing, seed: u64, now: Timestamp) -> Self {
        Self {
            now,
            tenure: Tenure(1),
            timing,
            rng: fastrand::Rng::with_seed(seed),
            outbox: VecDeque::new(),
            held: VecDeque::new(),
            holds: false,
            last_request: RequestId(0),
            asked: BTreeMap::new(),
        }
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.outbox.push_back(effect);
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.outbox.push_back(Effect::Report(report));
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.outbox.pop_front()
    }

    /// A request id that was never used before.
    pub(crate) fn request(&mut self) -> RequestId {
        self.last_request = self.last_request.next();
        self.last_request
    }

    /// Asks a data server; the answer goes to `owner`.
    pub(crate) fn call(
        &mut self,
        owner: Owner,
        server: &DataServerIdentity,
        call: Call,
    ) -> RequestId {
        let request = self.request();
        let asked = Asked {
            owner,
            server: server.id(),
        };
        self.asked.insert(request, asked);
        let (tenure, server) = (self.tenure, server.clone());
        self.send(Effect::Call {
            tenure,
            request,
            server,
            call,
        });
        request
    }

    /// Opens a health watch; what it says goes to the server's own controller.
    pub(crate) fn watch(&mut self, server: &DataServerIdentity) -> RequestId {
        let request = self.request();
        self.asked.insert(request, Asked::by_itself(server));
        let (tenure, server) = (self.tenure, server.clone());
        self.send(Effect::WatchHealth {
            tenure,
            request,
            server,
        });
        request
    }

    /// Sends assignments on the stream that `stream` names, or on a new one.
    pub(crate) fn push(
        &mut self,
        stream: Option<RequestId>,
        server: &DataServerIdentity,
        assignments: Arc<ShardAssignments>,
    ) -> RequestId {
        let request = stream.unwrap_or_else(|| self.request());
        self.asked.insert(request, Asked::by_itself(server));
        let (tenure, server) = (self.tenure, server.clone());
        self.send(Effect::PushAssignments {
            tenure,
            request,
            server,
            assignments,
        });
        request
    }

    /// Gives up a request: its answer, should it come, changes nothing.
    pub(crate) fn cancel(&mut self, request: RequestId) {
        if self.asked.remove(&request).is_none() {
            return;
        }
        self.held
            .retain(|effect| request_of(effect) != Some(request));
        self.emit(Effect::Cancel {
            tenure: self.tenure,
            request,
        });
    }

    /// Who waits for this answer, and whose it is; it is the last one.
    pub(crate) fn answered(&mut self, request: RequestId) -> Option<Asked> {
        self.asked.remove(&request)
    }

    /// Who waits for this observation; more may come.
    pub(crate) fn observed(&self, request: RequestId) -> Option<Owner> {
        self.asked.get(&request).map(|asked| asked.owner.clone())
    }

    /// Holds back whatever would leave for a data server, while it is unknown whether the document
    /// is still ours.
    pub(crate) fn hold(&mut self) {
        self.holds = true;
    }

    /// Lets go what was held back, in the order in which it was asked for, and holds no more.
    pub(crate) fn let_go(&mut self) {
        self.holds = false;
        self.outbox.append(&mut self.held);
    }

    /// Forgets every request, and takes back whatever was not polled yet, except reports.
    pub(crate) fn close_office(&mut self) {
        self.asked.clear();
        self.held.clear();
        self.holds = false;
        self.outbox
            .retain(|effect| matches!(effect, Effect::Report(_)));
    }

    pub(crate) fn wait(
        &mut self,
        backoff: &mut Backoff,
        first: Duration,
        most: Duration,
    ) -> Timestamp {
        let wait = backoff.wait(first, most, &mut self.rng);
        self.now.after(wait)
    }

    fn send(&mut self, effect: Effect) {
        if self.holds {
            self.held.push_back(effect);
        } else {
            self.outbox.push_back(effect);
        }
    }
}

impl Asked {
    /// What a server's own controller asks of it.
    fn by_itself(server: &DataServerIdentity) -> Self {
        let id = server.id();
        Self {
            owner: Owner::Server(id.clone()),
            server: id,
        }
    }
}

fn request_of(effect: &Effect) -> Option<RequestId> {
    match effect {
        Effect::Call { request, .. }
        | Effect::PushAssignments { request, .. }
        | Effect::WatchHealth { request, .. } => Some(*request),
        Effect::Campaign { .. }
        | Effect::Cancel { .. }
        | Effect::CloseOffice { .. }
        | Effect::Exit
        | Effect::ForgetServer { .. }
        | Effect::Load { .. }
        | Effect::OpenOffice { .. }
        | Effect::ReadConfiguration { .. }
        | Effect::ReadHead { .. }
        | Effect::Release { .. }
        | Effect::Report(_)
        | Effect::Store { .. } => None,
    }
}
