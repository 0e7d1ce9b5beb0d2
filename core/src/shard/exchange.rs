//! One member for another: what has to hold before it is begun, and how the new one is looked at.
//!
//! Nothing is stored before the new one is known to have nothing of the shard, and everybody who stays to
//! have all of it. Then it is an election like others, but for the ensemble that is stored with its term: see
//! [`Quorum`](super::quorum::Quorum).

use super::context::ShardContext;
use super::followers::Followers;
use super::memory::Memory;
use super::probe::{Probe, Probed};
use crate::call::{Answer, CallError, Feature};
use crate::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use crate::id::{RequestId, ServerId};
use crate::server::{Reach, ServerController};

/// With fewer replicas, nobody could be elected while the one that comes is not there: neither ensemble has a
/// majority without it.
pub(crate) const LEAST: usize = 3;

/// One server takes another's place in an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// Who leaves.
    pub(crate) from: ServerId,
    /// Who comes, at the address that is configured.
    pub(crate) to: DataServerIdentity,
}

/// The last one who came makes room for the one whose place it took, if a single place was taken; returns whether
/// that is so.
pub(super) fn go_back(
    ensemble: &mut [DataServerIdentity],
    removed: &mut [DataServerIdentity],
) -> bool {
    let [before] = removed else {
        return false;
    };
    let Some(came) = ensemble.last_mut() else {
        return false;
    };
    std::mem::swap(before, came);
    true
}

/// Why one can't take another's place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(
        "a shard of fewer than three replicas can't be moved without an interruption, or losing it"
    )]
    TooSmall,
    #[error("{0} is no replica of it")]
    NoMember(ServerId),
    #[error("{0} is a replica of it already")]
    Member(ServerId),
    #[error("nobody is known to lead it")]
    NotLed,
    #[error("another one takes a place in it already")]
    UnderWay,
    #[error("it takes part in a split")]
    Split,
    #[error("the data that {0} had of it is not deleted yet")]
    Leaving(ServerId),
    #[error("{0} has data of it, of an earlier time; it has to be deleted first")]
    HasData(ServerId),
    #[error("{0} is not there")]
    Away(ServerId),
    #[error("{0} is not configured")]
    NotConfigured(ServerId),
    #[error("of those that stay not all have what is committed")]
    Behind,
    #[error("too few of its replicas are there to elect without {0}")]
    TooFew(ServerId),
    #[error("it is not known yet what {0} can do")]
    Unknown(ServerId),
    #[error("{0} can't do what all others can (feature {1})")]
    Lesser(ServerId, i32),
    #[error("{0} did not say whether it has data of it: {1}")]
    Silent(ServerId, String),
}

impl Unfit {
    /// Who can't take in this shard for longer than a moment, for a reason that no plan follows from: another one
    /// may come instead.
    pub(super) const fn declined(&self) -> Option<&ServerId> {
        if let Self::HasData(to) = self {
            Some(to)
        } else {
            None
        }
    }
}

/// The new one is being looked at.
#[derive(Clone, Debug)]
pub(super) struct Looking {
    exchange: Exchange,
    probe: Probe,
}

/// What an answer of the new one means.
#[derive(Debug)]
pub(super) enum Looked {
    /// It is still being asked.
    On(Looking),
    /// It has nothing of the shard.
    Clean(Exchange),
    Unfit(Unfit),
}

