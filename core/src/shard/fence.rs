//! Fencing one replica so that it has no more than it says.
//!
//! A data server answers `NewTerm` with the last entry that is *synced*. What it has appended beyond that
//! stays, for good where the stream that brought it has ended, and no leader has it cut off, as leaders
//! go by the head that was told. An entry of the next leader at such a place is then taken for one that
//! is there already: it is acknowledged, and never kept. So whoever follows is looked at once more, and
//! what is beyond is cut off, of which nobody was ever told. Of one that led, or may have, nothing is seen:
//! it is cut off in any case.
//!
//! Where a sync is on its way it is given a moment, after which the replica tells of more; and another
//! one after a cut. A cut amid a sync, whoever asked for it, can leave a replica that takes for synced
//! what it does not have any more: it is fenced, but answers `NewTerm` with an error, until it is cut off
//! again, where its log ends, or has something new.

use super::context::ShardContext;
use super::memory::Memory;
use crate::call::{Answer, CallError, CallErrorKind, EntryId, ReplicaRole, ReplicaStatus};
use crate::cluster::DataServerIdentity;
use crate::id::{RequestId, Term, Timestamp};

/// So often it is cut off, or found to be opened anew meanwhile.
const TRIES: u32 = 3;

/// One replica on its way to be fenced in a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    term: Term,
    /// What it was before.
    was: Was,
    step: Step,
    /// A sync that was on its way has had its time.
    is_rested: bool,
    /// Something was cut off it.
    is_cut: bool,
    /// Up to where its database has what is committed, -1 too, if it was fenced when it said so, and open as
    /// one that follows: nobody has fed it since.
    shown: Option<i64>,
    tries: u32,
}

/// What a replica was before it is fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Was {
    /// It was in no term, or is not known to have been: it has nothing, or only what is synced.
    New,
    /// It led, and may have written.
    Leader,
    /// It was not open, and was opened to be asked: all that is in its file is synced.
    Opened,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is being fenced.
    Fencing,
    /// It is fenced with this head, and being asked whether it has more.
    Looking(EntryId),
    /// It can't tell its head, and is being asked where its log ends.
    Searching,
    /// What it has more is being cut off.
    Cutting,
}

/// What has become of it.
#[derive(Debug)]
#[must_use]
pub(super) enum Outcome {
    /// It goes on with this request.
    Asks(RequestId),
    /// It goes on at this time, with [`Fence::rested`].
    Rests(Timestamp),
    /// It is fenced, and this is all of its log.
    Fenced(EntryId),
    Failed(CallError),
}

impl Was {
    pub(super) fn of(status: &ReplicaStatus) -> Self {
        if status.has_forgotten() {
            Self::New
        } else if status.role == ReplicaRole::Leader && status.commit_offset <= status.head_offset {
            Self::Leader
        } else {
            Self::Other
        }
    }
}

