//! `stepdown admin data-server`.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::{Value, json};
use stepdown_wire::operator::Plan;
use stepdown_wire::operator::get_plan_request::Supposed;
use stepdown_wire::v1::{
    CreateDataServerRequest, DataServer, DataServerIdentity, DataServerMetadata, DataServerView,
    DeleteDataServerRequest, GetDataServerRequest, ListDataServersRequest, PatchDataServerRequest,
};

use super::Answer;
use super::client::Client;
use super::drain;
use super::effect::{EffectArgs, ForecastArgs, WaitArgs, of_cluster};
use super::error::AdminCommandError;
use super::missing::{until_balanced, until_drained};
use super::output::Table;

const AFTER_DRAIN_STATUS: &str = "\
With --wait it ends with 0 once nothing is left on them, so that they can be stopped, and with 1 if that \
takes longer. With a NAME that nobody knows, and of which nothing is left, it ends with 1 at once: also where \
that one was drained before, since a name that is misspelt looks the same. To take one out and to wait until it is \
empty, use data-server delete NAME --wait.";

const HEAD: &[&str] = &["NAME", "PUBLIC", "INTERNAL", "LABELS"];
const HEAD_OF_VIEWS: &[&str] = &["NAME", "PUBLIC", "INTERNAL", "STATE", "LABELS"];

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Add a data server
    Create {
        /// Its name
        name: String,
        /// Where clients reach it
        #[arg(long, value_name = "HOST:PORT")]
        public: String,
        /// Where coordinators and other data servers reach it
        #[arg(long, value_name = "HOST:PORT")]
        internal: String,
        /// A label for anti-affinities; once for each
        #[arg(long = "label", value_name = "KEY=TEXT", value_parser = parse_label)]
        labels: Vec<(String, String)>,
        #[command(flatten)]
        effect: EffectArgs,
    },
    /// Take a data server out of the configuration: its shards go elsewhere
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        effect: EffectArgs,
    },
    /// Show how far data servers are that were taken out: shards left, being moved, to be deleted, stuck
    #[command(after_help = AFTER_DRAIN_STATUS)]
    DrainStatus {
        /// Its name; without one, all that were taken out
        name: Option<String>,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Give up on a data server that was taken out and never comes back: nobody waits any longer for it to
    /// delete what it had
    Forget {
        /// Its name
        name: String,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Show a data server, or all without a name
    Get {
        /// Its name
        name: Option<String>,
    },
    /// Show all data servers
    List,
    /// Change a data server; what is not given stays
    Patch {
        /// Its name
        name: String,
        /// Where clients reach it
        #[arg(
            long,
            value_name = "HOST:PORT",
            default_value = "",
            hide_default_value = true
        )]
        public: String,
        /// Where coordinators and other data servers reach it
        #[arg(
            long,
            value_name = "HOST:PORT",
            default_value = "",
            hide_default_value = true
        )]
        internal: String,
        /// All its labels from now on; once for each
        #[arg(long = "label", value_name = "KEY=TEXT", value_parser = parse_label)]
        labels: Vec<(String, String)>,
        #[command(flatten)]
        forecast: ForecastArgs,
    },
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((label, text)) if !label.is_empty() => Ok((label.to_owned(), text.to_owned())),
        Some(_) | None => Err("write it as key=text".to_owned()),
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client) -> Result<Answer, AdminCommandError> {
        match self {
            Self::Create {
                name,
                public,
                internal,
                labels,
                effect,
            } => {
                let data_server = Some(server(name.clone(), public, internal, labels));
                let request = CreateDataServerRequest { data_server };
                let supposed = of_cluster(Supposed::CreateDataServer(request.clone()));
                let call = client.call(request, async |mut it, request| {
                    it.create_data_server(request).await
                });
                let change = async { Ok(one(call.await?.data_server)) };
                let missing = |plan: &Plan| until_balanced(plan, &name);
                effect.make(client, supposed, change, missing).await
            }
            Self::Delete { name, effect } => {
                let request = DeleteDataServerRequest {
                    data_server: name.clone(),
                };
                let supposed = of_cluster(Supposed::DeleteDataServer(request.clone()));
                let call = client.call(request, async |mut it, request| {
                    it.delete_data_server(request).await
                });
                let change = async { Ok(one(call.await?.data_server)) };
                let missing = |plan: &Plan| until_drained(plan, &name);
                effect.make(client, supposed, change, missing).await
            }
            Self::DrainStatus { name, wait } => drain::status(client, name, &wait).await,
            Self::Forget { name, yes } => drain::forget(client, name, yes).await,
            Self::Get { name: Some(name) } => {
                let request = GetDataServerRequest { data_server: name };
                let call = client.call(request, async |mut it, request| {
                    it.get_data_server(request).await
                });
                let view = call.await?.data_server.unwrap_or_default();
                Ok(Answer {
                    value: view_value(&view),
                    told: table_of_views(&[view]).print(),
                })
            }
            Self::Get { name: None } | Self::List => {
                let request = ListDataServersRequest {};
                let call = client.call(request, async |mut it, request| {
                    it.list_data_servers(request).await
                });
                let views = call.await?.data_servers;
                Ok(Answer {
                    value: views.iter().map(view_value).collect(),
                    told: table_of_views(&views).print(),
                })
            }
            Self::Patch {
                name,
                public,
                internal,
                labels,
                forecast,
            } => {
                let data_server = Some(server(name, public, internal, labels));
                let request = PatchDataServerRequest { data_server };
                let supposed = of_cluster(Supposed::PatchDataServer(request.clone()));
                let call = client.call(request, async |mut it, request| {
                    it.patch_data_server(request).await
                });
                let change = async { Ok(one(call.await?.data_server)) };
                forecast.make(client, supposed, change).await
            }
        }
    }
}

