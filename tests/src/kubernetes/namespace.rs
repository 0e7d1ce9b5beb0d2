//! A namespace for one test, with an account that may do no more in it than a coordinator's.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fs, thread};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Namespace as KubeNamespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Access, ApiServer, Grants, LIMIT, LOOK};

const ACCOUNT: &str = "coordinator";
/// Long enough for every test.
const TOKEN_SECONDS: u64 = 24 * 60 * 60;

/// A namespace of one's own.
#[derive(Debug)]
pub struct Namespace {
    access: Access,
    dir: PathBuf,
    /// Whether the server's files are kept.
    is_kept: Arc<AtomicBool>,
}

impl ApiServer {
    /// Makes a namespace, and an account in it with these rights; waits until they hold.
    pub async fn namespace(&self, name: &str, grants: Grants) -> Namespace {
        let admin = self.admin().await;
        create_in::<KubeNamespace>(Api::all(admin.clone()), json!({"metadata": {"name": name}}))
            .await;
        let named = json!({"metadata": {"name": ACCOUNT}});
        let accounts = Api::namespaced(admin.clone(), name);
        create_in::<ServiceAccount>(accounts.clone(), named).await;
        let role = json!({"metadata": {"name": ACCOUNT}, "rules": grants.rules()});
        create_in::<Role>(Api::namespaced(admin.clone(), name), role).await;
        create_in::<RoleBinding>(Api::namespaced(admin, name), binding(name)).await;
        let namespace = Namespace {
            access: Access {
                token: Some(token(&accounts).await),
                namespace: name.to_owned(),
                ..self.admin_access().clone()
            },
            dir: self.dir().to_owned(),
            is_kept: self.is_kept(),
        };
        namespace.granted().await;
        namespace
    }
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.access.namespace
    }

    /// The account's access by way of this URL, the server's or a proxy's.
    pub fn access(&self, server: &str) -> Access {
        Access {
            server: server.to_owned(),
            ..self.access.clone()
        }
    }

    /// The account's client by way of this URL; it means this namespace where none is named.
    pub async fn client(&self, server: &str) -> Client {
        self.access(server).client().await
    }

    /// Writes a kubeconfig file for the account by way of this URL; it lasts as long as the
    /// server.
    pub fn kubeconfig(&self, server: &str) -> PathBuf {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("kubeconfig-{number}.yaml"));
        // JSON is YAML.
        let text = self.access(server).kubeconfig().to_string();
        fs::write(&path, text).expect("a temporary file can be written");
        path
    }

    /// The server learns of a role only after it has stored it.
    async fn granted(&self) {
        let review = json!({"spec": {"resourceAttributes": {
            "namespace": self.name(), "verb": "update",
            "group": "coordination.k8s.io", "resource": "leases",
        }}});
        let review: SelfSubjectAccessReview = parse(review);
        let reviews = Api::all(self.client(&self.access.server).await);
        let deadline = Instant::now() + LIMIT;
        loop {
            let reviewed = reviews.create(&PostParams::default(), &review).await;
            let allows =
                |it: &SelfSubjectAccessReview| it.status.as_ref().is_some_and(|it| it.allowed);
            if reviewed.as_ref().is_ok_and(allows) {
                return;
            }
            assert!(Instant::now() < deadline, "no rights: {reviewed:?}");
            sleep(LOOK).await;
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if thread::panicking() {
            self.is_kept.store(true, Ordering::Relaxed);
        }
    }
}

async fn create_in<K>(api: Api<K>, value: Value)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let created = api.create(&PostParams::default(), &parse(value)).await;
    created.expect("the administrator may create it, and it is new");
}

async fn token(accounts: &Api<ServiceAccount>) -> String {
    let request: TokenRequest =
        parse(json!({"spec": {"audiences": [], "expirationSeconds": TOKEN_SECONDS}}));
    let answered = accounts
        .create_token_request(ACCOUNT, &PostParams::default(), &request)
        .await;
    let answer = answered.expect("the account can have a token");
    answer.status.expect("the answer has a token").token
}

fn binding(namespace: &str) -> Value {
    json!({
        "metadata": {"name": ACCOUNT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    })
}

fn parse<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is such an object")
}
