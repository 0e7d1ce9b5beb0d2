//! What is known of one voter, and how it is found out.
//!
//! One that is not open answers that it is not a member, whether it has lost its disk or its server
//! was only restarted. `NewTerm` in no term at all ([`Term::NEVER`]) tells these apart: whoever is in
//! a term refuses it for that, and stays as it is.

use crate::call::{Answer, CallError, CallErrorKind, ReplicaStatus};
use crate::cluster::DataServerIdentity;
use crate::id::{RequestId, Term};
use crate::shard::context::ShardContext;
use crate::shard::fence::Was;
use crate::shard::memory::Memory;

/// What is known of one voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It is being asked for its status.
    Asked(RequestId),
    /// It is not open, and was not asked more: that would open it.
    Closed,
    /// It is not open, and being asked whether it was ever fenced.
    Probed(RequestId),
    /// It was fenced once, and is open: it is being asked for its status again.
    Opened(RequestId),
    /// It remembers, and was that.
    Remembers(ReplicaStatus, Was),
    /// It has lost its disk.
    Forgot,
    /// It was not asked, or did not answer, for this reason.
    Silent(String),
}

impl Knowledge {
    /// Asks for the status, but servers of another cluster and those that are away.
    pub(super) fn ask(
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        if cx.is_foreign(server) {
            return Self::Silent("it belongs to another cluster".to_owned());
        }
        if cx.is_away(server) {
            return Self::Silent("it is unavailable".to_owned());
        }
        Self::Asked(memory.ask_status(&cx.addressed(server), cx))
    }

    /// What is known once this is answered.
    pub(super) fn answered(
        &self,
        result: Result<Answer, CallError>,
        server: &DataServerIdentity,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        match self {
            Self::Probed(_) => probed(result, server, memory, cx),
            Self::Asked(_) => match result {
                Err(error) if error.kind == CallErrorKind::NotMember => Self::Closed,
                result => status(result, memory, cx),
            },
            Self::Opened(_) => {
                let knowledge = status(result, memory, cx);
                if let Self::Remembers(status, Was::Other) = knowledge {
                    Self::Remembers(status, Was::Opened)
                } else {
                    knowledge
                }
            }
            Self::Closed | Self::Remembers(..) | Self::Forgot | Self::Silent(_) => {
                status(result, memory, cx)
            }
        }
    }

    /// Asks one that is not open whether it was ever fenced.
    pub(super) fn probe(
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let server = cx.addressed(server);
        Self::Probed(memory.send_new_term(Term::NEVER, &server, cx))
    }

    pub(super) fn request(&self) -> Option<RequestId> {
        match self {
            Self::Asked(request) | Self::Probed(request) | Self::Opened(request) => Some(*request),
            Self::Closed | Self::Remembers(..) | Self::Forgot | Self::Silent(_) => None,
        }
    }
}

fn status(
    result: Result<Answer, CallError>,
    memory: &mut Memory,
    cx: &ShardContext<'_>,
) -> Knowledge {
    match result {
        Ok(Answer::Status(status)) if status.has_forgotten() => Knowledge::Forgot,
        Ok(Answer::Status(status)) => {
            if !memory.note(status.term, cx) {
                // It would refuse every term that can be sent: nothing is stored in vain.
                return Knowledge::Silent(format!(
                    "it is in term {}, which is broken",
                    status.term
                ));
            }
            Knowledge::Remembers(status, Was::of(&status))
        }
        Ok(_) => Knowledge::Silent("it gave another answer".to_owned()),
        Err(error) => Knowledge::Silent(error.to_string()),
    }
}

fn probed(
    result: Result<Answer, CallError>,
    server: &DataServerIdentity,
    memory: &Memory,
    cx: &mut ShardContext<'_>,
) -> Knowledge {
    match was_fenced(&result) {
        Some(true) => Knowledge::Opened(memory.ask_status(&cx.addressed(server), cx)),
        Some(false) => Knowledge::Forgot,
        None => Knowledge::Silent(match result {
            Ok(_) => "it gave another answer".to_owned(),
            Err(error) => error.to_string(),
        }),
    }
}

/// Whether a replica was ever fenced, by what it says to `NewTerm` in no term at all; `None` where it
/// does not say so.
pub(in crate::shard) fn was_fenced(result: &Result<Answer, CallError>) -> Option<bool> {
    match result {
        // Fenced in no term, or open without ever having been fenced.
        Ok(Answer::Fenced(_)) => Some(false),
        Err(error) if error.kind == CallErrorKind::InvalidStatus => Some(false),
        Err(error) if error.kind == CallErrorKind::InvalidTerm => Some(true),
        Ok(_) | Err(_) => None,
    }
}
