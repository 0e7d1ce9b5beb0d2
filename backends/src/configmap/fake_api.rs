//! One ConfigMap and one Lease on a server that treats them as API servers were seen to.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use stepdown_core::lease::FlapLimit;

use super::documents::ConfigMapDocuments;
use super::fake::{FakeServer, Received, Reply};
use super::{Clients, ConfigMapOptions, Layout};

pub(super) struct FakeApi {
    server: FakeServer,
    /// What watches see, so that none of them is in the way.
    nothing: FakeServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    object: Option<Value>,
    lease: Option<Value>,
    versions: u64,
    faults: Vec<(&'static str, Fault)>,
}

/// How a request ends, instead of as it would.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Done, and answered like this.
    After(Reply),
    /// Answered like this, and not done.
    Instead(Reply),
}

impl FakeApi {
    pub(super) async fn new() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        let server = FakeServer::new(move |request| shared.lock().unwrap().handle(request)).await;
        let nothing = FakeServer::new(|_| Reply::status(403, "Forbidden", "not watched")).await;
        Self {
            server,
            nothing,
            state,
        }
    }

    pub(super) fn documents(&self, layout: Layout) -> ConfigMapDocuments {
        self.documents_with(&ConfigMapOptions {
            layout,
            ..options()
        })
    }

    pub(super) fn documents_with(&self, options: &ConfigMapOptions) -> ConfigMapDocuments {
        ConfigMapDocuments::open(options, &self.clients()).unwrap()
    }

    pub(super) fn clients(&self) -> Clients {
        Clients {
            watch: self.nothing.clients().watch,
            ..self.server.clients()
        }
    }

    pub(super) fn object(&self) -> Option<Value> {
        self.state.lock().unwrap().object.clone()
    }

    /// Changes the object as somebody else does; it is made if there is none.
    pub(super) fn edit(&self, edit: Value) {
        let mut state = self.state.lock().unwrap();
        let mut object = state.object.clone().unwrap_or_else(|| state.new_object());
        merge(&mut object, &edit);
        state.put(object);
    }

    /// Changes metadata and nothing else, not even the version.
    pub(super) fn set_metadata(&self, edit: &Value) {
        let mut state = self.state.lock().unwrap();
        merge(&mut state.object.as_mut().unwrap()["metadata"], edit);
    }

    pub(super) fn delete(&self) {
        self.state.lock().unwrap().object = None;
    }

    pub(super) fn set_lease_epoch(&self, epoch: &str) {
        let lease = json!({"metadata": {"annotations": {"oxia.io/epoch": epoch}}});
        self.state.lock().unwrap().lease = Some(lease);
    }

    /// Makes the next request of a method, or the next `GET lease`, go wrong.
    pub(super) fn fail(&self, request: &'static str, fault: Fault) {
        self.state.lock().unwrap().faults.push((request, fault));
    }

    /// The requests for the ConfigMap.
    pub(super) fn requests(&self) -> Vec<Received> {
        let mut received = self.server.received();
        received.retain(|request| request.target.contains("/configmaps"));
        received
    }
}

pub(super) fn options() -> ConfigMapOptions {
    ConfigMapOptions {
        namespace: "ns".to_owned(),
        status_name: "status".to_owned(),
        config_name: "config".to_owned(),
        layout: Layout::Plain,
        initialize_empty_status: false,
        flaps: FlapLimit::default(),
    }
}

impl State {
    fn handle(&mut self, request: &Received) -> Reply {
        let kind = if request.target.contains("/leases/") {
            "GET lease"
        } else {
            &request.method
        };
        let is_meant = |(meant, _): &(&str, Fault)| *meant == kind;
        let fault = self.faults.iter().position(is_meant);
        match fault.map(|index| self.faults.remove(index).1) {
            Some(Fault::Instead(reply)) => reply,
            Some(Fault::After(reply)) => {
                self.serve(request);
                reply
            }
            None => self.serve(request),
        }
    }

    fn serve(&mut self, request: &Received) -> Reply {
        if request.target.contains("/leases/") {
            return found(self.lease.as_ref());
        }
        match (request.method.as_str(), &self.object) {
            ("GET", Some(object)) if request.is_partial() => Reply::json(200, &metadata(object)),
            ("GET", object) => found(object.as_ref()),
            ("POST", Some(_)) => Reply::status(409, "AlreadyExists", "already exists"),
            ("POST", None) => {
                let mut object = self.new_object();
                merge(&mut object, &sent(request));
                self.put(object)
            }
            ("PATCH", _) => self.patch(request),
            (method, _) => panic!("{method}"),
        }
    }

    fn patch(&mut self, request: &Received) -> Reply {
        let sent = sent(request);
        let applies = request.headers["content-type"] == "application/apply-patch+yaml";
        let Some(present) = &self.object else {
            if !applies {
                return Reply::status(404, "NotFound", "not found");
            }
            if sent["metadata"]["uid"].is_string() {
                return Reply::status(409, "Conflict", "uid mismatch");
            }
            let mut object = self.new_object();
            merge(&mut object, &sent);
            return self.put(object);
        };
        let is_other = |key: &str| {
            let value = &sent["metadata"][key];
            value.is_string() && *value != present["metadata"][key]
        };
        if is_other("resourceVersion") {
            return Reply::status(409, "Conflict", "the object has been modified");
        }
        assert!(!is_other("uid"));
        let mut object = present.clone();
        merge(&mut object, &sent);
        if object == *present {
            return Reply::json(200, &metadata(&object));
        }
        self.put(object)
    }

    fn new_object(&mut self) -> Value {
        self.versions += 1;
        let uid = format!("uid-{}", self.versions);
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "status", "uid": uid}})
    }

    fn put(&mut self, mut object: Value) -> Reply {
        self.versions += 1;
        object["metadata"]["resourceVersion"] = self.versions.to_string().into();
        let reply = Reply::json(201, &metadata(&object));
        self.object = Some(object);
        reply
    }
}

fn sent(request: &Received) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

fn metadata(object: &Value) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": object["metadata"],
    })
}

fn found(object: Option<&Value>) -> Reply {
    object.map_or_else(
        || Reply::status(404, "NotFound", "not found"),
        |object| Reply::json(200, object),
    )
}

/// As RFC 7386 has it.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}
