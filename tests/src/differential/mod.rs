//! The model data servers beside real ones: the same is done to three of each, and they must say
//! the same.
//!
//! Not compared, each for its reason:
//! * When a leader tries a follower again, and which of two leaders' streams comes first: a matter
//!   of time. The model is followed in every order, and may do whatever the real ones did in one.
//! * How far a follower knows the log to be committed: the real leader sends each entry with what
//!   is committed by then.
//! * Words and codes of refusals: coordinators go by the reason.
//! * What clients read where a log was lost: its offsets begin anew, and the database keeps what
//!   it had at them.
//! * Which of two `BecomeLeader`s' streams comes first, of one server in one term: the model's first
//!   ones always do.
//! * Logs that are trimmed by age: real servers look every ten minutes only. Deleting a log while
//!   its server is down makes the same state as a snapshot does.

// What is awaited and does not come fails a test, and this is where it is awaited.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod play;
mod possible;
mod public;
mod real;
mod step;
mod world;

pub use play::{Difference, Play, hurt};
pub use real::{Calls, Real};
pub use step::{Ask, SERVERS, Said, Seen, Step, head};
