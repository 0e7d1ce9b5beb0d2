//! The thread that owns the model and the disk. It takes what has come meanwhile as one batch,
//! syncs once, and only then tells anybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use stepdown_core::call::Binding;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::links::Links;
use super::store::{Store, StoreError};
use crate::replica::{DataServerModel, Message, Output, Refusal, Reply, Request, Token};

/// How often unanswered messages are sent again on a connection that stands.
const RESEND_AFTER: Duration = Duration::from_secs(1);
/// How many commands share one sync at most.
const BATCH: usize = 4096;

type Outcome = Result<Reply, Refusal>;
type Handshake = Result<Binding, Refusal>;

/// What the thread is asked to do.
pub(super) enum Command {
    /// Bind the server.
    Handshake {
        instance_id: String,
        answer: oneshot::Sender<Handshake>,
    },
    Request {
        token: Token,
        request: Request,
        answer: oneshot::Sender<Outcome>,
    },
    /// The caller of a request has gone.
    Cancel(Token),
    Inspect(Box<dyn FnOnce(&DataServerModel) + Send>),
    Message(Message),
    /// A leader has opened a stream; this is its way back.
    PeerAccepted {
        peer: Arc<str>,
        answers: UnboundedSender<Message>,
    },
    LinkUp {
        peer: Arc<str>,
        messages: UnboundedSender<Message>,
    },
    LinkDown {
        peer: Arc<str>,
    },
    Stop,
}

/// How everybody else speaks to the thread.
#[derive(Clone)]
pub(super) struct Engine {
    commands: mpsc::Sender<Command>,
    tokens: Arc<AtomicU64>,
    instance_id: watch::Receiver<Option<Arc<str>>>,
}

impl Engine {
    /// Starts the thread. `links` is given the engine, to report what comes in.
    pub(super) fn start(
        model: DataServerModel,
        store: Store,
        links: impl FnOnce(Engine) -> Links,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (commands, inbox) = mpsc::channel();
        let bound = watch::Sender::new(model.instance_id().cloned());
        let engine = Self {
            commands,
            tokens: Arc::default(),
            instance_id: bound.subscribe(),
        };
        let worker = Worker {
            model,
            store,
            links: links(engine.clone()),
            bound,
            peers: BTreeMap::new(),
            requests: BTreeMap::new(),
            handshakes: Vec::new(),
            resent: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("sandbox-engine".to_owned())
            .spawn(move || worker.run(&inbox))?;
        Ok((engine, thread))
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

struct Worker {
    model: DataServerModel,
    store: Store,
    links: Links,
    bound: watch::Sender<Option<Arc<str>>>,
    /// The ways back to leaders, by their internal addresses.
    peers: BTreeMap<Arc<str>, UnboundedSender<Message>>,
    requests: BTreeMap<Token, oneshot::Sender<Outcome>>,
    handshakes: Vec<(Handshake, oneshot::Sender<Handshake>)>,
    resent: Instant,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Run,
    Stop,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            let next = self.batch(inbox);
            if let Err(error) = self.tell() {
                tracing::error!(%error, "the data server's disk fails; it stops");
                return;
            }
            if next == Next::Stop {
                return;
            }
        }
    }

    fn batch(&mut self, inbox: &Receiver<Command>) -> Next {
        let first = if self.model.has_unanswered() {
            match inbox.recv_timeout(RESEND_AFTER) {
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Next::Stop,
                Ok(command) => Some(command),
            }
        } else {
            match inbox.recv() {
                Err(_) => return Next::Stop,
                Ok(command) => Some(command),
            }
        };
        for command in first.into_iter().chain(inbox.try_iter()).take(BATCH) {
            if self.handle(command) == Next::Stop {
                return Next::Stop;
            }
        }
        if self.resent.elapsed() >= RESEND_AFTER {
            self.resent = Instant::now();
            let links = &self.links;
            self.model.resend_to(|peer| links.is_up(peer));
        }
        Next::Run
    }

    fn handle(&mut self, command: Command) -> Next {
        match command {
            Command::Handshake {
                instance_id,
                answer,
            } => {
                let result = self.model.handshake(&instance_id);
                self.handshakes.push((result, answer));
            }
            Command::Request {
                token,
                request,
                answer,
            } => {
                self.requests.insert(token, answer);
                self.model.handle_request(token, request);
            }
            Command::Cancel(token) => {
                // One that has been answered meanwhile is of no concern to the model.
                if self.requests.remove(&token).is_some() {
                    self.model.cancel(token);
                }
            }
            Command::Inspect(look) => look(&self.model),
            Command::Message(message) => self.model.handle_message(message),
            Command::PeerAccepted { peer, answers } => {
                self.peers.insert(peer, answers);
            }
            Command::LinkUp { peer, messages } => {
                self.links.up(peer.clone(), messages);
                self.model.peer_connected(&peer);
            }
            Command::LinkDown { peer } => self.links.down(&peer),
            Command::Stop => return Next::Stop,
        }
        Next::Run
    }

    /// Makes everything durable, and then tells it.
    fn tell(&mut self) -> Result<(), StoreError> {
        let changes = self.model.unsynced();
        if !changes.is_empty() {
            self.store.write(&changes)?;
            self.store.tidy(|| self.model.durable())?;
        }
        self.model.sync();
        if !self.handshakes.is_empty() {
            self.bound.send_replace(self.model.instance_id().cloned());
        }
        for (result, answer) in self.handshakes.drain(..) {
            let _ = answer.send(result);
        }
        while let Some(output) = self.model.poll_output() {
            match output {
                Output::Reply { token, result } => {
                    if let Some(answer) = self.requests.remove(&token) {
                        let _ = answer.send(result);
                    }
                }
                Output::Send { to, message } if message.body.is_answer() => {
                    if let Some(peer) = self.peers.get(&to) {
                        let _ = peer.send(message);
                    }
                }
                Output::Send { to, message } => self.links.send(to, message),
            }
        }
        Ok(())
    }
}
