//! Another configuration, for whoever asks what would be with it.

use std::sync::Arc;

use stepdown_backends::configuration::judge;
use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus, EditError};
use stepdown_wire::operator::get_plan_request::Supposed;
use tonic::Status;

use super::checks::{check_are_anew, check_replicas, coming_in};
use super::convert::{data_server, data_server_patch, namespace_request};
use super::refusals::{not_changed, not_edited};

/// Looks whether nothing is supposed but a change of this namespace.
pub(super) fn check_is_about(supposed: &Supposed, namespace: &str) -> Result<(), Status> {
    let about = match supposed {
        Supposed::Configuration(_)
        | Supposed::CreateDataServer(_)
        | Supposed::PatchDataServer(_)
        | Supposed::DeleteDataServer(_) => None,
        Supposed::CreateNamespace(asked) => asked.namespace.as_ref().map(|it| it.name.as_str()),
        Supposed::PatchNamespace(asked) => asked.namespace.as_ref().map(|it| it.name.as_str()),
        Supposed::DeleteNamespace(asked) => Some(asked.namespace.as_str()),
    };
    if about == Some(namespace) {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "a plan of namespace {namespace:?} alone can only suppose that this one is created, patched or deleted"
    )))
}

/// What a change would be made of.
pub(super) struct Present {
    pub(super) configuration: Arc<ClusterConfiguration>,
    pub(super) status: Arc<ClusterStatus>,
    /// Why nothing would be built on that configuration.
    pub(super) obstacle: Option<&'static str>,
}

/// The configuration that is supposed. What would be refused of a change is refused here as well.
pub(super) fn supposed(
    present: &Present,
    supposed: Supposed,
) -> Result<ClusterConfiguration, Status> {
    let before = &*present.configuration;
    let mut configuration = before.clone();
    let it = &mut configuration;
    let edited = match supposed {
        Supposed::Configuration(text) => {
            let judged = judge(Some(&text)).verdict;
            let judged = judged.map_err(Status::invalid_argument)?;
            judged.check_counts().map_err(|error| not_edited(&error))?;
            check_replicas(before, &judged)?;
            return Ok(judged);
        }
        Supposed::CreateDataServer(asked) => it
            .create_data_server(data_server(asked.data_server)?)
            .map(drop),
        Supposed::PatchDataServer(asked) => {
            let patch = data_server_patch(asked.data_server)?;
            it.patch_data_server(&patch).map(drop)
        }
        Supposed::DeleteDataServer(asked) => it.delete_data_server(&asked.data_server).map(drop),
        Supposed::CreateNamespace(asked) => {
            let asked = namespace_request(asked.namespace)?;
            it.create_namespace(&asked).map(drop)
        }
        Supposed::PatchNamespace(asked) => {
            let asked = namespace_request(asked.namespace)?;
            it.patch_namespace(&asked).map(drop)
        }
        Supposed::DeleteNamespace(asked) => it.delete_namespace(&asked.namespace).map(drop),
    };
    edited.map_err(|error: EditError| not_edited(&error))?;
    check_replicas(before, &configuration)?;
    check_are_anew(&coming_in(before, &configuration), &present.status)?;
    if let Some(obstacle) = present.obstacle {
        return Err(not_changed(obstacle));
    }
    let verdict = judge(Some(&configuration.encode())).verdict;
    verdict.map_err(Status::invalid_argument)
}

#[cfg(test)]
mod tests {
    use stepdown_wire::v1;
    use tonic::Code;

    use super::*;
    use crate::admin::refusals::HELD_BACK;

    const PRESENT: &str = "\
namespaces: [{name: default, initialShardCount: 1, replicationFactor: 1}]
servers: [{name: s1, public: 'localhost:1', internal: 'localhost:2'}]
";

    fn present(status: &str) -> Present {
        Present {
            configuration: Arc::new(ClusterConfiguration::decode(PRESENT).unwrap()),
            status: Arc::new(ClusterStatus::decode(status).unwrap_or_default()),
            obstacle: None,
        }
    }

    fn creation(name: &str) -> Supposed {
        Supposed::CreateNamespace(v1::CreateNamespaceRequest {
            namespace: Some(v1::Namespace {
                name: name.to_owned(),
                initial_shard_count: 1,
                replication_factor: 1,
                key_sorting: "natural".to_owned(),
                ..v1::Namespace::default()
            }),
        })
    }

    fn deletion(name: &str) -> Supposed {
        Supposed::DeleteNamespace(v1::DeleteNamespaceRequest {
            namespace: name.to_owned(),
        })
    }

    #[test]
    fn who_asks_about_one_namespace_supposes_nothing_of_others() {
        let refused = |it: Supposed| check_is_about(&it, "orders").err().map(|it| it.code());
        assert_eq!(refused(creation("orders")), None);
        assert_eq!(refused(deletion("orders")), None);
        let patch = v1::PatchNamespaceRequest { namespace: None };
        for other in [
            creation("payments"),
            deletion("payments"),
            Supposed::PatchNamespace(patch),
            Supposed::Configuration(PRESENT.to_owned()),
            Supposed::DeleteDataServer(v1::DeleteDataServerRequest {
                data_server: "orders".to_owned(),
            }),
        ] {
            assert_eq!(refused(other), Some(Code::InvalidArgument));
        }
    }

    #[test]
    fn what_would_be_refused_is_refused_where_it_is_only_supposed() {
        let mut present =
            present("namespaces: {gone: {replicationFactor: 1, shards: {0: {status: 1}}}}");
        let would = |it| supposed(&present, it).map_err(|it| it.code());
        assert_eq!(would(creation("orders")).unwrap().namespaces.len(), 2);
        assert_eq!(would(creation("gone")), Err(Code::FailedPrecondition));
        assert_eq!(would(deletion("orders")), Err(Code::NotFound));
        present.obstacle = Some(HELD_BACK);
        let refused = supposed(&present, creation("orders")).unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("held back"), "{refused}");
        // It would come in the place of what is held back.
        supposed(&present, Supposed::Configuration(PRESENT.to_owned())).unwrap();
    }

    #[test]
    fn a_document_that_would_take_all_memory_is_not_looked_at_further() {
        let present = present("");
        let servers = (1..=4_096).map(|it| {
            format!(
                "- {{name: s{it}, public: 'localhost:{it}', internal: 'localhost:{}'}}\n",
                it + 8_192
            )
        });
        let servers: String = servers.collect();
        for (shards, factor, is_taken) in [
            (4_096, 64, true),
            (4_096, 65, false),
            (4_097, 64, false),
            (1, 4_096, false),
        ] {
            let text = format!(
                "namespaces: [{{name: default, initialShardCount: {shards}, replicationFactor: {factor}}}]\nservers:\n{servers}"
            );
            let looked_at = supposed(&present, Supposed::Configuration(text));
            let code = looked_at.map(drop).map_err(|it| it.code());
            let refused = if is_taken {
                Ok(())
            } else {
                Err(Code::InvalidArgument)
            };
            assert_eq!(code, refused, "{shards} of {factor}");
        }
    }
}
