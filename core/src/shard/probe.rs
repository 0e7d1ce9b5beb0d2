//! Whether a server has anything of a shard that it is no member of.
//!
//! Where it has nothing open it has to be asked for a vote in no term at all, and that makes it open an empty
//! replica: [`Opened`](super::opened::Opened) remembers that.

use super::context::ShardContext;
use super::memory::Memory;
use super::recall::was_fenced;
use crate::call::{Answer, CallError, CallErrorKind};
use crate::cluster::DataServerIdentity;
use crate::id::{RequestId, Term};

/// It is being asked.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    server: DataServerIdentity,
    step: Step,
}

#[derive(Clone, Debug)]
enum Step {
    /// It is being asked what it has.
    Asked(RequestId),
    /// It has nothing open, and is being asked whether it was ever fenced.
    Probed(RequestId),
}

/// What an answer of it means.
#[derive(Debug)]
pub(super) enum Probed {
    /// It is still being asked.
    On(Probe),
    /// It has an empty replica.
    Clean,
    HasData,
    /// It did not say so, but this.
    Silent(String),
}

impl Probe {
    pub(super) fn begin(
        server: DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Self {
        let step = Step::Asked(memory.ask_status(&server, cx));
        Self { server, step }
    }

    pub(super) fn request(&self) -> RequestId {
        match self.step {
            Step::Asked(request) | Step::Probed(request) => request,
        }
    }

    pub(super) fn answered(
        self,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Probed {
        let Self { server, step } = self;
        match (step, result) {
            (Step::Asked(_), Ok(Answer::Status(status))) => {
                memory.note(status.term, cx);
                found(status.has_forgotten(), &server, memory)
            }
            (Step::Asked(_), Err(error)) if error.kind == CallErrorKind::NotMember => {
                memory.opened.note(&server);
                let step = Step::Probed(memory.send_new_term(Term::NEVER, &server, cx));
                Probed::On(Self { server, step })
            }
            (Step::Asked(_), result) => silent(result, &server, memory, cx),
            (Step::Probed(_), result) => match was_fenced(&result) {
                Some(was_fenced) => found(!was_fenced, &server, memory),
                None => silent(result, &server, memory, cx),
            },
        }
    }
}

fn found(is_empty: bool, server: &DataServerIdentity, memory: &mut Memory) -> Probed {
    if is_empty {
        memory.opened.note(server);
        Probed::Clean
    } else {
        memory.opened.note_data(&server.id());
        Probed::HasData
    }
}

fn silent(
    result: Result<Answer, CallError>,
    server: &DataServerIdentity,
    memory: &mut Memory,
    cx: &mut ShardContext<'_>,
) -> Probed {
    memory.opened.put_off(&server.id(), cx.context);
    Probed::Silent(match result {
        Ok(_) => "it gave another answer".to_owned(),
        Err(error) => error.to_string(),
    })
}
