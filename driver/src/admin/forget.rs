//! Data servers that never come back are given up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus, DataServerIdentity};
use stepdown_core::{ServerId, ServerState};
use stepdown_wire::operator::ForgetDataServerResponse;
use tokio::time::timeout;
use tonic::{Extensions, Status};

use super::lasting::to_its_end;
use super::method::Method;
use super::office::{Office, Seen};
use super::refusals::not_written_down;
use super::service::Admin;
use super::target::Target;
use crate::audit::{Audit, Change, Outcome};
use crate::auth::Caller;
use crate::event_loop::Operator;

const METHOD: Method = Method::ForgetDataServer;
/// How long shards may take to be stored without a server that is given up.
const PATIENCE: Duration = Duration::from_secs(5);

impl Admin {
    pub(super) async fn forget(
        &self,
        extensions: &Extensions,
        name: String,
    ) -> Result<ForgetDataServerResponse, Status> {
        let caller = self.check(METHOD, extensions, None)?;
        let seen = self.office.open()?;
        if name.is_empty() {
            return Err(Status::invalid_argument(
                "data server name must not be empty",
            ));
        }
        let undecided = format!("{name} is given up");
        let id = ServerId(name.into());
        let configuration = self.latest.configuration().unwrap_or_default();
        let waited = may_be_forgotten(&id, &configuration, &seen)?;
        let forgetting = Forgetting {
            office: self.office.clone(),
            operator: self.operator.clone(),
            audit: self.audit.clone(),
            caller,
            id,
        };
        let forgotten = forgetting.carry_out(seen, waited);
        to_its_end(&self.runtime, &undecided, forgotten).await
    }
}

/// All that it takes to give up on a data server, whoever still waits for that.
struct Forgetting {
    office: Office,
    operator: Operator,
    audit: Audit,
    caller: Caller,
    id: ServerId,
}

impl Forgetting {
    async fn carry_out(self, seen: Seen, waited: u32) -> Result<ForgetDataServerResponse, Status> {
        let id = &self.id;
        let change = Change {
            caller: &self.caller,
            action: METHOD.name(),
            target: &Target::DataServer(id.to_string()).to_string(),
            before: json!({"shards that wait for it": waited}),
            after: Value::Null,
            epoch: seen.epoch.map(|it| it.0),
        };
        let record = self.audit.begin(change).await;
        let record = record.map_err(|error| not_written_down(&error))?;
        let given_up = self.give_up().await;
        let outcome = match &given_up {
            Ok(()) => Outcome::Done,
            Err(status) => Outcome::Failed(status.message().to_owned()),
        };
        // The log says if that can't be written; what is done is done.
        let _ = record.end(outcome).await;
        given_up?;
        Ok(ForgetDataServerResponse {
            shards: waited,
            left: self.left().await?,
        })
    }

    async fn give_up(&self) -> Result<(), Status> {
        let id = &self.id;
        // The machine may have left office while it was written down.
        self.office.open()?;
        if self.operator.give_up(id.clone()).await {
            return Ok(());
        }
        self.office.open()?;
        Err(Status::failed_precondition(format!(
            "{id} was not given up: it answers, or is configured, by now, or what has its address can be asked \
             for it"
        )))
    }

    /// How many shards wait for it still, once that does not change any more.
    async fn left(&self) -> Result<u32, Status> {
        let id = &self.id;
        let mut view = self.office.view.clone();
        let is_done = |status: &Option<Arc<ClusterStatus>>| {
            status
                .as_ref()
                .is_none_or(|status| waiting(status, id) == 0)
        };
        // Where it takes longer, the answer says how many are left.
        let _ = timeout(PATIENCE, view.wait_for(|view| is_done(&view.status))).await;
        match self.office.open() {
            Ok(seen) => Ok(waiting(&seen.status, id)),
            // Whoever is sent to another leader would say it again there.
            Err(_) => Err(Status::unavailable(format!(
                "{id} was given up, and this coordinator does not lead any more; it is not known whether shards wait \
                 for it still: stepdown admin data-server drain-status {id} shows that"
            ))),
        }
    }
}

/// How many shards wait for it, if it can be given up.
fn may_be_forgotten(
    id: &ServerId,
    configuration: &ClusterConfiguration,
    seen: &Seen,
) -> Result<u32, Status> {
    if configuration.servers.iter().any(|it| it.id() == *id) {
        return Err(Status::failed_precondition(format!(
            "{id} is configured: take it out first (stepdown admin data-server delete {id}), and wait until its \
             shards have left it (stepdown admin data-server drain-status {id})"
        )));
    }
    let state = seen.servers.get(id).map(|it| it.state);
    if matches!(state, Some(ServerState::Running | ServerState::Draining))
        && !seen.status.is_replaced(id, configuration)
    {
        let deletes = match in_its_place(id, configuration, &seen.status) {
            Some(other) => format!(
                "{other} has the address of {id} by now, and is asked to delete what {id} had of shards that {other} \
                 is no replica of: they have to be led first, and all of a shard's replicas to have what is committed"
            ),
            None => format!(
                "{id} runs, or did a moment ago, and deletes what it has once it is asked to: stop it for good \
                 first, if that is not to be"
            ),
        };
        return Err(Status::failed_precondition(deletes));
    }
    let members = seen.status.shards();
    let members = members.filter(|(_, _, shard)| {
        let mut members = shard.ensemble.iter().chain(&shard.removed_nodes);
        !shard.is_deleting() && members.any(|it| it.id() == *id)
    });
    match (members.count(), waiting(&seen.status, id)) {
        (0, 0) => Err(Status::not_found(format!(
            "no shard waits for a data server {id}: there is nothing to forget"
        ))),
        (0, waiting) => Ok(waiting),
        (members, _) => Err(Status::failed_precondition(format!(
            "{id} is a member of {members} shards still: nobody forgets it before they have left it (stepdown \
             admin data-server drain-status {id})"
        ))),
    }
}

/// Who is configured at the address at which a data server was last.
fn in_its_place(
    id: &ServerId,
    configuration: &ClusterConfiguration,
    status: &ClusterStatus,
) -> Option<ServerId> {
    let waited_for = status.shards().find_map(|(_, _, shard)| {
        let pending = shard.pending_delete_shard_nodes.iter();
        let mut all = pending.chain(&shard.ensemble).chain(&shard.removed_nodes);
        all.find(|it| it.id() == *id)
    })?;
    let mut servers = configuration.servers.iter();
    let other = servers.find(|it| it.internal == waited_for.internal);
    other.map(DataServerIdentity::id)
}

/// How many shards wait for a data server to delete what it had.
fn waiting(status: &ClusterStatus, id: &ServerId) -> u32 {
    let shards = status.shards().filter(|(_, _, shard)| {
        let pending = shard.pending_delete_shard_nodes.iter();
        let members = shard.ensemble.iter().chain(&shard.removed_nodes);
        let members = members.filter(|_| shard.is_deleting());
        pending.chain(members).any(|it| it.id() == *id)
    });
    u32::try_from(shards.count()).unwrap_or(u32::MAX)
}
