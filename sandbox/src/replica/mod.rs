//! One data server as a pure model: no I/O, no clock, no chance. Requests and messages go in,
//! replies and messages come out, and whoever drives it carries them.
//!
//! Calling order: `handshake`, `handle_request`, `handle_message`, `cancel`, `peer_connected` or
//! `resend`; then, where [`Durability::Deferred`], write what `unsynced` tells and call `sync`;
//! then `poll_output` until it is empty.
//!
//! Its rules are those of Oxia's data servers, seen from outside:
//!
//! * A shard is opened either as a leader object or as a follower object, and the two differ.
//!   `NewTerm` opens an unknown or not yet opened shard as a leader object. A leader object
//!   refuses its own term again unless FENCED; a follower object takes it in any status.
//! * `BecomeLeader` turns a follower object of the same term, whatever its status, into a fenced
//!   leader object first. An append or a truncation of the same term turns a leader object into a
//!   fenced follower object.
//! * While `BecomeLeader` waits for its quorum, every other request for the shard waits behind
//!   it, until it ends or is [cancelled](DataServerModel::cancel). A cancelled one leaves the
//!   shard FENCED and its followers attached; they keep the streams of another `BecomeLeader` in
//!   the same term, which then never hears of its followers.
//! * After a restart no shard is open: `GetStatus` says "not a member" until a `NewTerm`, a
//!   `BecomeLeader` or a leader's message opens it, FENCED, from what is durable.
//!
//! * What a leader knows of a follower never moves back. Only "not a member" on the stream makes
//!   it start over, from the first entry, which one that is no member still refuses: it takes a
//!   `NewTerm`, or a snapshot. What it has once acknowledged counts for as long as that leader leads,
//!   though it lost it since; what it acknowledged before the leader had written it does not.
//! * Where the log begins later than what a follower has *last*, a snapshot is sent when its stream
//!   is opened: the database, and an empty log. So one that has all before it loses its own log, and
//!   whatever more it had applied.
//! * A replica tells the head of its *log*: after a snapshot none, until it has another entry.
//! * A follower takes one stream at a time, and `NewTerm` ends it; but whoever opens one, a
//!   deposed leader too, keeps it until an append of it is refused. It is truncated once in a
//!   term. Its role says nothing of its log.
//!
//! * A truncation goes by the offset alone. Who has less than that refuses for good. It leaves the
//!   database as it is, which then counts as committed what comes at the same offsets.
//! * The database of one that is to lead follows only once it leads. Nothing is applied where
//!   `BecomeLeader` was given up, whatever a quorum has.
//! * Only what was flushed of the database, at the latest `NewTerm`, outlives a crash.
//! * `NewTerm` tells the last entry that is *synced*. What was appended beyond stays in the file, and
//!   counts again once the shard is opened anew, or once a stream's first message has it synced: then an
//!   entry of another leader at the same offset is taken for one that it has.
//! * A leader with an empty log writes from offset 0 again, whatever its database holds, and takes
//!   for committed what is not above its commit offset.
//! * A `DeleteShard` of a lower term is refused, and all the same closes a leader for good; a shard
//!   that was not open can't be opened any more. A restart, or a leader's stream, ends that.
//!
//! In one place it is better than they are, unless it is [trusting](DataServerModel::trusting): a
//! truncation ends only where the two logs agree. Else an entry of another term may stay at the same
//! offset, which a coordinator can't always know; where it can, it takes no such follower in.

mod context;
mod cursor;
mod durable;
mod following;
mod ghost;
mod handling;
mod lead;
mod leader;
mod leading;
mod log;
mod message;
mod model;
mod output;
mod request;
mod shard;
mod tail;
mod tally;
#[cfg(test)]
mod tests;
mod unknown;
mod unsynced;

pub use durable::{Changes, Durability, DurableServer, DurableShard, Tail};
pub use ghost::{Ghost, LostEntries};
pub use log::{Log, Run};
pub use message::{Body, Message};
pub use model::{DataServerModel, PATIENCE};
pub use output::Output;
pub use request::{Refusal, Reply, Request, Token};
