//! Oxia's errors: a gRPC status whose details name a reason. Receivers go by the reason, not by
//! the code.

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use crate::google_rpc;

/// The domain of every [`Reason`] on the wire.
const DOMAIN: &str = "oxia.io";
/// Metadata of [`Reason::NodeIsNotLeader`] from a data server: the shard in question.
pub const SHARD: &str = "shard";
/// Metadata of [`Reason::NodeIsNotLeader`] from a data server: the shard's leader.
pub const LEADER: &str = "leader";
/// Metadata of [`Reason::NodeIsNotLeader`] from a coordinator: the leader's public address.
pub const COORDINATOR_LEADER: &str = "coordinator-leader";

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $reason:literal, $code:ident, $message:literal;)*) => {
        /// Why a server said no.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }

            /// The gRPC code that goes with it.
            pub fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }

            /// The text that goes with it.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

reasons! {
    /// The operation was given up.
    Aborted = "ABORTED", Aborted, "oxia: operation was aborted";
    /// A client's session time-out is out of bounds.
    InvalidSessionTimeout = "INVALID_SESSION_TIMEOUT", InvalidArgument, "oxia: invalid session timeout";
    /// The replica is not in a state to do that.
    InvalidStatus = "INVALID_STATUS", FailedPrecondition, "oxia: invalid status";
    /// The replica is in another term.
    InvalidTerm = "INVALID_TERM", FailedPrecondition, "oxia: invalid term";
    /// There is no such namespace.
    NamespaceNotFound = "NAMESPACE_NOT_FOUND", NotFound, "oxia: namespace not found";
    /// The server does not lead.
    NodeIsNotLeader = "NODE_IS_NOT_LEADER", Aborted, "oxia: node is not leader";
    /// The server has no such shard.
    NodeIsNotMember = "NODE_IS_NOT_MEMBER", Aborted, "oxia: node is not a member";
    /// The namespace keeps no notifications.
    NotificationsNotEnabled = "NOTIFICATIONS_NOT_ENABLED", FailedPrecondition, "oxia: notifications not enabled on namespace";
    /// The server is not ready: a data server not bound yet, a coordinator that can't name a leader.
    NotInitialized = "NOT_INITIALIZED", Unavailable, "oxia: server not initialized yet";
    /// Something else is in the way.
    ResourceConflict = "RESOURCE_CONFLICT", FailedPrecondition, "oxia: resource conflict";
    /// Something needed is not there now.
    ResourceUnavailable = "RESOURCE_UNAVAILABLE", Unavailable, "oxia: resource unavailable";
    /// There is no such session.
    SessionNotFound = "SESSION_NOT_FOUND", NotFound, "oxia: session not found";
    /// There is no such shard.
    ShardNotFound = "SHARD_NOT_FOUND", NotFound, "oxia: shard not found";
}

/// The status that says `reason`, with metadata such as [`COORDINATOR_LEADER`].
pub fn to_status<'a>(
    reason: Reason,
    metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Status {
    let info = google_rpc::ErrorInfo {
        reason: reason.as_str().to_owned(),
        domain: DOMAIN.to_owned(),
        metadata: metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    };
    let details = google_rpc::Status {
        code: reason.code().into(),
        message: reason.message().to_owned(),
        details: vec![Any {
            type_url: ERROR_INFO.to_owned(),
            value: info.encode_to_vec(),
        }],
    };
    Status::with_details(
        reason.code(),
        reason.message(),
        details.encode_to_vec().into(),
    )
}

/// The reason that a status names, if it names one of Oxia's.
pub fn reason_of(status: &Status) -> Option<Reason> {
    let info = info_of(status)?;
    Reason::ALL
        .iter()
        .copied()
        .find(|reason| reason.as_str() == info.reason)
}

/// The first detail of Oxia's domain that a status carries, whatever its reason.
pub fn info_of(status: &Status) -> Option<google_rpc::ErrorInfo> {
    if status.details().is_empty() {
        return None;
    }
    let details = google_rpc::Status::decode(status.details()).ok()?;
    details
        .details
        .iter()
        .filter(|any| any.type_url.rsplit('/').next() == Some("google.rpc.ErrorInfo"))
        .filter_map(|any| google_rpc::ErrorInfo::decode(any.value.as_slice()).ok())
        .find(|info| info.domain == DOMAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire_form() {
        for reason in Reason::ALL {
            let status = to_status(*reason, [(SHARD, "7"), (LEADER, "a:1")]);
            assert_eq!(status.code(), reason.code());
            assert_eq!(status.message(), reason.message());
            assert_eq!(reason_of(&status), Some(*reason));
            let info = info_of(&status).unwrap();
            assert_eq!(info.metadata[LEADER], "a:1");
        }
    }

    #[test]
    fn a_status_names_no_reason_without_a_detail_of_the_domain() {
        assert_eq!(
            reason_of(&Status::aborted("oxia: node is not leader")),
            None
        );
        for (domain, reason) in [("example.org", "ABORTED"), (DOMAIN, "A_NEW_ONE")] {
            let info = google_rpc::ErrorInfo {
                reason: reason.into(),
                domain: domain.into(),
                metadata: [].into(),
            };
            let details = google_rpc::Status {
                code: 10,
                message: String::new(),
                details: vec![Any {
                    type_url: ERROR_INFO.into(),
                    value: info.encode_to_vec(),
                }],
            };
            let status = Status::with_details(Code::Aborted, "", details.encode_to_vec().into());
            assert_eq!(reason_of(&status), None);
        }
    }

    #[test]
    fn undecodable_details_name_no_reason() {
        let status = Status::with_details(Code::Unknown, "", vec![0xff; 9].into());
        assert_eq!(reason_of(&status), None);
    }
}
