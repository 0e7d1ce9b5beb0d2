use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::fake::{FakeServer, Received, Reply};
use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Answers to requests of each kind; the last one of a kind is given again and again.
#[derive(Clone, Default)]
struct Script {
    list: Vec<Reply>,
    watch: Vec<Reply>,
    get: Vec<Reply>,
}

/// A follower of a server with a script.
struct Following {
    server: FakeServer,
    seen: mpsc::UnboundedReceiver<Option<String>>,
    alive: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Following {
    async fn new(looks: Looks, script: Script) -> Self {
        Self::with_pace(looks, script, pace()).await
    }

    async fn with_pace(looks: Looks, script: Script, pace: Pace) -> Self {
        Self::with(looks, script, pace, true).await
    }

    async fn with(looks: Looks, script: Script, pace: Pace, polls: bool) -> Self {
        let script = Mutex::new(script);
        let server = FakeServer::new(move |request| {
            let mut script = script.lock().unwrap();
            let replies = match kind(request) {
                "list" => &mut script.list,
                "watch" => &mut script.watch,
                _ => &mut script.get,
            };
            if replies.len() > 1 {
                return replies.remove(0);
            }
            replies.first().cloned().unwrap_or(Reply::Silence)
        })
        .await;
        let follower = Follower {
            pace,
            polls,
            ..follower(&server, looks)
        };
        let alive = follower.alive.subscribe();
        let (sender, seen) = mpsc::unbounded_channel();
        let task = tokio::spawn(follower.run(move |seen: Seen<ConfigMap>| {
            let text = match seen {
                Seen::Absent => None,
                Seen::Present(object) => object.data.unwrap().remove("text"),
            };
            let _ = sender.send(text);
        }));
        Self {
            server,
            seen,
            alive,
            task,
        }
    }

    async fn sees(&mut self, expected: &[Option<&str>]) {
        for expected in expected {
            let seen = timeout(LIMIT, self.seen.recv()).await.unwrap().unwrap();
            assert_eq!(seen.as_deref(), *expected);
        }
    }

    async fn is_alive(&mut self, expected: bool) {
        let alive = self.alive.wait_for(|alive| *alive == expected);
        timeout(LIMIT, alive).await.unwrap().unwrap();
    }

    fn requests(&self) -> Vec<&'static str> {
        self.server.received().iter().map(kind).collect()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn follower(server: &FakeServer, looks: Looks) -> Follower {
    Follower {
        client: server.clients().watch,
        place: ObjectName {
            namespace: "ns".to_owned(),
            name: "config".to_owned(),
        },
        looks,
        pace: pace(),
        polls: true,
        alive: watch::Sender::new(false),
    }
}

fn kind(request: &Received) -> &'static str {
    if request.target.contains("watch=true") {
        "watch"
    } else if request.target.contains("fieldSelector") {
        "list"
    } else {
        "get"
    }
}

fn pace() -> Pace {
    Pace {
        watch_seconds: 290,
        least_watch: Duration::ZERO,
        silence: LIMIT,
        poll: Duration::from_millis(2),
        ask_again: LIMIT,
        retry: (Duration::from_millis(1), Duration::from_millis(4)),
    }
}

fn object(version: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config", "uid": "u", "resourceVersion": version},
        "data": {"text": text},
    })
}

fn listed(version: &str, items: Value) -> Reply {
    Reply::json(
        200,
        &json!({
            "apiVersion": "v1",
            "kind": "ConfigMapList",
            "metadata": {"resourceVersion": version},
            "items": items,
        }),
    )
}

fn got(version: &str, text: &str) -> Reply {
    Reply::json(200, &object(version, text))
}

fn event(kind: &str, object: &Value) -> String {
    json!({"type": kind, "object": object}).to_string()
}

fn bookmark(version: &str) -> String {
    let metadata = json!({"resourceVersion": version});
    event(
        "BOOKMARK",
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
    )
}

