//! What people and metrics are told. Reports change nothing; a driver may drop them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, ServerId, ShardId, Tenure, Term};

/// The three roles of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// It campaigns, loads, or makes its fencing write.
    Candidate,
    /// It is in office.
    Leader,
    /// It closes its office.
    SteppingDown,
}

/// Why a coordinator left office, or gave up a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// Its authority ended before leadership was confirmed again.
    AuthorityExpired,
    /// The status document was changed by somebody else.
    Conflict,
    /// The backend says that somebody else leads.
    LeadershipLost,
    /// It won leadership, but could not read the status document, or write it, for so long that
    /// another candidate should try.
    NotInOffice,
    /// The process was asked to stop.
    Shutdown,
    /// The store refused for a reason that waiting does not mend.
    StoreRefused,
    /// Nothing could be stored for so long that another candidate should try.
    StoreStalled,
}

/// Everything that people and metrics are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// A configuration was put into force.
    ConfigurationApplied {
        /// Where it was read.
        source: String,
    },
    /// A configuration was refused.
    ConfigurationRejected {
        /// Where it was read.
        source: String,
        /// What is wrong with it, and where.
        reason: String,
        /// Whether a good one came before, and stays in force.
        keeps_last: bool,
    },
    /// A new leader was elected and stored.
    Elected {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// In this term.
        term: Term,
        /// The leader.
        leader: ServerId,
        /// Length of the whole attempt, its two stores included.
        took: Duration,
    },
    /// An election attempt failed; it is tried again in a greater term.
    ElectionFailed {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// In this term.
        term: Term,
        /// Why.
        reason: String,
        /// Time until the next attempt.
        retry_after: Duration,
    },
    /// A round of `NewTerm` ended, well or not.
    FencingEnded {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// From the first `NewTerm` to the quorum, or to its failure.
        took: Duration,
    },
    /// A `BecomeLeader` succeeded.
    LeaderConfirmed {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// From the call to its answer.
        took: Duration,
    },
    /// Shards can't be elected, as no majority of their ensembles runs. Said once for all.
    MajorityAwaited {
        /// How many shards.
        shards: usize,
        /// The data servers that do not run.
        servers: Vec<ServerId>,
    },
    /// No shard waits for a majority any more.
    MajorityBack,
    /// A namespace was created and stored.
    NamespaceCreated {
        /// Its name.
        namespace: Arc<str>,
        /// With so many shards.
        shards: u32,
    },
    /// A namespace can't be created yet.
    NamespaceRefused {
        /// Its name.
        namespace: Arc<str>,
        /// Why.
        reason: String,
    },
    /// The shard is being deleted, as stored or about to be.
    DeletionBegun {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// One server can't take another's place in a shard, as things stand.
    ExchangeRefused {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// Why.
        reason: String,
    },
    /// A shard can't leave a server that is not configured any more.
    MoveStuck {
        /// The shard.
        shard: ShardId,
        /// Why.
        reason: String,
    },
    /// A shard is gone: nobody has anything of it any more.
    ShardDeleted {
        /// The namespace that it was in.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// A shard was moved, and the server that came has what is committed.
    ShardMoved {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// Who left.
        from: ServerId,
        /// Who came.
        to: ServerId,
    },
    /// A shard is elected anew, so that another server leads it: its leader leads too many.
    LeaderHanded {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// Who leads it.
        from: ServerId,
        /// Who is to.
        to: ServerId,
    },
    /// A configuration would delete so much that it is waited whether it stays as it is.
    DeletionHeld {
        /// The namespaces that it takes away.
        namespaces: Vec<Arc<str>>,
        /// For how long it is waited.
        wait: std::time::Duration,
    },
    /// Namespaces are not deleted yet: the configuration could not be read once more, or says something else.
    DeletionUnsure {
        /// Why.
        reason: String,
    },
    /// A namespace is gone, with all of its shards.
    NamespaceDeleted {
        /// Its name.
        namespace: Arc<str>,
    },
    /// A replica has another log than its leader has or had, and is not known to become like it. It is
    /// left out until its disk is emptied; or, where that is only not known, while others are enough.
    ReplicaLeftOut {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// The replica's server.
        server: ServerId,
        /// Whether it has what was given up when a loss was accepted.
        given_up: bool,
    },
    /// The role changed.
    RoleChanged {
        /// The tenure.
        tenure: Tenure,
        /// From.
        from: Role,
        /// To.
        to: Role,
        /// Why, on leaving office.
        cause: Option<Cause>,
        /// In words.
        reason: String,
        /// In SteppingDown -> Candidate: time since office was closed.
        took: Option<Duration>,
        /// The epoch, once the fencing write is made.
        epoch: Option<Epoch>,
    },
    /// A data server that was silent answers in time again.
    ServerAnswers {
        /// The server.
        server: ServerId,
        /// So long it was not heard of until this answer.
        silent_for: Duration,
    },
    /// A data server's state changed.
    ServerChanged {
        /// The server.
        server: ServerId,
        /// Its state now.
        state: ServerState,
        /// Why.
        reason: String,
    },
    /// A data server has been bound to the cluster only now, although shards that are led have a
    /// replica on it: it is new, or it has lost its data.
    ServerEmptied {
        /// The server.
        server: ServerId,
        /// How many such shards there are.
        shards: u32,
    },
    /// A data server is no longer known.
    ServerForgotten {
        /// The server.
        server: ServerId,
    },
    /// A person has given up on a data server that is not configured any more: nobody waits for it to delete
    /// what it had.
    ServerGivenUp {
        /// The server.
        server: ServerId,
    },
    /// A data server that runs, as far as is known, does not answer in time. It is not taken to be
    /// unavailable yet, and nothing follows from it but that people are told; that it answers again,
    /// or is unavailable, is told as well.
    ServerSilent {
        /// The server.
        server: ServerId,
        /// So long it has not been heard of.
        silent_for: Duration,
        /// What was not answered, or what the answer was.
        reason: String,
    },
    /// A shard's term and state, as accepted by the store.
    ShardAccepted {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// Its term.
        term: Term,
        /// Its leader, if it has one.
        leader: Option<ServerId>,
    },
    /// A shard can't go on by itself; somebody should look.
    ShardBlocked {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// Why.
        reason: String,
    },
    /// How many replicas of a shard have what its leader had committed, as far as is known.
    ShardInSync {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
        /// So many, the leader among them; 0 while nobody leads.
        in_sync: usize,
        /// Of so many.
        replicas: usize,
    },
    /// Shards have had fewer replicas in sync than they have for long.
    ShardsShort {
        /// By namespace, with how many are in sync, the leader among them, and of how many.
        shards: Vec<(Arc<str>, ShardId, usize, usize)>,
    },
    /// All replicas of shards that were short of them for long are in sync again.
    ShardsWhole {
        /// By namespace.
        shards: Vec<(Arc<str>, ShardId)>,
    },
    /// The shard was led by the right server at take-over, or at a later look, and was left alone.
    ShardVerified {
        /// The shard's namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// The status document, at take-over, was last written by somebody else, and was adopted.
    StatusAdopted {
        /// What was seen.
        reason: String,
    },
    /// The status document can't be loaded.
    StatusUnreadable {
        /// Why, and what to do.
        reason: String,
    },
    /// A store was concluded.
    StoreConcluded {
        /// How.
        outcome: StoreResult,
        /// How many changes were in it.
        changes: u32,
        /// From the first send to the conclusion.
        took: Duration,
        /// The store's words, where it refused.
        reason: String,
    },
}

/// The kinds of store outcome, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is a `StoreOutcome` without its payload")]
pub enum StoreResult {
    Ambiguous,
    Conflict,
    Corrupt,
    Forbidden,
    Invalid,
    Stored,
    TooLarge,
    Unavailable,
}

/// A data server as the coordinator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServerState {
    /// It answers, but is not configured any more.
    Draining,
    /// It has shaken hands and answers.
    Running,
    /// It does not answer, or does not serve, or was not seen yet.
    Unavailable,
}
