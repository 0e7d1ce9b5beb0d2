//! Data servers: the sandbox's model, with a disk that needs syncing, restarts and moods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{Answer, Call, CallError, CallErrorKind, Feature};
use stepdown_core::{RequestId, Tenure};
pub use stepdown_sandbox::replica::Token;
use stepdown_sandbox::replica::{DataServerModel, Durability, DurableServer, Tail};

use super::clock::At;
use super::configuration::Address;
use super::world::{What, World};

/// One data server.
#[derive(Debug)]
pub struct Server {
    pub address: Address,
    pub moves: u32,
    pub model: DataServerModel,
    pub up: bool,
    pub boot: u32,
    pub refuses: bool,
    pub not_serving: At,
    pub slow_probes: At,
    pub leading_hangs: At,
    /// Until when its logs are synced slowly.
    pub slow_syncs: At,
    pub other_cluster: At,
    /// Until when anything may have gone wrong with it.
    pub troubled: At,
    /// Since when it is down.
    pub down_since: Option<At>,
    /// It is restarted once it leads a shard while nobody watches its health.
    pub restarts_unwatched: bool,
    pub sync_planned: bool,
    /// Followers that owe an answer: how often each was asked again.
    pub retries: BTreeMap<Arc<str>, u32>,
    pub callers: BTreeMap<Token, Caller>,
    pub handshakes: Vec<(Token, Result<Answer, CallError>)>,
    pub watchers: BTreeMap<Token, Caller>,
    pub assignments: Option<Arc<ShardAssignments>>,
}

/// Who made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub host: usize,
    pub boot: u32,
    pub tenure: Tenure,
    pub request: RequestId,
}

/// A call on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub token: Token,
    pub caller: Caller,
    pub instance_id: Option<Arc<str>>,
    pub sent: At,
    pub call: Call,
}

pub type CallResult = Result<Answer, CallError>;

impl Server {
    pub fn new(index: usize) -> Self {
        let address = Address::of(index, 0);
        Self {
            model: DataServerModel::new(
                address.internal.as_str(),
                features(index),
                Durability::Deferred,
            ),
            address,
            moves: 0,
            up: true,
            boot: 0,
            refuses: true,
            not_serving: At(0),
            slow_probes: At(0),
            leading_hangs: At(0),
            slow_syncs: At(0),
            other_cluster: At(0),
            troubled: At(0),
            down_since: None,
            restarts_unwatched: false,
            sync_planned: false,
            retries: BTreeMap::new(),
            callers: BTreeMap::new(),
            handshakes: Vec::new(),
            watchers: BTreeMap::new(),
            assignments: None,
        }
    }

    pub fn crash(&mut self, tail: Tail) {
        self.model.restart(tail);
        self.up = false;
        self.boot += 1;
        self.sync_planned = false;
        self.retries.clear();
        self.callers.clear();
        self.handshakes.clear();
        self.watchers.clear();
        self.assignments = None;
    }

    /// Its disk is replaced while it is down.
    pub fn empty(&mut self, index: usize) {
        self.put_back(index, DurableServer::default());
    }

    /// Its disk becomes what it was some time before, while it is down.
    pub fn put_back(&mut self, index: usize, disk: DurableServer) {
        self.model = DataServerModel::recover(
            self.address.internal.as_str(),
            features(index),
            Durability::Deferred,
            disk,
        );
    }

    /// Comes back elsewhere, with its disk.
    pub fn relocate(&mut self, index: usize) {
        self.moves += 1;
        self.address = Address::of(index, self.moves);
        let disk = self.model.durable();
        self.put_back(index, disk);
    }
}

fn features(index: usize) -> BTreeSet<Feature> {
    let mut features = BTreeSet::from([Feature(1)]);
    if index.is_multiple_of(2) {
        features.insert(Feature(2));
    }
    features
}

/// What all of these have; nothing where of one it is not known.
pub fn common<'a>(
    all: impl IntoIterator<Item = Option<&'a BTreeSet<Feature>>>,
) -> BTreeSet<Feature> {
    let mut all = all.into_iter();
    let first = all.next().flatten().cloned().unwrap_or_default();
    all.fold(first, |common, next| match next {
        Some(next) => &common & next,
        None => BTreeSet::new(),
    })
}

impl World<'_> {
    pub(super) fn server_started(&mut self, server: usize) {
        let stays_down = self.healed && self.left_down.0.contains(&server);
        let place = &mut self.servers[server];
        if place.up || stays_down {
            return;
        }
        place.up = true;
        place.down_since = None;
        self.troubles(server, self.queue.now());
    }

    pub(super) fn send_answer(&mut self, server: usize, caller: Caller, answer: CallResult) {
        let now = self.queue.now();
        let link = *self.network.link(caller.host, server);
        if let Some(delay) = link.answer_delay(now, &mut self.chance.network) {
            self.queue.after(delay, What::CallAnswered(caller, answer));
        }
    }

    pub(super) fn server_at(&self, internal: &str) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| server.address.internal == internal)
    }
}

pub fn failure(kind: CallErrorKind, message: &str) -> CallError {
    CallError {
        kind,
        message: message.to_owned(),
    }
}
