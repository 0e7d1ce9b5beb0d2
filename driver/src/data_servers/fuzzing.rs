//! What has to hold of a data server's words, whatever they are.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use stepdown_core::Term;
use stepdown_core::call::{Answer, CallErrorKind};
use stepdown_wire::error::reason_of;
use stepdown_wire::host::bare;
use stepdown_wire::replication as wire;
use tonic::Status;

use super::address::Address;
use super::failure::call_error;
use super::{convert, details};

/// The term of the calls that are answered.
const ASKED: Term = Term(7);

/// An answer to one of the calls, by its number: it is understood, or refused with what is wrong.
pub fn response(kind: u8, bytes: &[u8]) {
    let answer = match kind % 5 {
        0 => wire::NewTermResponse::decode(bytes).map(|it| convert::fenced(ASKED, it)),
        1 => wire::TruncateResponse::decode(bytes).map(|it| convert::truncated(ASKED, it)),
        2 => wire::GetStatusResponse::decode(bytes).map(|it| convert::status(&it)),
        3 => wire::HandshakeResponse::decode(bytes).map(|it| convert::handshaken(&it)),
        _ => wire::GetInfoResponse::decode(bytes).map(|it| Ok(convert::informed(&it))),
    };
    match answer {
        Ok(Ok(Answer::Handshaken { features, .. })) => {
            assert!(features.iter().all(|feature| feature.0 != 0));
        }
        Ok(Ok(Answer::Fenced(head) | Answer::Truncated(head))) => {
            assert!(head.term <= ASKED && head.offset >= -1, "{head:?}");
        }
        Ok(Err(error)) => {
            let is_ours = matches!(error.kind, CallErrorKind::Other | CallErrorKind::Refused);
            assert!(is_ours, "{error:?}");
            assert!(!error.message.is_empty());
        }
        Ok(Ok(_)) | Err(_) => {}
    }
}

/// What comes with a failure: lines of `header: value`, as the transport reads them.
pub fn failure(lines: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(at);
        let value = value.strip_prefix(b": ").unwrap_or(value);
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let headers = details::sound(headers);
    let Some(status) = Status::from_header_map(&headers) else {
        return;
    };
    let error = call_error(&status);
    assert!(!error.message.is_empty());
    check_reason(&status);
}

/// The reason alone counts, where there is one.
fn check_reason(status: &Status) {
    let bare = Status::new(status.code(), status.message());
    if reason_of(status).is_none() {
        assert_eq!(call_error(status), call_error(&bare));
    }
}

/// A data server's address, as a document has it: it can be dialled as it is written, or is refused.
pub fn address(text: &str) {
    for tls in [false, true] {
        let Ok(address) = Address::parse(text, tls) else {
            continue;
        };
        assert!(!address.host.is_empty(), "a host is named");
        assert!(address.tls || !tls);
        let host_and_port = address.authority.rsplit_once(':');
        let (host, port) = host_and_port.unwrap_or_default();
        assert!(port.parse::<u16>().is_ok(), "there is a port: {port}");
        assert_eq!(bare(host), &*address.host, "it is dialled as it is named");
    }
}
