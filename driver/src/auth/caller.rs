//! Who makes a call.

use std::sync::Arc;

use serde_json::{Map, Value};
use stepdown_wire::port::Peer;

use super::identity::Identity;

/// Who makes a call: every call that comes in on a gRPC port has one among its extensions, but for
/// questions about health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What the caller is called: of a token, what its issuer calls them; else the first name in the
    /// certificate. Nobody else has a name.
    pub subject: Option<String>,
    /// The groups that the token says they belong to.
    pub groups: Vec<String>,
    /// How that is known.
    pub how: How,
    /// The connection, with the names in the certificate that it has shown, if any.
    pub peer: Peer,
    /// What the token says, and who says it.
    token: Option<Said>,
}

/// How it is known who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is not.
    Anonymous,
    /// By the certificate that the connection was opened with.
    Certificate,
    /// By a token.
    Token,
}

#[derive(Clone, PartialEq, Eq)]
struct Said {
    issuer: Arc<str>,
    claims: Arc<Map<String, Value>>,
}

impl Caller {
    /// Who is known by their connection alone.
    pub fn of_peer(peer: Peer) -> Self {
        let subject = peer.names.first().cloned();
        let how = match subject {
            Some(_) => How::Certificate,
            None => How::Anonymous,
        };
        Self {
            subject,
            groups: Vec::new(),
            how,
            peer,
            token: None,
        }
    }

    /// Who has shown a token.
    pub fn of_token(identity: Identity, peer: Peer) -> Self {
        Self {
            subject: Some(identity.subject),
            groups: identity.groups,
            how: How::Token,
            peer,
            token: Some(Said {
                issuer: identity.issuer,
                claims: Arc::new(identity.claims),
            }),
        }
    }

    /// Who has issued the token.
    pub fn issuer(&self) -> Option<&str> {
        self.token.as_ref().map(|said| &*said.issuer)
    }

    /// Whether the token says this of the caller: as a text, or as one of a list of them.
    pub fn claims(&self, claim: &str, value: &str) -> bool {
        let said = self.token.as_ref().and_then(|it| it.claims.get(claim));
        said.is_some_and(|said| {
            said.as_str() == Some(value)
                || said
                    .as_array()
                    .is_some_and(|all| all.iter().any(|it| it.as_str() == Some(value)))
        })
    }
}

impl How {
    /// In one word, as audits have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Certificate => "certificate",
            Self::Token => "token",
        }
    }
}

/// Without what else the token says of whom it is about, which is not for logs.
impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Said")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
