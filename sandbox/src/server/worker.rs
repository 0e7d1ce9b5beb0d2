//! The thread that owns the model and the disk. It takes what has come meanwhile as one batch,
//! syncs once, and only then tells anybody.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use super::command::{Command, Handshake, Outcome};
use super::engine::Engine;
use super::links::Links;
use super::store::{Store, StoreError};
use crate::replica::{DataServerModel, Message, Output, PATIENCE, Token};

/// How often unanswered messages are sent again on a connection that stands.
const RESEND_AFTER: Duration = Duration::from_secs(1);
/// How many commands share one sync at most.
const BATCH: usize = 4096;

/// Starts the thread. `links` is given the engine, to report what comes in.
pub(super) fn start(
    model: DataServerModel,
    store: Store,
    links: impl FnOnce(Engine) -> Links,
) -> io::Result<(Engine, JoinHandle<()>)> {
    let (commands, inbox) = mpsc::channel();
    let bound = watch::Sender::new(model.instance_id().cloned());
    let engine = Engine::new(commands, bound.subscribe());
    let worker = Worker {
        model,
        store,
        links: links(engine.clone()),
        bound,
        peers: BTreeMap::new(),
        requests: BTreeMap::new(),
        abandoned: VecDeque::new(),
        handshakes: Vec::new(),
        resent: Instant::now(),
    };
    let thread = thread::Builder::new()
        .name("sandbox-engine".to_owned())
        .spawn(move || worker.run(&inbox))?;
    Ok((engine, thread))
}

struct Worker {
    model: DataServerModel,
    store: Store,
    links: Links,
    bound: watch::Sender<Option<Arc<str>>>,
    /// The ways back to leaders, by their internal addresses.
    peers: BTreeMap<Arc<str>, UnboundedSender<Message>>,
    requests: BTreeMap<Token, oneshot::Sender<Outcome>>,
    /// Requests whose callers have gone, and when the server gives them up.
    abandoned: VecDeque<(Instant, Token)>,
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
        let first = if self.model.has_unanswered() || !self.abandoned.is_empty() {
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
        let now = Instant::now();
        while let Some((_, token)) = self.abandoned.pop_front_if(|(until, _)| *until <= now) {
            self.model.expire(token);
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
                    self.abandoned.push_back((Instant::now() + PATIENCE, token));
                }
            }
            Command::Inspect(look) => look(&self.model),
            Command::Message(message) => self.model.handle_message(message),
            Command::PeerAccepted { peer, answers } => {
                // Only one connection is left of each peer.
                self.model.peer_disconnected(&peer);
                self.peers.insert(peer, answers);
            }
            Command::PeerGone { peer, answers } => {
                if self
                    .peers
                    .get(&peer)
                    .is_some_and(|known| known.same_channel(&answers))
                {
                    self.peers.remove(&peer);
                    self.model.peer_disconnected(&peer);
                }
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
