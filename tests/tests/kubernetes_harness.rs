//! The API server and the proxy that the Kubernetes tests stand on.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "kube's errors are not ours to place"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Client, Error};
use stepdown_tests::kubernetes::proxy::{Answer, Fault, FaultProxy, Kind, Requests, Verb};
use stepdown_tests::kubernetes::{ApiServer, Grants, Stop};
use tokio::time::timeout;

const STATUS: &str = "oxia-cluster-status";
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_account_may_do_what_it_is_granted_and_no_more() {
    let Some(server) = ApiServer::shared().await else {
        return;
    };
    for (name, grants, may_watch) in [
        ("chart", Grants::Chart, false),
        ("ours", Grants::Ours, true),
    ] {
        let namespace = server.namespace(name, grants).await;
        let client = namespace.client(server.url()).await;
        let leases = Api::<Lease>::default_namespaced(client.clone());
        let created = leases.create(&now(), &lease()).await.unwrap();
        leases.replace(STATUS, &now(), &created).await.unwrap();
        leases.get(STATUS).await.unwrap();
        let deleted = leases.delete(STATUS, &Default::default()).await;
        assert_eq!(code(deleted.unwrap_err()), 403);
        let watched = leases.watch(&WatchParams::default(), "0").await;
        assert_eq!(watched.is_ok(), may_watch, "{name}");
        if let Err(error) = watched {
            assert_eq!(code(error), 403);
        }

        let maps = Api::<ConfigMap>::default_namespaced(client);
        maps.create(&now(), &map("one")).await.unwrap();
        apply(&maps, "two", None).await.unwrap();
        maps.get(STATUS).await.unwrap();
        let watched = maps.watch(&WatchParams::default(), "0").await;
        assert!(watched.is_ok());
        let elsewhere =
            Api::<ConfigMap>::namespaced(namespace.client(server.url()).await, "default");
        assert_eq!(code(elsewhere.get(STATUS).await.unwrap_err()), 403);
    }
}

#[tokio::test]
async fn a_server_that_was_stopped_is_back_at_its_port_with_its_data() {
    let Some(mut server) = ApiServer::start().await else {
        return;
    };
    let namespace = server.namespace("kept", Grants::Ours).await;
    let maps = maps(namespace.client(server.url()).await);
    let mut version = maps.create(&now(), &map("one")).await.unwrap();
    for how in [Stop::Kill, Stop::Terminate] {
        server.stop_api(how).await;
        maps.get(STATUS).await.unwrap_err();
        server.start_api().await;
        assert_eq!(maps.get(STATUS).await.unwrap(), version);
        version = apply(&maps, "two", None).await.unwrap();
    }
    server.pause_api();
    let asked = tokio::spawn(async move { maps.get(STATUS).await });
    server.resume_api();
    assert_eq!(within(asked).await.unwrap().unwrap(), version);
}

#[tokio::test]
async fn a_held_write_that_is_delivered_after_another_meets_a_conflict() {
    let Some(server) = ApiServer::shared().await else {
        return;
    };
    let namespace = server.namespace("late", Grants::Ours).await;
    let direct = maps(namespace.client(server.url()).await);
    let proxy = FaultProxy::start(&server).await;
    let through = maps(namespace.client(proxy.url()).await);
    let first = direct.create(&now(), &map("one")).await.unwrap();
    let version = first.metadata.resource_version.as_deref();

    let patches = || Requests::of(Kind::Status).verbs(&[Verb::Patch]);
    let held = proxy.strike_next(1, patches(), Fault::Hold);
    let late = tokio::spawn(async move { apply(&through, "late", Some("1")).await });
    held.hit().await;
    late.abort();
    apply(&direct, "two", version).await.unwrap();
    let delivered = held.deliver().await;
    assert_eq!(delivered.code, 409, "{delivered:?}");
    assert_eq!(text(&direct.get(STATUS).await.unwrap()), "two");

    let through = maps(namespace.client(proxy.url()).await);
    let held = proxy.strike_next(1, patches(), Fault::Hold);
    let late = tokio::spawn(async move { apply(&through, "late", None).await });
    held.hit().await;
    late.abort();
    assert_eq!(held.deliver().await.code, 200);
    assert_eq!(text(&direct.get(STATUS).await.unwrap()), "late");
    assert_eq!(proxy.counts().of(Kind::Status, Verb::Patch), 2);
}

#[tokio::test]
async fn each_fault_does_to_a_write_what_it_says() {
    let Some(server) = ApiServer::shared().await else {
        return;
    };
    let namespace = server.namespace("faults", Grants::Ours).await;
    let direct = maps(namespace.client(server.url()).await);
    let proxy = FaultProxy::start(&server).await;
    let through = maps(namespace.client(proxy.url()).await);
    direct.create(&now(), &map("")).await.unwrap();
    let busy = || Answer::status(429, "TooManyRequests", "busy").retry_after(3);
    let short = Duration::from_millis(10);
    for (number, (fault, is_applied, says)) in [
        (Fault::Delay(short), true, Ok(())),
        (Fault::DelayAnswer(short), true, Ok(())),
        (Fault::Drop, false, Err("hyper")),
        (Fault::CutAfterSending, true, Err("hyper")),
        (Fault::Answer(busy()), false, Err("429")),
        (Fault::AnswerAfterSending(busy()), true, Err("429")),
        (Fault::Answer(Answer::raw(502, "<html>")), false, Err("502")),
        (Fault::Truncate, true, Err("json")),
    ]
    .into_iter()
    .enumerate()
    {
        let what = format!("{fault:?}");
        let before = direct.get(STATUS).await.unwrap();
        let injected = proxy.strike_next(1, Requests::of(Kind::Status), fault);
        let written = within(apply(&through, &number.to_string(), None)).await;
        within(injected.hit()).await;
        let said = written.map(drop).map_err(|error| match error {
            Error::Api(status) => status.code.to_string(),
            Error::SerdeError(_) => "json".to_owned(),
            Error::HyperError(_) | Error::Service(_) => "hyper".to_owned(),
            error => format!("{error:?}"),
        });
        assert_eq!(said, says.map_err(str::to_owned), "{what}");
        let after = direct.get(STATUS).await.unwrap();
        assert_eq!(after != before, is_applied, "{what}");
    }
    assert_eq!(proxy.counts().of(Kind::Status, Verb::Patch), 8);
}

