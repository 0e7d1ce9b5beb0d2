//! What is done to a mixed cluster.

use serde_json::json;

use super::mixed::{SHARDS, done};
use super::{Mixed, OxiaServer};

impl Mixed {
    /// Asks a coordinator to end (SIGTERM), and does not wait for it.
    pub fn terminate(&mut self, name: &str) {
        let leaving = self.members.remove(name);
        let leaving = leaving.expect("there is such a coordinator");
        done(leaving.process().terminate());
        self.leaving.push(leaving);
    }

    /// Kills a coordinator (SIGKILL).
    pub fn kill(&mut self, name: &str) {
        // Dropping it does.
        self.members
            .remove(name)
            .expect("there is such a coordinator");
    }

    /// Kills a data server (SIGKILL), and starts it again once others lead all that it has led.
    pub async fn kill_server(&mut self, index: usize) {
        let server = self.servers.get_mut(index);
        let server = server.expect("there is such a data server");
        done(server.process_mut().kill());
        let identity = server.identity().clone();
        self.until("others to lead", async |mixed| {
            let status = mixed.documents.status().await?;
            let mut leaders = status.shards().map(|it| it.2.leader.as_ref());
            let others = leaders.all(|it| it.is_some_and(|it| it.internal != identity.internal));
            (others && mixed.probe().is_silent(&identity)).then_some(())
        })
        .await;
        let server = self.servers.get_mut(index);
        done(server.map_or(Ok(()), |it| it.process_mut().restart()));
    }

    /// Adds a namespace of one shard to the configuration.
    pub async fn add_namespace(&mut self) {
        self.namespaces += 1;
        self.configure().await;
    }

    /// Waits until every namespace of the configuration is in the document, and steady.
    pub async fn has_every_namespace(&mut self) {
        self.until("every namespace to be led", async |mixed| {
            let status = mixed.documents.status().await?;
            let are_all = status.namespaces.len() == usize::try_from(mixed.namespaces).ok()?;
            let led = status.shards().all(|it| it.2.leader.is_some());
            (are_all && led).then_some(())
        })
        .await;
    }

    pub(super) async fn configure(&self) {
        let namespace = |(name, shards)| json!({"name": name, "initialShardCount": shards, "replicationFactor": 3});
        let added = (1..self.namespaces).map(|it| (format!("added-{it}"), 1));
        let all = std::iter::once(("default".to_owned(), SHARDS)).chain(added);
        let namespaces: Vec<_> = all.map(namespace).collect();
        let servers = self.servers.iter().map(OxiaServer::identity);
        let servers: Vec<_> = servers
            .map(|it| json!({"name": it.name, "public": it.public, "internal": it.internal}))
            .collect();
        let document = json!({"namespaces": namespaces, "servers": servers});
        self.documents.configure(&document.to_string()).await;
    }
}