fn expired() -> String {
    event(
        "ERROR",
        &json!({
            "kind": "Status", "status": "Failure", "reason": "Expired", "code": 410,
            "message": "too old resource version: 1 (826)",
        }),
    )
}

fn forbidden() -> Reply {
    Reply::status(403, "Forbidden", "not allowed")
}

#[tokio::test]
async fn an_object_is_listed_and_then_watched_from_there() {
    let script = Script {
        list: vec![listed("9", json!([object("5", "one")]))],
        watch: vec![Reply::Open(vec![
            bookmark("10"),
            event("MODIFIED", &object("11", "two")),
            event("DELETED", &object("12", "two")),
            event("ADDED", &object("13", "three")),
        ])],
        ..Script::default()
    };
    let mut following = Following::new(Looks::List, script).await;
    let expected = [Some("one"), Some("two"), None, Some("three")];
    following.sees(&expected).await;
    following.is_alive(true).await;
    assert_eq!(following.requests(), ["list", "watch"]);
    let received = following.server.received();
    for request in &received {
        let path = "/api/v1/namespaces/ns/configmaps?";
        assert!(request.target.starts_with(path), "{}", request.target);
        assert!(
            request
                .target
                .contains("fieldSelector=metadata.name%3Dconfig")
        );
    }
    let watch = &received[1].target;
    for parameter in [
        "resourceVersion=9",
        "allowWatchBookmarks=true",
        "timeoutSeconds=290",
    ] {
        assert!(watch.contains(parameter), "{watch}");
    }
}

#[tokio::test]
async fn an_absent_object_is_seen_as_soon_as_it_is_made() {
    let script = Script {
        list: vec![listed("9", Value::Null)],
        watch: vec![Reply::Open(vec![event("ADDED", &object("10", "one"))])],
        ..Script::default()
    };
    let mut following = Following::new(Looks::List, script).await;
    following.sees(&[None, Some("one")]).await;
}

#[tokio::test]
async fn a_watch_that_ends_is_begun_again_after_another_look() {
    let script = Script {
        list: vec![
            listed("9", json!([object("5", "one")])),
            listed("20", json!([object("15", "two")])),
        ],
        watch: vec![
            Reply::Events(vec![bookmark("12")]),
            Reply::Open(vec![event("MODIFIED", &object("21", "three"))]),
        ],
        ..Script::default()
    };
    let mut following = Following::new(Looks::List, script).await;
    following
        .sees(&[Some("one"), Some("two"), Some("three")])
        .await;
    assert_eq!(following.requests(), ["list", "watch", "list", "watch"]);
}

#[tokio::test]
async fn however_a_watch_fails_it_is_begun_again() {
    for failure in [
        Reply::Events(vec![expired()]),
        Reply::Events(vec!["{\"type\":".to_owned()]),
        Reply::Events(vec!["nonsense".to_owned()]),
        Reply::Reset,
        Reply::Truncated { code: 200 },
        Reply::status(410, "Expired", "too old"),
        Reply::status(401, "Unauthorized", "who?"),
        Reply::status(429, "TooManyRequests", "later"),
        Reply::text(500, "oh"),
        Reply::text(404, "page not found"),
    ] {
        let script = Script {
            list: vec![listed("9", json!([object("5", "one")]))],
            watch: vec![
                failure.clone(),
                failure.clone(),
                Reply::Open(vec![event("MODIFIED", &object("10", "two"))]),
            ],
            ..Script::default()
        };
        let mut following = Following::new(Looks::List, script).await;
        let expected = [Some("one"), Some("one"), Some("one"), Some("two")];
        following.sees(&expected).await;
        following.is_alive(true).await;
    }
}

#[tokio::test]
async fn a_silent_watch_is_given_up() {
    let script = Script {
        list: vec![
            listed("9", json!([object("5", "one")])),
            listed("12", json!([object("11", "two")])),
        ],
        watch: vec![Reply::Open(vec![])],
        ..Script::default()
    };
    let pace = Pace {
        silence: Duration::from_millis(50),
        ..pace()
    };
    let mut following = Following::with_pace(Looks::List, script, pace).await;
    following.sees(&[Some("one"), Some("two")]).await;
    following.is_alive(false).await;
}

