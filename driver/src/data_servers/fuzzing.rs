//! What has to hold of a data server's words, whatever they are.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use stepdown_core::Term;
use stepdown_core::call::{
    Answer, Binding, CallError, CallErrorKind, Feature, ReplicaRole, ReplicaStatus,
};
use stepdown_wire::error::{Reason, info_of, reason_of, to_status};
use stepdown_wire::host::bare;
use stepdown_wire::replication as wire;
use tonic::{Code, Status};

use super::address::Address;
use super::failure::call_error;
use super::{convert, details};

/// The term of the calls that are answered.
const ASKED: Term = Term(7);

/// An answer to one of the calls, by its number: it is understood where it can be so, and else refused with
/// what is wrong.
pub fn response(kind: u8, bytes: &[u8]) {
    match kind % 5 {
        0 => {
            if let Ok(said) = wire::NewTermResponse::decode(bytes) {
                check_head(said.head_entry_id, convert::fenced(ASKED, said));
            }
        }
        1 => {
            if let Ok(said) = wire::TruncateResponse::decode(bytes) {
                check_head(cut_off(said.head_entry_id), convert::truncated(ASKED, said));
            }
        }
        2 => {
            if let Ok(said) = wire::GetStatusResponse::decode(bytes) {
                check_status(&said);
            }
        }
        3 => {
            if let Ok(said) = wire::HandshakeResponse::decode(bytes) {
                let binding = match said.status {
                    1 => Some(Binding::Bound),
                    2 => Some(Binding::AlreadyBound),
                    3 => Some(Binding::Mismatch),
                    _ => None,
                };
                let answer = refused(convert::handshaken(&said));
                check_handshake(answer, binding, &said.features_supported);
            }
        }
        _ => {
            if let Ok(said) = wire::GetInfoResponse::decode(bytes) {
                let answer = Some(convert::informed(&said));
                let binding = Some(Binding::AlreadyBound);
                check_handshake(answer, binding, &said.features_supported);
            }
        }
    }
}

/// The same of answers with numbers that may be, or may just not be, by choice.
pub fn made(choices: &[u8]) {
    const NUMBERS: [i64; 12] = [
        0,
        1,
        -1,
        -2,
        ASKED.0 - 1,
        ASKED.0,
        ASKED.0 + 1,
        (1 << 60) - 1,
        1 << 60,
        (1 << 60) + 1,
        i64::MAX,
        i64::MIN,
    ];
    for choices in choices.chunks(4) {
        let choice = |at: usize| usize::from(choices.get(at).copied().unwrap_or(0));
        let number = |at: usize| NUMBERS.into_iter().cycle().nth(choice(at)).unwrap_or(0);
        let head = wire::EntryId {
            term: number(1),
            offset: number(2),
        };
        let status = wire::GetStatusResponse {
            term: number(1),
            status: i32::try_from(choice(0) % 5).unwrap_or(0),
            head_offset: number(2),
            commit_offset: number(3),
            ..Default::default()
        };
        check_status(&status);
        let head = Some(head).filter(|_| choice(3) > 0);
        let fenced = wire::NewTermResponse {
            head_entry_id: head,
        };
        check_head(head, convert::fenced(ASKED, fenced));
        let truncated = wire::TruncateResponse {
            head_entry_id: head,
        };
        check_head(cut_off(head), convert::truncated(ASKED, truncated));
    }
}

/// The answer, if it was not refused, with words.
fn refused(answer: Result<Answer, CallError>) -> Option<Answer> {
    let error = match answer {
        Ok(answer) => return Some(answer),
        Err(error) => error,
    };
    let is_ours = matches!(error.kind, CallErrorKind::Other | CallErrorKind::Refused);
    assert!(is_ours, "{error:?}");
    assert!(!error.message.is_empty());
    None
}

/// What the end of a log that was cut off means: nothing is left of one that ends before the first entry of the
/// asked term.
fn cut_off(said: Option<wire::EntryId>) -> Option<wire::EntryId> {
    said.map(|it| match (it.term, it.offset) {
        (term, -1) if term == ASKED.0 => wire::EntryId { term: -1, ..it },
        _ => it,
    })
}