fn server(
    name: String,
    public: String,
    internal: String,
    labels: Vec<(String, String)>,
) -> DataServer {
    let labels: BTreeMap<_, _> = labels.into_iter().collect();
    DataServer {
        identity: Some(DataServerIdentity {
            name: Some(name),
            public,
            internal,
        }),
        metadata: Some(DataServerMetadata { labels }),
    }
}

fn one(server: Option<DataServer>) -> Answer {
    let server = server.unwrap_or_default();
    let value = value(&server);
    let identity = server.identity.clone().unwrap_or_default();
    Answer {
        value,
        told: Table {
            head: HEAD,
            rows: vec![vec![
                identity.name.unwrap_or_default(),
                identity.public,
                identity.internal,
                labels(&server),
            ]],
        }
        .print(),
    }
}

fn table_of_views(views: &[DataServerView]) -> Table {
    let row = |view: &DataServerView| {
        let server = view.data_server.clone().unwrap_or_default();
        let labels = labels(&server);
        let identity = server.identity.unwrap_or_default();
        vec![
            identity.name.unwrap_or_default(),
            identity.public,
            identity.internal,
            state(view).to_owned(),
            labels,
        ]
    };
    Table {
        head: HEAD_OF_VIEWS,
        rows: views.iter().map(row).collect(),
    }
}

fn state(view: &DataServerView) -> &'static str {
    let status = view.data_server_status.clone().unwrap_or_default();
    status.state().as_str_name()
}

fn labels(server: &DataServer) -> String {
    let labels = server.metadata.iter().flat_map(|it| &it.labels);
    let labels: Vec<_> = labels
        .map(|(label, text)| format!("{label}={text}"))
        .collect();
    labels.join(",")
}

/// A data server's name and addresses.
pub(super) fn identity(identity: &DataServerIdentity) -> Value {
    json!({
        "name": identity.name,
        "public": identity.public,
        "internal": identity.internal,
    })
}

fn value(server: &DataServer) -> Value {
    let metadata = server.metadata.clone().unwrap_or_default();
    json!({
        "identity": server.identity.as_ref().map(identity),
        "metadata": {"labels": metadata.labels},
    })
}

fn view_value(view: &DataServerView) -> Value {
    let features = view.data_server_status.iter();
    let features = features.flat_map(|status| status.supported_features());
    let features: Vec<_> = features.map(|it| it.as_str_name()).collect();
    json!({
        "data_server": view.data_server.as_ref().map(value),
        "data_server_status": {"state": state(view), "supported_features": features},
    })
}
