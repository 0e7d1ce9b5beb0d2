//! How everybody else speaks to a data server's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use tokio::sync::{oneshot, watch};

use super::command::{Command, Handshake, Outcome};
use crate::replica::{DataServerModel, Refusal, Request, Token};

/// How everybody else speaks to the thread.
#[derive(Clone)]
pub(super) struct Engine {
    commands: mpsc::Sender<Command>,
    tokens: Arc<AtomicU64>,
    instance_id: watch::Receiver<Option<Arc<str>>>,
}

impl Engine {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        instance_id: watch::Receiver<Option<Arc<str>>>,
    ) -> Self {
        Self {
            commands,
            tokens: Arc::default(),
            instance_id,
        }
    }

    /// The cluster that the server is bound to.
    pub(super) fn instance_id(&self) -> Option<Arc<str>> {
        self.instance_id.borrow().clone()
    }

    pub(super) fn tell(&self, command: Command) {
        // Once the thread has ended, nobody hears, and nobody is answered.
        let _ = self.commands.send(command);
    }

    pub(super) async fn handshake(&self, instance_id: String) -> Handshake {
        let (answer, outcome) = oneshot::channel();
        self.tell(Command::Handshake {
            instance_id,
            answer,
        });
        outcome.await.unwrap_or(Err(Refusal::ResourceUnavailable))
    }

    /// Asks the model. Dropping the future cancels the request.
    pub(super) async fn ask(&self, request: Request) -> Outcome {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        let (answer, outcome) = oneshot::channel();
        self.tell(Command::Request {
            token,
            request,
            answer,
        });
        let mut caller = Caller {
            engine: self,
            token: Some(token),
        };
        let outcome = outcome.await;
        caller.token = None;
        outcome.unwrap_or(Err(Refusal::ResourceUnavailable))
    }

    pub(super) async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&DataServerModel) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, seen) = oneshot::channel();
        self.tell(Command::Inspect(Box::new(move |model| {
            let _ = answer.send(look(model));
        })));
        seen.await.map_err(|_| Refusal::ResourceUnavailable)
    }
}

/// A caller who has not been answered.
struct Caller<'a> {
    engine: &'a Engine,
    token: Option<Token>,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            self.engine.tell(Command::Cancel(token));
        }
    }
}
