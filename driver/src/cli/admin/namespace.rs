//! `stepdown admin namespace`.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use stepdown_wire::operator::Plan;
use stepdown_wire::operator::get_plan_request::Supposed;
use stepdown_wire::v1::{
    CreateNamespaceRequest, DataServerIdentity, DeleteNamespaceRequest, GetNamespaceRequest,
    ListNamespacesRequest, Namespace, NamespaceStatus, NamespaceView, PatchNamespaceRequest,
    ShardMetadata,
};

use super::Answer;
use super::client::Client;
use super::data_server::identity;
use super::effect::{EffectArgs, ForecastArgs, of_namespace};
use super::error::AdminCommandError;
use super::missing::{until_gone, until_led};
use super::output::Table;
use crate::cli::boolean;

/// Those that coordinators take.
const KEY_SORTINGS: [&str; 2] = ["hierarchical", "natural"];

const HEAD: &[&str] = &["NAME", "INITIAL_SHARDS", "REPLICATION_FACTOR"];

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Create a namespace; its shards come into being a moment later
    Create {
        /// Its name
        name: String,
        /// How many shards it has
        #[arg(long, value_name = "COUNT")]
        initial_shards: u32,
        /// How many data servers replicate each of its shards
        #[arg(long, value_name = "COUNT")]
        replication_factor: u32,
        /// How its keys are sorted
        #[arg(long, default_value = "hierarchical", value_parser = PossibleValuesParser::new(KEY_SORTINGS))]
        key_sorting: String,
        /// Whether clients may subscribe to changes
        #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true",
            value_name = "BOOL", hide_possible_values = true, value_parser = boolean::parse)]
        notifications: bool,
        #[command(flatten)]
        effect: EffectArgs,
    },
    /// Take a namespace out of the configuration: it is deleted with all that is in it
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        effect: EffectArgs,
    },
    /// Show a namespace, or all without a name
    Get {
        /// Its name
        name: Option<String>,
    },
    /// Show all namespaces
    List,
    /// Change a namespace
    Patch {
        /// Its name
        name: String,
        /// How many data servers replicate each shard that is made from now on
        #[arg(
            long,
            value_name = "COUNT",
            default_value_t = 0,
            hide_default_value = true
        )]
        replication_factor: u32,
        /// Whether clients may subscribe to changes
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
            value_name = "BOOL", hide_possible_values = true, value_parser = boolean::parse)]
        notifications: Option<bool>,
        #[command(flatten)]
        forecast: ForecastArgs,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client) -> Result<Answer, AdminCommandError> {
        match self {
            Self::Create {
                name,
                initial_shards,
                replication_factor,
                key_sorting,
                notifications,
                effect,
            } => {
                let namespace = Some(Namespace {
                    name: name.clone(),
                    initial_shard_count: initial_shards,
                    replication_factor,
                    notifications_enabled: Some(notifications),
                    key_sorting,
                    anti_affinities: Vec::new(),
                });
                let request = CreateNamespaceRequest { namespace };
                let supposed = Supposed::CreateNamespace(request.clone());
                let supposed = of_namespace(&name, supposed);
                let call = client.call(request, async |mut it, request| {
                    it.create_namespace(request).await
                });
                let change = async { Ok(one(call.await?.namespace)) };
                let missing = |plan: &Plan| until_led(plan, &name);
                effect.make(client, supposed, change, missing).await
            }
            Self::Delete { name, effect } => {
                let request = DeleteNamespaceRequest {
                    namespace: name.clone(),
                };
                let supposed = Supposed::DeleteNamespace(request.clone());
                let supposed = of_namespace(&name, supposed);
                let call = client.call(request, async |mut it, request| {
                    it.delete_namespace(request).await
                });
                let change = async { Ok(one(call.await?.namespace)) };
                let missing = |plan: &Plan| until_gone(plan, &name);
                effect.make(client, supposed, change, missing).await
            }
            Self::Get { name: Some(name) } => {
                let request = GetNamespaceRequest { namespace: name };
                let call = client.call(request, async |mut it, request| {
                    it.get_namespace(request).await
                });
                let view = call.await?.namespace.unwrap_or_default();
                Ok(Answer {
                    value: view_value(&view),
                    told: table([view.namespace.unwrap_or_default()]).print(),
                })
            }
            Self::Get { name: None } | Self::List => {
                let request = ListNamespacesRequest {};
                let call = client.call(request, async |mut it, request| {
                    it.list_namespaces(request).await
                });
                let views = call.await?.namespaces;
                Ok(Answer {
                    value: views.iter().map(view_value).collect(),
                    told: table(views.into_iter().filter_map(|view| view.namespace)).print(),
                })
            }
            Self::Patch {
                name,
                replication_factor,
                notifications,
                forecast,
            } => {
                let namespace = Some(Namespace {
                    name: name.clone(),
                    replication_factor,
                    notifications_enabled: notifications,
                    ..Namespace::default()
                });
                let request = PatchNamespaceRequest { namespace };
                let supposed = Supposed::PatchNamespace(request.clone());
                let supposed = of_namespace(&name, supposed);
                let call = client.call(request, async |mut it, request| {
                    it.patch_namespace(request).await
                });
                let change = async { Ok(one(call.await?.namespace)) };
                forecast.make(client, supposed, change).await
            }
        }
    }
}

fn one(namespace: Option<Namespace>) -> Answer {
    let namespace = namespace.unwrap_or_default();
    Answer {
        value: value(&namespace),
        told: table([namespace]).print(),
    }
}

fn table(namespaces: impl IntoIterator<Item = Namespace>) -> Table {
    let row = |it: Namespace| {
        let (shards, factor) = (it.initial_shard_count, it.replication_factor);
        vec![it.name, shards.to_string(), factor.to_string()]
    };
    Table {
        head: HEAD,
        rows: namespaces.into_iter().map(row).collect(),
    }
}

fn value(namespace: &Namespace) -> Value {
    let rules = namespace.anti_affinities.iter();
    let rules = rules.map(|rule| json!({"labels": rule.labels, "mode": rule.mode}));
    json!({
        "name": namespace.name,
        "initial_shard_count": namespace.initial_shard_count,
        "replication_factor": namespace.replication_factor,
        "notifications_enabled": namespace.notifications_enabled,
        "key_sorting": namespace.key_sorting,
        "anti_affinities": rules.collect::<Vec<_>>(),
    })
}

fn view_value(view: &NamespaceView) -> Value {
    json!({
        "namespace": view.namespace.as_ref().map(value),
        "namespace_status": view.namespace_status.as_ref().map(status),
    })
}

fn status(status: &NamespaceStatus) -> Value {
    let shards = status.shards.iter();
    let shards = shards.map(|(id, shard)| (id.to_string(), shard_value(shard)));
    json!({
        "replication_factor": status.replication_factor,
        "shards": shards.collect::<serde_json::Map<_, _>>(),
    })
}

fn shard_value(shard: &ShardMetadata) -> Value {
    let all = |servers: &[DataServerIdentity]| servers.iter().map(identity).collect::<Vec<_>>();
    let range = shard.int32_hash_range.as_ref();
    json!({
        "status": shard.status().as_str_name(),
        "term": shard.term,
        "leader": shard.leader.as_ref().map(identity),
        "ensemble": all(&shard.ensemble),
        "int32_hash_range": range.map(|range| json!({"min": range.min, "max": range.max})),
    })
}