#[tokio::test]
async fn where_watching_is_forbidden_the_object_is_polled() {
    let script = Script {
        list: vec![
            listed("9", json!([object("5", "one")])),
            listed("10", json!([object("6", "two")])),
            listed("11", Value::Null),
        ],
        watch: vec![forbidden()],
        ..Script::default()
    };
    let mut following = Following::new(Looks::List, script).await;
    following
        .sees(&[Some("one"), Some("two"), None, None])
        .await;
    following.is_alive(false).await;
    let watches = following.requests();
    assert_eq!(watches.iter().filter(|kind| **kind == "watch").count(), 1);
}

#[tokio::test]
async fn whoever_looks_by_itself_is_spared_the_polling_where_watching_is_forbidden() {
    let script = Script {
        get: vec![got("5", "one")],
        watch: vec![forbidden()],
        ..Script::default()
    };
    let pace = Pace {
        ask_again: Duration::from_millis(20),
        ..pace()
    };
    let mut following = Following::with(Looks::Get, script, pace, false).await;
    following
        .sees(&[Some("one"), Some("one"), Some("one")])
        .await;
    let requests = following.requests();
    assert!(
        requests.starts_with(&["get", "watch", "get", "watch", "get"]),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_watch_that_was_forbidden_is_asked_for_again_some_day() {
    let script = Script {
        list: vec![listed("9", json!([object("5", "one")]))],
        watch: vec![
            forbidden(),
            Reply::Open(vec![event("MODIFIED", &object("10", "two"))]),
        ],
        ..Script::default()
    };
    let pace = Pace {
        ask_again: Duration::from_millis(20),
        ..pace()
    };
    let mut following = Following::with_pace(Looks::List, script, pace).await;
    following.is_alive(true).await;
}

#[tokio::test]
async fn where_listing_is_forbidden_the_object_is_got_and_watched_from_its_own_version() {
    let script = Script {
        list: vec![forbidden()],
        get: vec![got("5", "one")],
        watch: vec![Reply::Open(vec![event("MODIFIED", &object("6", "two"))])],
    };
    let mut following = Following::new(Looks::List, script).await;
    following.sees(&[Some("one"), Some("two")]).await;
    assert_eq!(following.requests(), ["list", "get", "watch"]);
    let target = &following.server.received()[2].target;
    assert!(target.contains("resourceVersion=5"), "{target}");
}

#[tokio::test]
async fn an_object_whose_own_version_is_too_old_to_watch_from_is_watched_from_now_on() {
    let script = Script {
        get: vec![got("5", "one")],
        watch: vec![
            Reply::Events(vec![expired()]),
            Reply::Open(vec![
                event("ADDED", &object("5", "one")),
                event("MODIFIED", &object("10", "two")),
            ]),
        ],
        ..Script::default()
    };
    let mut following = Following::new(Looks::Get, script).await;
    following
        .sees(&[Some("one"), Some("one"), Some("one"), Some("two")])
        .await;
    assert_eq!(following.requests(), ["get", "watch", "get", "watch"]);
    let target = &following.server.received()[3].target;
    assert!(target.ends_with("resourceVersion="), "{target}");
}

#[tokio::test]
async fn an_absent_object_that_may_not_be_listed_is_watched_from_now_on() {
    let script = Script {
        get: vec![Reply::status(404, "NotFound", "not found")],
        watch: vec![Reply::Open(vec![event("ADDED", &object("5", "one"))])],
        ..Script::default()
    };
    let mut following = Following::new(Looks::Get, script).await;
    following.sees(&[None, Some("one")]).await;
    following.is_alive(true).await;
    assert_eq!(following.requests(), ["get", "watch"]);
}

#[tokio::test]
async fn a_failed_look_says_nothing_about_the_object() {
    let script = Script {
        list: vec![
            Reply::status(503, "ServiceUnavailable", "not yet"),
            Reply::Reset,
            Reply::text(200, "{}"),
            Reply::text(404, "not an API server"),
            listed("9", json!([object("5", "one")])),
        ],
        watch: vec![Reply::Open(vec![])],
        ..Script::default()
    };
    let mut following = Following::new(Looks::List, script).await;
    following.sees(&[Some("one")]).await;
    following.is_alive(true).await;
}

#[tokio::test]
async fn a_lease_is_followed_like_any_object() {
    let lease = |version: &str, holder: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "config", "resourceVersion": version},
            "spec": {"holderIdentity": holder},
        })
    };
    let server = FakeServer::new(move |request| match kind(request) {
        "get" => Reply::json(200, &lease("5", "a")),
        _ => Reply::Open(vec![event("MODIFIED", &lease("6", "b"))]),
    })
    .await;
    let (sender, mut seen) = mpsc::unbounded_channel();
    let task = tokio::spawn(follower(&server, Looks::Get).run(move |seen: Seen<Lease>| {
        if let Seen::Present(lease) = seen {
            let _ = sender.send(lease.spec.unwrap().holder_identity);
        }
    }));
    for holder in ["a", "b"] {
        let seen = timeout(LIMIT, seen.recv()).await.unwrap().unwrap();
        assert_eq!(seen.as_deref(), Some(holder));
    }
    let path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
    let received = server.received();
    assert!(
        received
            .iter()
            .all(|request| request.target.starts_with(path))
    );
    task.abort();
}

