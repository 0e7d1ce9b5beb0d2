//! The model data servers beside real ones: the same is done to three of each, and they must say
//! the same.
//!
//! A table of what was found by hand, and random sequences: every call of a coordinator in right and
//! wrong terms, to right and wrong servers, writes and reads of clients, servers killed, stopped and
//! started again, disks emptied, logs lost, connections broken and kept broken. After each step the
//! answer is compared, and every replica's term, role, head and, where it leads, commit offset; and
//! the keys that clients can read.
//!
//! Not compared, each for its reason:
//! * When a leader tries a follower again, and which of two leaders' streams comes first: a matter
//!   of time, up to a minute. The model is followed in every order of retries, and the real ones
//!   have to come to rest as one of them does.
//! * How far a follower knows the log to be committed: the real leader sends each entry with what
//!   is committed by then. It is taken from the real one where it is possible.
//! * Words and codes of refusals: coordinators go by the reason.
//! * What clients read where a log was lost: its offsets begin anew, and the database keeps what
//!   it had at them.
//! * Two `BecomeLeader`s of one server in one term, which no coordinator sends: whose streams come
//!   first is a matter of time, and the first ones' outlive the term.
//! * Logs that are trimmed by age: real servers look every ten minutes only. Deleting a log while
//!   its server is down makes the same state as a snapshot does.
//! * What comes while a replica is being opened for a leader's stream: it is refused, nothing comes
//!   of it, and it is asked once more.
//! * Two that lead in one term, in random sequences: they depose one another in an order of
//!   messages. The table has it.
//! * A leader that is told to feed itself, which no coordinator does: it closes itself, or keeps all
//!   shards of its server waiting for half a minute.
//! * More followers than the replication factor has room for, in `BecomeLeader`: the real one takes
//!   any of them.
//! * Connections that go silent: whether they are given up is a matter of minutes.
//! * Observers, which belong to splits.

// What is awaited and does not come fails a test, and this is where it is awaited.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod chance;
mod links;
mod moves;
mod play;
mod possible;
mod public;
mod random;
mod real;
mod sequence;
mod step;
mod world;

pub use play::{Difference, Play, hurt};
pub use random::{Batch, batch};
pub use real::{Calls, Real};
pub use step::{Ask, SERVERS, Said, Seen, Step, head};
