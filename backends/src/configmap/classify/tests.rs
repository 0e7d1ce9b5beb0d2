use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::GetParams;
use kube::config::AuthInfo;
use kube::{Client, Config};

use super::super::Clients;
use super::super::fake::{FakeServer, Reply};
use super::super::object_name::ObjectName;
use super::super::request::{ask_within, read};
use super::*;

const ASKS: [Ask; 4] = [Ask::Read, Ask::Create, Ask::Write, Ask::Watch];
const LIMIT: Duration = Duration::from_secs(20);

async fn failure_at(client: &Client, limit: Duration) -> Failure {
    let place = ObjectName {
        namespace: "ns".to_owned(),
        name: "status".to_owned(),
    };
    let requests = place.requests::<ConfigMap>();
    let request = requests.get(&place.name, &GetParams::default());
    let answer = ask_within(limit, client, request).await;
    match answer.and_then(|body| read::<ConfigMap>(&body)) {
        Err(failure) => failure,
        Ok(object) => panic!("{object:?}"),
    }
}

async fn failure_of(reply: Reply) -> Failure {
    let server = FakeServer::new(move |_| reply.clone()).await;
    failure_at(&server.clients().store, LIMIT).await
}

fn classes(failure: &Failure) -> [FailureClass; 4] {
    ASKS.map(|ask| classify(ask, failure))
}

async fn classes_on(reply: Reply) -> [FailureClass; 4] {
    classes(&failure_of(reply).await)
}

fn later(seconds: u64) -> FailureClass {
    FailureClass::Unavailable {
        after: Duration::from_secs(seconds),
    }
}

const UNKNOWN_CLASSES: [FailureClass; 4] = [LATER, Ambiguous, Ambiguous, LATER];

/// The table once more, by hand: code, reason, and what it means for a read, a create, a write
/// and a watch.
#[rustfmt::skip]
const EXPECTED: &[(u16, &str, [FailureClass; 4])] = &[
    (400, "BadRequest",            [Invalid; 4]),
    (401, "Unauthorized",          [WITH_A_NEW_TOKEN; 4]),
    (403, "Forbidden",             [Forbidden; 4]),
    (404, "NotFound",              [Absent, LATER, Ambiguous, LATER]),
    (405, "MethodNotAllowed",      [Invalid; 4]),
    (406, "NotAcceptable",         [Invalid; 4]),
    (408, "RequestTimeout",        UNKNOWN_CLASSES),
    (409, "AlreadyExists",         UNKNOWN_CLASSES),
    (409, "Conflict",              UNKNOWN_CLASSES),
    (410, "Expired",               [LATER, Ambiguous, Ambiguous, Expired]),
    (410, "Gone",                  [LATER, Ambiguous, Ambiguous, Expired]),
    (413, "RequestEntityTooLarge", [LATER, TooLarge, TooLarge, LATER]),
    (415, "UnsupportedMediaType",  [Invalid; 4]),
    (422, "Invalid",               [Invalid; 4]),
    (429, "TooManyRequests",       [LATER; 4]),
    (500, "InternalError",         UNKNOWN_CLASSES),
    (500, "ServerTimeout",         UNKNOWN_CLASSES),
    (500, "StorageReadError",      UNKNOWN_CLASSES),
    (503, "ServiceUnavailable",    UNKNOWN_CLASSES),
    (504, "Timeout",               UNKNOWN_CLASSES),
];