#[tokio::test]
async fn metadata_alone_is_asked_for_where_that_is_enough() {
    let server = FakeServer::new(|request| match kind(request) {
        "list" => Reply::json(
            200,
            &json!({
                "apiVersion": "meta.k8s.io/v1",
                "kind": "PartialObjectMetadataList",
                "metadata": {"resourceVersion": "9"},
                "items": [{
                    "apiVersion": "meta.k8s.io/v1",
                    "kind": "PartialObjectMetadata",
                    "metadata": {"name": "config", "resourceVersion": "5"},
                }],
            }),
        ),
        _ => Reply::Open(vec![event("MODIFIED", &object("6", "two"))]),
    })
    .await;
    let follower = Follower {
        client: server.clients().watch,
        place: ObjectName {
            namespace: "ns".to_owned(),
            name: "config".to_owned(),
        },
        looks: Looks::List,
        pace: pace(),
        polls: true,
        alive: watch::Sender::new(false),
    };
    let (sender, mut seen) = mpsc::unbounded_channel();
    let task = tokio::spawn(
        follower.run(move |seen: Seen<PartialObjectMeta<ConfigMap>>| {
            if let Seen::Present(object) = seen {
                let _ = sender.send(object.metadata.resource_version);
            }
        }),
    );
    for version in ["5", "6"] {
        let seen = timeout(LIMIT, seen.recv()).await.unwrap().unwrap();
        assert_eq!(seen.as_deref(), Some(version));
    }
    assert!(server.received().iter().all(Received::is_partial));
    task.abort();
}

/// Only that it takes as long as it has to: how long it takes beyond that is nobody's business.
#[tokio::test]
async fn of_a_flood_of_events_no_more_is_taken_in_a_second_than_an_object_can_change() {
    let number = |number: u32| number.to_string();
    let events = (0..=TAKEN).map(|it| event("MODIFIED", &object(&number(it + 10), &number(it))));
    let script = Script {
        list: vec![listed("9", json!([]))],
        watch: vec![Reply::Open(events.collect())],
        ..Script::default()
    };
    let begun = Instant::now();
    let mut following = Following::new(Looks::List, script).await;
    following.sees(&[None]).await;
    for expected in 0..=TAKEN {
        following.sees(&[Some(number(expected).as_str())]).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(following.requests(), ["list", "watch"]);
}
