//! The pure, synchronous machine of a coordinator that steps down instead of falling over; the
//! clock, the network and the disk belong to whoever drives it.
//!
//! It has no tokio, no I/O, no clock, no random source and no unordered iteration: `now` and the
//! seed are arguments, so the same events give the same effects anywhere. It knows nothing of any
//! wire: [`call`] says in plain types what is asked of a data server. The rules for whoever drives it
//! are a machine as well: [`tenancy`].
//!
//! Two candidates and a conflict, driven by hand:
//!
//! ```
//! use stepdown_core::store::{
//!     Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
//! };
//! use stepdown_core::{
//!     CoordinatorState, Effect, Epoch, Event, Options, ProcessId, Role, Timestamp, Timing, Version,
//! };
//!
//! // A store that holds one document and its version, and says no to any other version.
//! let mut stored: Option<(u64, StatusDocument)> = None;
//! let name = |version: u64| Version::new(version.to_string());
//!
//! // Carries out effects until there are none. Both are told that they lead: an old leader that
//! // was asleep does not know better, either.
//! let mut drive = |machine: &mut CoordinatorState, now: Timestamp| {
//!     while let Some(effect) = machine.poll_effect() {
//!         let event = match effect {
//!             Effect::Campaign { tenure } => Event::LeadershipWon { tenure, authority: None },
//!             Effect::Load { tenure, request } => Event::Loaded {
//!                 tenure,
//!                 request,
//!                 outcome: match &stored {
//!                     None => LoadOutcome::Absent { epoch: Epoch(0) },
//!                     Some((version, document)) => LoadOutcome::Found(LoadedStatus {
//!                         version: name(*version),
//!                         epoch: document.epoch,
//!                         write_id: Some(document.write_id),
//!                         intact: true,
//!                         status: document.status.clone(),
//!                         bytes: 100,
//!                     }),
//!                 },
//!             },
//!             Effect::Store { tenure, request, expected, document } => {
//!                 let version = stored.as_ref().map(|(version, _)| *version);
//!                 let outcome = if expected == version.map(name) {
//!                     stored = Some((version.unwrap_or(0) + 1, document));
//!                     StoreOutcome::Stored(name(version.unwrap_or(0) + 1))
//!                 } else {
//!                     StoreOutcome::Conflict("somebody else has written".to_owned())
//!                 };
//!                 Event::StoreEnded { tenure, request, outcome }
//!             }
//!             Effect::CloseOffice { tenure } => Event::Drained { tenure },
//!             _ => continue,
//!         };
//!         machine.handle(now, event);
//!     }
//! };
//!
//! let candidate = |process| {
//!     let options = Options { process: ProcessId(process), seed: 7, timing: Timing::default() };
//!     CoordinatorState::new(options, Timestamp(0))
//! };
//! let (mut first, mut second) = (candidate(1), candidate(2));
//! drive(&mut first, Timestamp(0));
//! assert_eq!((first.role(), first.epoch()), (Role::Leader, Some(Epoch(1))));
//! drive(&mut second, Timestamp(1)); // its fencing write raises the epoch
//! assert_eq!((second.role(), second.epoch()), (Role::Leader, Some(Epoch(2))));
//!
//! // The first one looks at the document, and finds the second one's version: a conflict.
//! let (now, tenure) = (Timestamp(2), first.tenure());
//! first.handle(now, Event::StatusHinted);
//! let Some(Effect::ReadHead { request, .. }) = first.poll_effect() else { panic!() };
//! let head = Head { version: name(2), write_id: None, intact: true };
//! first.handle(now, Event::HeadRead { tenure, request, outcome: HeadOutcome::Found(head) });
//! assert_eq!(first.role(), Role::SteppingDown);
//! drive(&mut first, now); // everything is closed, and it may campaign again
//! assert_eq!((first.role(), first.tenure()), (Role::Candidate, tenure.next()));
//! ```

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
