//! What is done to a cluster of three, and what is heard of it.

use std::fmt;

use stepdown_core::call::{Binding, CallErrorKind, EntryId, ReplicaStatus};

/// How many servers there are.
pub const SERVERS: usize = 3;

/// One thing that is done, to one shard or to a whole server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A server is asked to do something.
    Ask(usize, Ask),
    /// A server's process is killed.
    Kill(usize),
    /// A server's process is asked to end, and does.
    Stop(usize),
    /// A server's process is started again.
    Start(usize),
    /// A server is bound to the cluster.
    Bind(usize),
    /// A server's disk is emptied while it is down.
    Empty(usize),
    /// A server's logs are deleted while it is down; its databases stay. To the server this is a
    /// log that a snapshot has emptied.
    DropLogs(usize),
    /// The connection from one server to another breaks.
    Break(usize, usize),
    /// It breaks, and does not come back.
    Close(usize, usize),
    /// It may come back.
    Open(usize, usize),
    /// The same as every other step that is followed by comparing the replicas, but nothing is
    /// done.
    Settle,
}

/// What a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `AddFollower`.
    AddFollower(i64, usize, EntryId),
    /// `BecomeLeader`.
    BecomeLeader(i64, Vec<(usize, EntryId)>),
    /// `DeleteShard`.
    DeleteShard(i64),
    /// `FreezeShard`.
    Freeze(i64, bool),
    /// `Handshake`.
    Handshake,
    /// `NewTerm`.
    NewTerm(i64),
    /// `NewTerm`, by the coordinator of another cluster.
    Stranger(i64),
    /// A client's write.
    Write,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A follower was added.
    Added,
    /// To a handshake.
    Bound(Binding),
    /// The shard is gone.
    Deleted,
    /// The head of the log.
    Fenced(EntryId),
    /// The last offset of the log.
    Frozen(i64),
    /// It leads.
    Led,
    /// Nothing, within the time.
    Nothing,
    /// A refusal.
    Refused(CallErrorKind),
    /// The write is committed.
    Written,
}

/// What a server says of its replica. `None`: it is down.
pub type Seen = Option<Result<ReplicaStatus, CallErrorKind>>;

/// The head of a log.
pub fn head(term: i64, offset: i64) -> EntryId {
    EntryId {
        term: stepdown_core::Term(term),
        offset,
    }
}

/// What three servers say of their replicas, shortly.
pub struct Shown<'a>(pub &'a [Seen; SERVERS]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, seen) in self.0.iter().enumerate() {
            match seen {
                None => write!(f, " s{at} down;")?,
                Some(Err(kind)) => write!(f, " s{at} {kind:?};")?,
                Some(Ok(status)) => write!(
                    f,
                    " s{at} {:?} t{} h{} c{};",
                    status.role, status.term, status.head_offset, status.commit_offset
                )?,
            }
        }
        Ok(())
    }
}