/// A log ends with nothing, or with an entry of a term up to the one that was asked for.
fn check_head(said: Option<wire::EntryId>, answer: Result<Answer, CallError>) {
    let head = said.filter(|it| match (it.term, it.offset) {
        (-1, -1) => true,
        (term, offset) => (0..=ASKED.0).contains(&term) && can_be(offset) && offset >= 0,
    });
    let understood = match refused(answer) {
        Some(Answer::Fenced(head) | Answer::Truncated(head)) => Some((head.term.0, head.offset)),
        other => {
            assert_eq!(other, None, "it is an answer to something else");
            None
        }
    };
    assert_eq!(understood, head.map(|it| (it.term, it.offset)));
}

fn check_status(said: &wire::GetStatusResponse) {
    let role = match said.status {
        0 => Some(ReplicaRole::NotMember),
        1 => Some(ReplicaRole::Fenced),
        2 => Some(ReplicaRole::Follower),
        3 => Some(ReplicaRole::Leader),
        _ => None,
    };
    let is_so = said.term >= -1 && can_be(said.head_offset) && can_be(said.commit_offset);
    let status = role.filter(|_| is_so).map(|role| ReplicaStatus {
        term: Term(said.term),
        role,
        head_offset: said.head_offset,
        commit_offset: said.commit_offset,
    });
    assert_eq!(refused(convert::status(said)), status.map(Answer::Status));
}

fn check_handshake(answer: Option<Answer>, binding: Option<Binding>, features: &[i32]) {
    let known = features.iter().filter(|number| **number != 0);
    let features = known.map(|number| Feature(*number)).collect();
    let expected = binding.map(|binding| Answer::Handshaken { binding, features });
    assert_eq!(answer, expected);
}

/// Whether a log may come so far.
fn can_be(offset: i64) -> bool {
    (-1..=1 << 60).contains(&offset)
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
    assert!(!error.message.is_empty() && error.message.chars().count() < 500);
    assert_eq!(error.kind, meant(&status), "{status:?}");
    check_reason(&status);
}

/// Failures with each reason, and with any code.
pub fn made_failures(choices: &[u8]) {
    const REASONS: [Reason; 8] = [
        Reason::Aborted,
        Reason::InvalidStatus,
        Reason::InvalidTerm,
        Reason::NodeIsNotLeader,
        Reason::NodeIsNotMember,
        Reason::NotInitialized,
        Reason::ResourceUnavailable,
        Reason::ShardNotFound,
    ];
    for choice in choices {
        for reason in REASONS {
            let named = to_status(reason, []);
            let details = named.details().to_vec().into();
            let code = Code::from(i32::from(*choice) % 18);
            for status in [Status::with_details(code, "so", details), named] {
                assert_eq!(call_error(&status).kind, meant(&status), "{status:?}");
            }
        }
        let bare = Status::new(Code::from(i32::from(*choice) % 18), "so");
        assert_eq!(call_error(&bare).kind, meant(&bare), "{bare:?}");
    }
}

/// What a failure means: what its reason says, or else its code.
fn meant(status: &Status) -> CallErrorKind {
    match info_of(status).as_ref().map(|it| &*it.reason) {
        Some("INVALID_STATUS") => return CallErrorKind::InvalidStatus,
        Some("INVALID_TERM") => return CallErrorKind::InvalidTerm,
        Some("NODE_IS_NOT_LEADER") => return CallErrorKind::NotLeader,
        Some("NODE_IS_NOT_MEMBER") => return CallErrorKind::NotMember,
        Some("NOT_INITIALIZED") => return CallErrorKind::NotInitialized,
        Some(_) if reason_of(status).is_some() => return CallErrorKind::Other,
        Some(_) | None => {}
    }
    match i32::from(status.code()) {
        1 | 4 => CallErrorKind::TimedOut,
        7 | 16 => CallErrorKind::Refused,
        12 => CallErrorKind::Unimplemented,
        14 => CallErrorKind::Unreachable,
        _ => CallErrorKind::Other,
    }
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
    if is_plain(text.strip_prefix("tls://").unwrap_or(text)) {
        assert!(Address::parse(text, false).is_ok(), "{text}");
    }
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

/// Whether it is what nobody could take for anything but a host and a port.
fn is_plain(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_number = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = host.as_bytes();
    is_edge(bytes.first())
        && is_edge(bytes.last())
        && host.bytes().all(is_part)
        && is_number
        && port.parse::<u16>().is_ok()
}
