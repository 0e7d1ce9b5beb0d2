//! What a request is about, and which requests are meant.

use http::{Method, request};
use serde_json::Value;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Lease.
    Lease,
    /// The ConfigMap of the cluster status.
    Status,
    /// The ConfigMap of the cluster configuration.
    Configuration,
    /// Anything else.
    Other,
}

/// What a request wants, as roles name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// GET of one object.
    Get,
    /// GET of many objects.
    List,
    /// GET of changes; the answer goes on and on.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH, server-side apply too.
    Patch,
    /// DELETE.
    Delete,
}

impl Verb {
    /// Those that write an object.
    pub const WRITES: [Self; 3] = [Self::Create, Self::Update, Self::Patch];
}

/// How the two ConfigMaps are called.
#[derive(Clone, Debug)]
pub struct Names {
    /// The ConfigMap of the cluster status.
    pub status: String,
    /// The ConfigMap of the cluster configuration.
    pub configuration: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            status: "oxia-cluster-status".to_owned(),
            configuration: "oxia-cluster-config".to_owned(),
        }
    }
}

/// Which requests are meant; all by default.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    kind: Option<Kind>,
    verbs: Option<Vec<Verb>>,
}

impl Requests {
    /// All of them.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those about this.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            verbs: None,
        }
    }

    /// Of those, the ones with these verbs.
    pub fn verbs(self, verbs: &[Verb]) -> Self {
        Self {
            verbs: Some(verbs.to_vec()),
            ..self
        }
    }

    pub(super) fn include(&self, asked: Asked) -> bool {
        self.kind.is_none_or(|it| it == asked.kind)
            && self
                .verbs
                .as_ref()
                .is_none_or(|it| it.contains(&asked.verb))
    }
}

/// What one request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) verb: Verb,
}

impl Asked {
    pub(super) fn read(head: &request::Parts, body: &[u8], names: &Names) -> Self {
        let query = head.uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        // …/namespaces/<namespace>/<resource>[/<name>]
        let mut words = head.uri.path().split('/');
        words.by_ref().find(|&word| word == "namespaces");
        let (resource, in_path) = (words.nth(1), words.next());
        let verb = match head.method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ if parameter("watch").is_some_and(|it| it == "true" || it == "1") => Verb::Watch,
            _ if in_path.is_some() => Verb::Get,
            _ => Verb::List,
        };
        let name = in_path
            .map(str::to_owned)
            .or_else(|| {
                let selector = parameter("fieldSelector")?;
                Some(selector.strip_prefix("metadata.name=")?.to_owned())
            })
            .or_else(|| name_in(body));
        let kind = match (resource, name) {
            (Some("leases"), _) => Kind::Lease,
            (Some("configmaps"), Some(name)) if name == names.status => Kind::Status,
            (Some("configmaps"), Some(name)) if name == names.configuration => Kind::Configuration,
            _ => Kind::Other,
        };
        Self { kind, verb }
    }
}

fn name_in(body: &[u8]) -> Option<String> {
    let object: Value = serde_json::from_slice(body).ok()?;
    Some(object.pointer("/metadata/name")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_is_known_by_its_path_its_query_or_its_body() {
        let core = "/api/v1/namespaces/ns/configmaps";
        let status = "oxia-cluster-status";
        let selected = format!("{core}?watch=true&fieldSelector=metadata.name%3D{status}");
        let created = format!(r#"{{"metadata": {{"name": "{status}"}}}}"#);
        let leases = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
        for (method, uri, body, kind, verb) in [
            (
                "GET",
                format!("{core}/{status}"),
                "",
                Kind::Status,
                Verb::Get,
            ),
            ("GET", selected, "", Kind::Status, Verb::Watch),
            (
                "POST",
                core.to_owned(),
                &created,
                Kind::Status,
                Verb::Create,
            ),
            (
                "PATCH",
                format!("{core}/oxia-cluster-config"),
                "",
                Kind::Configuration,
                Verb::Patch,
            ),
            ("GET", core.to_owned(), "", Kind::Other, Verb::List),
            (
                "PUT",
                format!("{leases}/any"),
                "",
                Kind::Lease,
                Verb::Update,
            ),
            (
                "POST",
                format!("{leases}?pretty=1"),
                "{",
                Kind::Lease,
                Verb::Create,
            ),
            ("GET", "/readyz".to_owned(), "", Kind::Other, Verb::List),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(&uri)
                .body(())
                .unwrap();
            let asked = Asked::read(&request.into_parts().0, body.as_bytes(), &Names::default());
            assert_eq!(asked, Asked { kind, verb }, "{method} {uri}");
        }
    }
}