#[tokio::test]
async fn watches_pass_until_they_are_silenced_cut_or_refused() {
    let Some(server) = ApiServer::shared().await else {
        return;
    };
    let namespace = server.namespace("watches", Grants::Ours).await;
    let direct = maps(namespace.client(server.url()).await);
    let proxy = FaultProxy::start(&server).await;
    // Each time anew: a client may not have noticed yet that its connections are closed.
    let through = async || maps(namespace.client(proxy.url()).await);
    let first = direct.create(&now(), &map("one")).await.unwrap();
    let version = first.metadata.resource_version.unwrap();

    let mut one = pin!(watch(&through().await, &version).await);
    apply(&direct, "two", None).await.unwrap();
    assert_eq!(next(&mut one).await.as_deref(), Some("two"));

    let silenced = proxy.strike_next(1, Requests::of(Kind::Status), Fault::Silence);
    apply(&direct, "three", None).await.unwrap();
    within(silenced.hit()).await;
    let mut other = pin!(watch(&through().await, &version).await);
    for seen in ["two", "three"] {
        assert_eq!(next(&mut other).await.as_deref(), Some(seen));
    }

    proxy.hang_up();
    assert_eq!(next(&mut one).await, None);
    assert_eq!(next(&mut other).await, None);
    through().await.get(STATUS).await.unwrap();

    proxy.refuse().await;
    through().await.get(STATUS).await.unwrap_err();
    proxy.clear().await;
    through().await.get(STATUS).await.unwrap();
    assert_eq!(proxy.counts().of(Kind::Status, Verb::Watch), 2);

    let mut from_now = pin!(watch(&direct, "").await);
    match within(from_now.next()).await.unwrap().unwrap() {
        WatchEvent::Added(map) => assert_eq!(text(&map), "three"),
        event => panic!("{event:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_deaf_ears_is_lost() {
    let Some(server) = ApiServer::shared().await else {
        return;
    };
    let proxy = FaultProxy::start(&server).await;
    let mut client = TcpStream::connect(proxy.url().strip_prefix("http://").unwrap()).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    let request = b"GET /version HTTP/1.1\r\nHost: any\r\n\r\n";
    client.write_all(request).unwrap();
    let mut answer = [0; 16];
    client.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");

    proxy.deaf();
    client.write_all(request).unwrap();
    proxy.clear().await;
    let mut rest = String::new();
    // It may end with a reset.
    let _ = client.read_to_string(&mut rest);
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
    assert_eq!(proxy.counts().total(), 1);
}

fn maps(client: Client) -> Api<ConfigMap> {
    Api::default_namespaced(client)
}

fn map(text: &str) -> ConfigMap {
    ConfigMap {
        metadata: named(),
        data: Some(BTreeMap::from([("status".to_owned(), text.to_owned())])),
        ..ConfigMap::default()
    }
}

fn text(map: &ConfigMap) -> &str {
    map.data.as_ref().unwrap().get("status").unwrap()
}

fn lease() -> Lease {
    Lease {
        metadata: named(),
        ..Lease::default()
    }
}

fn named() -> ObjectMeta {
    ObjectMeta {
        name: Some(STATUS.to_owned()),
        ..ObjectMeta::default()
    }
}

fn now() -> PostParams {
    PostParams::default()
}

/// Writes the way coordinators do, at a version if there is one.
async fn apply(
    maps: &Api<ConfigMap>,
    text: &str,
    version: Option<&str>,
) -> Result<ConfigMap, Error> {
    let mut map = map(text);
    map.metadata.resource_version = version.map(str::to_owned);
    let apply = PatchParams::apply("oxia-coordinator").force();
    maps.patch(STATUS, &apply, &Patch::Apply(map)).await
}

async fn watch(
    maps: &Api<ConfigMap>,
    version: &str,
) -> impl Stream<Item = Result<WatchEvent<ConfigMap>, Error>> + use<> {
    let parameters = WatchParams::default().fields(&format!("metadata.name={STATUS}"));
    maps.watch(&parameters, version).await.unwrap()
}

/// The text that a watch tells of next; `None` once it has ended.
async fn next(
    watch: &mut (impl Stream<Item = Result<WatchEvent<ConfigMap>, Error>> + Unpin),
) -> Option<String> {
    match within(watch.next()).await? {
        Ok(WatchEvent::Modified(map)) => Some(text(&map).to_owned()),
        Ok(event) => panic!("{event:?}"),
        Err(_) => None,
    }
}

fn code(error: Error) -> u16 {
    let Error::Api(status) = error else {
        panic!("{error}");
    };
    status.code
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it is not to hang")
}
