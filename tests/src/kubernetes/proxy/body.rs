//! Bodies of answers, which may fall silent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use kube::client::Body as Relayed;

use super::handle::Cut;
use super::requests::Asked;
use super::rules::Rules;

/// An answer's body on its way to the client.
#[derive(Debug)]
pub(super) enum AnswerBody {
    /// All of it is here.
    Whole(Full<Bytes>),
    /// The server's, as it comes.
    Relayed {
        body: Relayed,
        asked: Asked,
        rules: Arc<Rules>,
    },
    /// Nothing more comes.
    Silent,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::Relayed { body, asked, rules } => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                if rules.silences(*asked) {
                    *self = Self::Silent;
                    return Poll::Pending;
                }
                Poll::Ready(frame.map(|it| it.map_err(Cut::because)))
            }
            // Nothing wakes it; the connection ends when its client closes it.
            Self::Silent => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Relayed { .. } | Self::Silent => SizeHint::default(),
        }
    }
}