#[tokio::test]
async fn every_row_of_the_table_is_understood_from_the_servers_bytes() {
    assert_eq!(EXPECTED.len(), TABLE.len());
    for (code, reason, expected) in EXPECTED {
        let with_status = Reply::status(*code, reason, "because");
        assert_eq!(classes_on(with_status).await, *expected, "{code} {reason}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_status_is_understood_by_its_code() {
    let but_not_found = EXPECTED.iter().filter(|(code, ..)| *code != NOT_FOUND);
    for (code, reason, expected) in but_not_found {
        for body in [
            "",
            "<html>no</html>",
            "{}",
            "\u{0}",
            r#"{"status":"Success"}"#,
        ] {
            let failure = failure_of(Reply::text(*code, body)).await;
            assert_eq!(classes(&failure), *expected, "{code} {reason} {body}");
            assert!(failure.to_string().contains(&code.to_string()));
        }
    }
}

#[tokio::test]
async fn a_known_reason_counts_for_more_than_the_code() {
    for (code, reason, expected) in EXPECTED {
        let other_code = if *code == 503 { 403 } else { 503 };
        let reply = Reply::status(other_code, reason, "because");
        assert_eq!(classes_on(reply).await, *expected, "{code} {reason}");
    }
}

#[tokio::test]
async fn an_unknown_reason_counts_for_nothing() {
    let reply = Reply::status(409, "StorageError", "invalid object");
    assert_eq!(classes_on(reply).await, UNKNOWN_CLASSES);
    let reply = Reply::status(403, "Teapot", "no");
    assert_eq!(classes_on(reply).await, [Forbidden; 4]);
}

#[tokio::test]
async fn codes_that_nobody_knows_leave_a_write_in_doubt() {
    for code in [402, 418, 451, 501, 502, 507, 599] {
        let classes = classes_on(Reply::text(code, "bad gateway")).await;
        assert_eq!(classes, UNKNOWN_CLASSES, "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_is_neither_yes_nor_no_leaves_a_write_in_doubt() {
    for code in [301, 302, 307] {
        let reply = Reply::Answer {
            code,
            headers: vec![("Location", "http://127.0.0.1:1/".to_owned())],
            body: Vec::new(),
        };
        assert_eq!(classes_on(reply).await, UNKNOWN_CLASSES, "{code}");
    }
}

#[tokio::test]
async fn a_yes_that_can_not_be_read_leaves_a_write_in_doubt() {
    for body in ["", "{", "[]", "<html>", "{\"metadata\": 5}"] {
        assert_eq!(classes_on(Reply::text(200, body)).await, UNKNOWN_CLASSES);
    }
    let not_text = Reply::Answer {
        code: 201,
        headers: Vec::new(),
        body: vec![0xff, 0xfe],
    };
    assert_eq!(classes_on(not_text).await, UNKNOWN_CLASSES);
}

#[tokio::test]
async fn a_yes_that_is_cut_short_leaves_a_write_in_doubt() {
    let classes = classes_on(Reply::Truncated { code: 200 }).await;
    assert_eq!(classes, UNKNOWN_CLASSES);
}

#[tokio::test]
async fn a_no_that_is_cut_short_or_not_text_is_still_a_no() {
    let cut = Reply::Truncated { code: 403 };
    assert_eq!(classes_on(cut).await, [Forbidden; 4]);
    let not_text = Reply::Answer {
        code: 429,
        headers: Vec::new(),
        body: vec![0xff, 0xfe],
    };
    assert_eq!(classes_on(not_text).await, [LATER; 4]);
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_a_write_in_doubt() {
    assert_eq!(classes_on(Reply::Reset).await, UNKNOWN_CLASSES);
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_a_write_in_doubt() {
    let server = FakeServer::new(|_| Reply::Silence).await;
    let limit = Duration::from_millis(200);
    let failure = failure_at(&server.clients().store, limit).await;
    assert_eq!(classes(&failure), UNKNOWN_CLASSES);
}

#[tokio::test]
async fn what_could_not_be_sent_was_not_applied() {
    let server = FakeServer::new(|_| Reply::Silence).await;
    let config = server.config();
    drop(server);
    let clients = Clients::new(config).unwrap();
    let mut failure = failure_at(&clients.store, LIMIT).await;
    // The port is given back some time after the server was told to end.
    while !matches!(failure, Failure::NotSent(_)) {
        failure = failure_at(&clients.store, LIMIT).await;
    }
    assert_eq!(classes(&failure), [LATER; 4]);
    assert!(failure.to_string().contains("refused"), "{failure}");
}

#[tokio::test]
async fn a_server_without_tls_was_not_sent_anything() {
    let server = FakeServer::new(|_| Reply::text(200, "{}")).await;
    let plain = server.config().cluster_url.to_string();
    let config = Config::new(plain.replace("http:", "https:").parse().unwrap());
    let failure = failure_at(&Clients::new(config).unwrap().store, LIMIT).await;
    assert!(matches!(failure, Failure::NotSent(_)), "{failure:?}");
    assert_eq!(classes(&failure), [LATER; 4]);
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let server = FakeServer::new(|_| Reply::text(200, "{}")).await;
    let mut config = server.config();
    // A header can't hold it.
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, "a\nb").unwrap();
    config.auth_info = AuthInfo {
        token_file: Some(token_file.display().to_string()),
        ..AuthInfo::default()
    };
    let failure = failure_at(&Clients::new(config).unwrap().store, LIMIT).await;
    assert!(matches!(failure, Failure::NotSent(_)), "{failure:?}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let with_header = |value: &str| Reply::Answer {
        code: 429,
        headers: vec![("Retry-After", value.to_owned())],
        body: b"Too many requests, please try again later.\n".to_vec(),
    };
    assert_eq!(classes_on(with_header("7")).await, [later(7); 4]);
    // Nobody is made to wait for an hour, and a date is no number of seconds.
    assert_eq!(classes_on(with_header("3600")).await, [later(30); 4]);
    let date = with_header("Wed, 21 Oct 2026 07:28:00 GMT");
    assert_eq!(classes_on(date).await, [LATER; 4]);
    let with_details = serde_json::json!({
        "kind": "Status", "status": "Failure", "reason": "TooManyRequests", "code": 429,
        "details": {"retryAfterSeconds": 4},
    });
    let classes = classes_on(Reply::json(429, &with_details)).await;
    assert_eq!(classes, [later(4); 4]);
}

#[tokio::test]
async fn too_large_is_told_from_invalid_by_its_cause_or_its_words() {
    let too_large = [Invalid, TooLarge, TooLarge, Invalid];
    let with_cause = serde_json::json!({
        "kind": "Status", "status": "Failure", "reason": "Invalid", "code": 422,
        "message": "ConfigMap \"a\" is invalid: []: Too long: may not be more than 1048576 bytes",
        "details": {"causes": [{
            "reason": "FieldValueTooLong", "message": "Too long: …", "field": "[]",
        }]},
    });
    assert_eq!(classes_on(Reply::json(422, &with_cause)).await, too_large);
    for words in ["may not be more than", "must have at most"] {
        let message = format!("[]: Too long: {words} 1048576 bytes");
        let reply = Reply::status(422, "Invalid", &message);
        assert_eq!(classes_on(reply).await, too_large, "{words}");
    }
}

#[tokio::test]
async fn too_large_for_etcd_is_too_large() {
    let reply = Reply::status(500, "", "etcdserver: request is too large");
    assert_eq!(classes_on(reply).await, [LATER, TooLarge, TooLarge, LATER]);
    let reply = Reply::status(500, "", "etcdserver: request timed out");
    assert_eq!(classes_on(reply).await, UNKNOWN_CLASSES);
}

#[tokio::test]
async fn a_conflict_of_field_managers_is_our_mistake() {
    let conflict = serde_json::json!({
        "kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
        "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".data.status"}]},
    });
    let classes = classes_on(Reply::json(409, &conflict)).await;
    assert_eq!(classes, [LATER, Invalid, Invalid, LATER]);
}

#[test]
fn the_last_words_of_a_watch_are_understood() {
    let status = kube::core::Status::failure("too old resource version: 1 (826)", "Expired");
    let failure = Failure::from(status.with_code(410));
    assert_eq!(classify(Ask::Watch, &failure), Expired);
    let failure = Failure::from(kube::Error::LinesCodecMaxLineLengthExceeded);
    assert_eq!(classify(Ask::Watch, &failure), LATER);
}

#[tokio::test]
async fn a_404_of_something_on_the_way_says_nothing_of_the_object() {
    let classes = classes_on(Reply::text(404, "404 page not found\n")).await;
    assert_eq!(classes[0], LATER);
}
