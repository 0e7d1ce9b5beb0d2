//! A store that does what it says, or whose answer nobody hears.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::ClusterStatus;
use crate::id::{RequestId, Version};
use crate::store::{Head, HeadOutcome, StatusDocument, StoreOutcome};

/// What becomes of a store; a read is answered, or not in time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It is carried out, and answered.
    Answered,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is under way for long, and given up.
    Delayed,
    /// It is lost.
    Lost,
    /// It does not fit.
    TooLarge,
    /// It is refused for now.
    Unavailable,
}

/// One document, and writes of it that are still under way.
#[derive(Default)]
pub(super) struct Store {
    stored: Option<(u64, StatusDocument)>,
    delayed: Vec<(Option<Version>, StatusDocument)>,
}

impl Store {
    pub(super) fn status(&self) -> Option<&Arc<ClusterStatus>> {
        self.stored.as_ref().map(|(_, document)| &document.status)
    }

    /// A write that was given up arrives after all.
    pub(super) fn apply_delayed(&mut self) {
        if let Some((expected, document)) = self.delayed.pop() {
            self.apply(expected.as_ref(), document);
        }
    }

    pub(super) fn store(
        &mut self,
        fate: Fate,
        request: RequestId,
        expected: Option<Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        let reason = request.to_string();
        match fate {
            Fate::Answered => self.apply(expected.as_ref(), document),
            Fate::AnswerLost => {
                self.apply(expected.as_ref(), document);
                StoreOutcome::Ambiguous(reason)
            }
            Fate::Delayed => {
                self.delayed.push((expected, document));
                StoreOutcome::Ambiguous(reason)
            }
            Fate::Lost => StoreOutcome::Ambiguous(reason),
            Fate::TooLarge => StoreOutcome::TooLarge(reason),
            Fate::Unavailable => StoreOutcome::Unavailable {
                after: Duration::ZERO,
                reason,
            },
        }
    }

    pub(super) fn read_head(&self, fate: Fate) -> HeadOutcome {
        match (fate, &self.stored) {
            (Fate::Answered | Fate::AnswerLost, None) => HeadOutcome::Absent,
            (Fate::Answered | Fate::AnswerLost, Some((version, document))) => {
                HeadOutcome::Found(Head {
                    version: Version::new(version.to_string()),
                    write_id: Some(document.write_id),
                    intact: true,
                })
            }
            (Fate::Delayed | Fate::Lost | Fate::TooLarge | Fate::Unavailable, _) => {
                HeadOutcome::Unavailable {
                    after: Duration::ZERO,
                    reason: String::new(),
                }
            }
        }
    }

    fn apply(&mut self, expected: Option<&Version>, document: StatusDocument) -> StoreOutcome {
        let version = self.stored.as_ref().map(|(version, _)| *version);
        let name = |version: u64| Version::new(version.to_string());
        if expected != version.map(name).as_ref() {
            return StoreOutcome::Conflict("another version".to_owned());
        }
        let next = version.unwrap_or(0) + 1;
        self.stored = Some((next, document));
        StoreOutcome::Stored(name(next))
    }
}
