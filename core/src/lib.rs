//! The pure, synchronous machine of a coordinator that steps down instead of falling over; the
//! clock, the network and the disk belong to whoever drives it.
//!
//! ```text
//!           whoever drives it                                    CoordinatorState
//!  ┌──────────────────────────────────┐  handle(now, Event)  ┌────────────────────────┐
//!  │ answers of store and servers,    │─────────────────────▶│ Candidate ───▶ Leader  │
//!  │ leadership, signals, the time    │                      │     ▲            │     │
//!  │                                  │◀─────────────────────│     │            ▼     │
//!  │ calls, watches, stores: tasks    │  poll_effect()       │     └─── SteppingDown  │
//!  │                                  │                      │                        │
//!  │ one timer                        │◀─────────────────────│ no task, no I/O,       │
//!  └──────────────────────────────────┘  poll_deadline()     │ no clock               │
//!                                                            └────────────────────────┘
//! ```
//!
//! # To drive it
//!
//! 1. Drain [`poll_effect`](CoordinatorState::poll_effect) until it is empty, and carry the effects
//!    out in order.
//! 2. Feed every answer, and everything else that happens, to
//!    [`handle`](CoordinatorState::handle), each with the time; then drain again.
//! 3. Feed [`Event::TimePassed`] at [`poll_deadline`](CoordinatorState::poll_deadline). Earlier,
//!    later or repeated ones are harmless.
//!
//! | effect | what answers it |
//! |---|---|
//! | [`Campaign`](Effect::Campaign) | [`LeadershipWon`](Event::LeadershipWon), in its own time; where leadership ends by time, [`AuthorityExtended`](Event::AuthorityExtended) from then on |
//! | [`Load`](Effect::Load) | [`Loaded`](Event::Loaded) |
//! | [`Store`](Effect::Store) | [`StoreEnded`](Event::StoreEnded) |
//! | [`ReadConfiguration`](Effect::ReadConfiguration) | [`ConfigurationFound`](Event::ConfigurationFound) |
//! | [`ReadHead`](Effect::ReadHead) | [`HeadRead`](Event::HeadRead) |
//! | [`Call`](Effect::Call) | [`CallAnswered`](Event::CallAnswered) |
//! | [`WatchHealth`](Effect::WatchHealth) | [`HealthObserved`](Event::HealthObserved), again and again; [`HealthWatchEnded`](Event::HealthWatchEnded) at last |
//! | [`PushAssignments`](Effect::PushAssignments) | [`PushEnded`](Event::PushEnded), when the stream ends |
//! | [`CloseOffice`](Effect::CloseOffice) | [`Drained`](Event::Drained) |
//! | `Cancel`, `Exit`, `ForgetServer`, `OpenOffice`, `Release`, `Report` | nothing |
//!
//! The other events come unasked: [`ConfigurationRead`](Event::ConfigurationRead),
//! [`ConfigurationRefused`](Event::ConfigurationRefused),
//! [`LeadershipLost`](Event::LeadershipLost), [`ServerGivenUp`](Event::ServerGivenUp),
//! [`ShutdownRequested`](Event::ShutdownRequested), [`StatusHinted`](Event::StatusHinted), [`TimePassed`](Event::TimePassed). Events and effects name
//! their [`Tenure`]; what belongs to an older one changes nothing, so a late answer does no harm.
//!
//! What a driver on a network has to see to (what is under way, what answers where a task can't, how
//! a tenure ends) is a machine as well: [`tenancy`]. `examples/two_candidates.rs` is a small driver
//! that does without, with a real clock, two machines and a conflict.
//! By hand, one conflict looks like this:
//!
//! ```
//! use stepdown_core::store::{LoadOutcome, StoreOutcome};
//! use stepdown_core::{
//!     CoordinatorState, Effect, Epoch, Event, Options, ProcessId, Role, Timestamp, Timing, Version,
//! };
//!
//! let options = Options { process: ProcessId(1), seed: 7, timing: Timing::default() };
//! let now = Timestamp(0);
//! let mut machine = CoordinatorState::new(options, now);
//!
//! // It wants to lead, and is let.
//! let Some(Effect::Campaign { tenure }) = machine.poll_effect() else { panic!() };
//! machine.handle(now, Event::LeadershipWon { tenure, authority: None });
//!
//! // It reads the document, of which there is none yet.
//! let Some(Effect::Load { request, .. }) = machine.poll_effect() else { panic!() };
//! let outcome = LoadOutcome::Absent { epoch: Epoch(0) };
//! machine.handle(now, Event::Loaded { tenure, request, outcome });
//!
//! // It writes the document in an epoch of its own. When that is durable, it leads.
//! let Some(Effect::Store { request, .. }) = machine.poll_effect() else { panic!() };
//! let outcome = StoreOutcome::Stored(Version::new("1"));
//! machine.handle(now, Event::StoreEnded { tenure, request, outcome });
//! assert_eq!((machine.role(), machine.epoch()), (Role::Leader, Some(Epoch(1))));
//!
//! // Somebody else has written. It closes its office, and campaigns again in a new tenure.
//! machine.handle(now, Event::StatusHinted);
//! let read = std::iter::from_fn(|| machine.poll_effect()).find_map(|effect| match effect {
//!     Effect::ReadHead { request, .. } => Some(request),
//!     _ => None,
//! });
//! let outcome = stepdown_core::store::HeadOutcome::Absent;
//! machine.handle(now, Event::HeadRead { tenure, request: read.unwrap(), outcome });
//! assert_eq!(machine.role(), Role::SteppingDown);
//! machine.handle(now, Event::Drained { tenure });
//! assert_eq!((machine.role(), machine.tenure()), (Role::Candidate, tenure.next()));
//! ```
//!
//! # What is promised
//!
//! It is pure: there is no tokio, no I/O, no clock, no random source and no unordered iteration in
//! it. `now` and the seed are arguments, so the same options and the same events at the same times
//! give the same effects anywhere. It knows nothing of any wire: [`call`] says in plain types what
//! is asked of a data server. It does not panic, whatever it is told.
//!
//! The public enums are exhaustive on purpose, so that a driver which forgets an effect does not
//! compile. They grow: a new event, effect, report or outcome is a breaking change, and there will
//! be some. The texts in reports are for people, and the [`fingerprint`]
//! holds within one build only.
//!
//! [`fingerprint`]: CoordinatorState::fingerprint

#![cfg_attr(
    test,
    allow(
        clippy::wildcard_enum_match_arm,
        reason = "a test picks out what it looks for"
    )
)]

pub mod assign;
mod backoff;
pub mod balance;
pub mod call;
pub mod cluster;
mod context;
mod coordinator;
mod effect;
mod event;
mod id;
pub mod lease;
mod ledger;
mod office;
mod options;
mod report;
#[cfg(test)]
mod scripted;
mod server;
mod shard;
pub mod store;
pub mod tenancy;
mod timers;

pub use coordinator::{CoordinatorState, Reason};
pub use effect::Effect;
pub use event::{ConfigurationText, Event};
pub use id::{
    Epoch, ParseWriteIdError, ProcessId, RequestId, ServerId, ShardId, Tenure, Term, Timestamp,
    Version, WriteId,
};
pub use options::{Options, Timing};
pub use report::{Cause, Report, Role, ServerState, StoreResult};