impl Fence {
    pub(super) fn begin(
        term: Term,
        was: Was,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> (RequestId, Self) {
        let fence = Self {
            term,
            was,
            step: Step::Fencing,
            is_rested: false,
            is_cut: false,
            shown: None,
            tries: 0,
        };
        (memory.send_new_term(term, server, cx), fence)
    }

    /// Whether something is being cut off it. If that is not heard of it may happen later, in this term,
    /// and it would end a leader.
    pub(super) fn is_cutting(&self) -> bool {
        self.step == Step::Cutting
    }

    /// Whether this is the answer to that, and nothing was heard.
    pub(super) fn may_yet_be_cut(&self, result: &Result<Answer, CallError>) -> bool {
        let is_unheard = |error: &CallError| error.kind.is_unheard();
        self.is_cutting() && result.as_ref().is_err_and(is_unheard)
    }

    /// Whether something was cut off it. Whoever is a follower by that has to be fenced once more.
    pub(super) fn has_cut(&self) -> bool {
        self.is_cut
    }

    /// Up to where its database has what is committed, or -1; `None` where that is not known.
    pub(super) fn shown(&self) -> Option<i64> {
        self.shown
    }

    /// Takes in the answer that it waits for.
    pub(super) fn answered(
        &mut self,
        result: Result<Answer, CallError>,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        if cx.is_foreign(server) {
            self.is_cut |= matches!(result, Ok(Answer::Truncated(_)));
            return Outcome::Failed(foreign());
        }
        match (self.step, result) {
            (Step::Fencing, Ok(Answer::Fenced(head))) => self.fenced(head, server, memory, cx),
            (Step::Looking(head), Ok(Answer::Status(status))) => {
                self.looked_at(status, head, server, memory, cx)
            }
            (Step::Cutting, Ok(Answer::Truncated(_))) => {
                self.was = Was::Other;
                self.is_cut = true;
                // One that was open to lead was opened anew.
                if self.is_rested {
                    self.rest(cx)
                } else {
                    Outcome::Asks(self.again(server, memory, cx))
                }
            }
            (Step::Fencing, Err(error)) if error.kind == CallErrorKind::Other => {
                self.not_told(error, server, memory, cx)
            }
            (Step::Searching, Ok(Answer::Status(status))) => self.found(status, server, memory, cx),
            // It was opened anew: what its file has counts as synced.
            (Step::Looking(_) | Step::Searching, Err(error))
                if error.kind == CallErrorKind::NotMember =>
            {
                self.retry(error, server, memory, cx)
            }
            // Who led before may have opened a stream again.
            (Step::Cutting, Err(error)) if error.kind == CallErrorKind::Other => {
                self.retry(error, server, memory, cx)
            }
            (Step::Cutting, Err(error)) => Outcome::Failed(CallError {
                // It does not lead in this term, whatever it was when it was to be cut off.
                kind: if error.kind == CallErrorKind::InvalidStatus {
                    CallErrorKind::Other
                } else {
                    error.kind
                },
                ..error
            }),
            (_, Err(error)) => Outcome::Failed(error),
            (_, Ok(_)) => Outcome::Failed(other("it gave another answer".to_owned())),
        }
    }

    fn fenced(
        &mut self,
        head: EntryId,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        // Whoever asks refuses a head that can't be.
        if self.was == Was::New || !head.is_of_a_log_before(self.term.next()) {
            return Outcome::Fenced(head);
        }
        if self.was == Was::Leader {
            return self.cut(head, server, memory, cx);
        }
        self.step = Step::Looking(head);
        Outcome::Asks(memory.ask_status(server, cx))
    }

    /// It may have been cut off amid a sync, by whomever, or be in one.
    fn not_told(
        &mut self,
        error: CallError,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        if !self.is_rested {
            return self.rest(cx);
        }
        if !self.has_another_try() {
            return Outcome::Failed(error);
        }
        self.step = Step::Searching;
        Outcome::Asks(memory.ask_status(server, cx))
    }

    fn found(
        &mut self,
        status: ReplicaStatus,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        let is_fenced = status.role == ReplicaRole::Fenced && status.term == self.term;
        // One that is open to lead tells of nothing, whatever it has.
        if !is_fenced || status.head_offset < 0 {
            return Outcome::Failed(other("it can't tell where its log ends".to_owned()));
        }
        // A cut after its last entry goes by the offset alone, and takes nothing.
        let last = EntryId {
            term: Term::NEVER,
            offset: status.head_offset,
        };
        self.step = Step::Cutting;
        Outcome::Asks(memory.send_truncate((self.term, last), server, cx))
    }

    fn looked_at(
        &mut self,
        status: ReplicaStatus,
        head: EntryId,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        let error = |kind| {
            let message = format!("it is {:?} in term {}", status.role, status.term);
            Outcome::Failed(CallError { kind, message })
        };
        if status.term != self.term {
            return error(CallErrorKind::InvalidTerm);
        }
        // One that is open to lead shows nothing, whatever it has.
        if status.role == ReplicaRole::Fenced && status.head_offset >= 0 {
            self.shown = Some(status.commit_offset);
        }
        // After a snapshot there is more in the database than in the log.
        let is_fed = head == EntryId::NONE && status.head_offset <= status.commit_offset;
        // Of one that is open to lead nothing is seen, and it may have led since it was asked.
        let is_hidden = self.was != Was::Opened && status.head_offset < head.offset;
        match status.role {
            ReplicaRole::Fenced if is_hidden && !is_fed => self.cut(head, server, memory, cx),
            ReplicaRole::Fenced if status.head_offset > head.offset && !is_fed => {
                if self.is_rested {
                    self.cut(head, server, memory, cx)
                } else {
                    self.rest(cx)
                }
            }
            // It was cut off since, by a call that came late: it has less than it told.
            ReplicaRole::Follower if status.head_offset < head.offset => {
                let less = format!("it ends with offset {} by now", status.head_offset);
                self.retry(other(less), server, memory, cx)
            }
            ReplicaRole::Fenced | ReplicaRole::Follower => Outcome::Fenced(head),
            ReplicaRole::Leader => error(CallErrorKind::InvalidStatus),
            ReplicaRole::NotMember => error(CallErrorKind::NotMember),
        }
    }

    fn cut(
        &mut self,
        head: EntryId,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        if !self.has_another_try() {
            let more = format!("it keeps more than its log up to offset {}", head.offset);
            return Outcome::Failed(other(more));
        }
        self.step = Step::Cutting;
        Outcome::Asks(memory.send_truncate((self.term, head), server, cx))
    }

    fn has_another_try(&mut self) -> bool {
        let has_one = self.tries < TRIES;
        self.tries += u32::from(has_one);
        has_one
    }

    fn rest(&mut self, cx: &ShardContext<'_>) -> Outcome {
        self.step = Step::Fencing;
        Outcome::Rests(cx.context.now.after(cx.context.timing.sync))
    }

    /// A sync that was on its way has had its time.
    pub(super) fn rested(
        &mut self,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        if cx.is_foreign(server) {
            return Outcome::Failed(foreign());
        }
        self.is_rested = true;
        Outcome::Asks(self.again(server, memory, cx))
    }

    fn retry(
        &mut self,
        error: CallError,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Outcome {
        if !self.has_another_try() {
            return Outcome::Failed(error);
        }
        Outcome::Asks(self.again(server, memory, cx))
    }

    /// It is fenced once more: one that was cut off is not, and its head may be another.
    fn again(
        &mut self,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> RequestId {
        self.step = Step::Fencing;
        memory.send_new_term(self.term, server, cx)
    }
}

/// Its server is another cluster's by now: nothing more is asked of it.
fn foreign() -> CallError {
    other("it belongs to another cluster".to_owned())
}

fn other(message: String) -> CallError {
    CallError {
        kind: CallErrorKind::Other,
        message,
    }
}
