//! What the model wants done.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::request::{Refusal, Reply, Token};

/// What the model wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Answer a request.
    Reply {
        /// The request.
        token: Token,
        /// The answer.
        result: Result<Reply, Refusal>,
    },
    /// Send a message to another data server.
    Send {
        /// Its internal address.
        to: Arc<str>,
        /// The message.
        message: Message,
    },
}