impl Exchange {
    /// Whether it can be begun, as things stand, by a leader with these followers.
    pub(super) fn is_fit(
        &self,
        followers: &Followers,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Result<(), Unfit> {
        let shard = memory.metadata(cx).ok_or(Unfit::NotLed)?;
        self.suits(&shard, cx)?;
        let leader = shard.leader.as_ref().filter(|it| shard.is_member(it));
        let leader = leader.ok_or(Unfit::NotLed)?.id();
        if shard.status != ShardStatus::SteadyState {
            return Err(Unfit::NotLed);
        }
        let mut stay = shard.ensemble.iter().map(DataServerIdentity::id);
        if !stay.all(|id| id == self.from || id == leader || followers.is_in_sync(&id)) {
            return Err(Unfit::Behind);
        }
        Ok(())
    }

    /// Whether the document and the servers are such that it can be, whoever is in sync.
    pub(super) fn suits(&self, shard: &ShardMetadata, cx: &ShardContext<'_>) -> Result<(), Unfit> {
        let to = self.to.id();
        let has = |servers: &[DataServerIdentity], id: &ServerId| {
            servers.iter().any(|server| server.id() == *id)
        };
        if shard.ensemble.len() < LEAST {
            return Err(Unfit::TooSmall);
        }
        if !has(&shard.ensemble, &self.from) {
            return Err(Unfit::NoMember(self.from.clone()));
        }
        let is_there = |server: &DataServerIdentity| server.internal == self.to.internal;
        if has(&shard.ensemble, &to) || shard.ensemble.iter().any(is_there) {
            return Err(Unfit::Member(to));
        }
        // Under another name it would be told to delete what it has.
        let mut left = shard.pending_delete_shard_nodes.iter();
        if left.any(is_there) {
            return Err(Unfit::Leaving(to));
        }
        if shard.split.is_some() {
            return Err(Unfit::Split);
        }
        if !shard.removed_nodes.is_empty() {
            return Err(Unfit::UnderWay);
        }
        if has(&shard.pending_delete_shard_nodes, &to) {
            return Err(Unfit::Leaving(to));
        }
        if cx
            .configured(&self.to)
            .is_none_or(|it| !it.same_addresses(&self.to))
        {
            return Err(Unfit::NotConfigured(to));
        }
        if cx.reach(&self.to) != Reach::Running {
            return Err(Unfit::Away(to));
        }
        let runs = |server: &&DataServerIdentity| cx.reach(server) == Reach::Running;
        let running = shard.ensemble.iter().filter(runs).count();
        let staying = shard.ensemble.iter().filter(|it| it.id() != self.from);
        let staying = staying.filter(runs).count();
        // Of those that were, and of those that are to be, the new one among them.
        if running <= shard.ensemble.len() / 2 || staying < shard.ensemble.len() / 2 {
            return Err(Unfit::TooFew(self.from.clone()));
        }
        self.keeps_features(shard, cx)
    }

    /// What all members can do the new ones have to be able to do, too: a leader may use it already.
    fn keeps_features(&self, shard: &ShardMetadata, cx: &ShardContext<'_>) -> Result<(), Unfit> {
        let known = |id: &ServerId| {
            let server = cx.servers.get(id);
            server.and_then(ServerController::features)
        };
        let new = known(&self.to.id()).ok_or_else(|| Unfit::Unknown(self.to.id()))?;
        // Whoever leaves may be away for good, and then nothing is known of it.
        let asked = shard.ensemble.iter().map(DataServerIdentity::id);
        let asked = asked.filter(|id| *id != self.from || known(id).is_some());
        let asked: Vec<ServerId> = asked.collect();
        if let Some(silent) = asked.iter().find(|id| known(id).is_none()) {
            return Err(Unfit::Unknown(silent.clone()));
        }
        let common = Feature::common(asked.iter().map(known)).unwrap_or_default();
        match common.iter().find(|feature| !new.contains(feature)) {
            Some(lost) => Err(Unfit::Lesser(self.to.id(), lost.0)),
            None => Ok(()),
        }
    }
}

impl Looking {
    pub(super) fn begin(exchange: Exchange, memory: &Memory, cx: &mut ShardContext<'_>) -> Self {
        let probe = Probe::begin(exchange.to.clone(), memory, cx);
        Self { exchange, probe }
    }

    pub(super) fn request(&self) -> RequestId {
        self.probe.request()
    }

    /// Who comes.
    pub(super) fn coming(&self) -> &DataServerIdentity {
        &self.exchange.to
    }

    /// Whether it is this server that comes, or leaves.
    pub(super) fn concerns(&self, server: &ServerId) -> bool {
        self.exchange.from == *server || self.coming().id() == *server
    }

    pub(super) fn answered(
        self,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Looked {
        let Self { exchange, probe } = self;
        let id = exchange.to.id();
        match probe.answered(result, memory, cx) {
            Probed::On(probe) => Looked::On(Self { exchange, probe }),
            Probed::Clean => Looked::Clean(exchange),
            Probed::HasData => Looked::Unfit(Unfit::HasData(id)),
            Probed::Silent(said) => Looked::Unfit(Unfit::Silent(id, said)),
        }
    }
}
