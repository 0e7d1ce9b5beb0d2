//! What a data server's thread is asked to do.

use std::sync::Arc;

use stepdown_core::call::Binding;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::replica::{DataServerModel, Message, Refusal, Reply, Request, Token};

pub(super) type Outcome = Result<Reply, Refusal>;
pub(super) type Handshake = Result<Binding, Refusal>;

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
    /// That stream has ended.
    PeerGone {
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
