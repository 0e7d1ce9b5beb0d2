//! Does what an operator does with servers and namespaces, one thing at a time.

use std::io;

use tokio::task::JoinError;

use super::operation::Operation;
use super::state::Show;
use super::undertaking::Undertaking;
use crate::cluster::SandboxError;

impl Show {
    /// Does what a key asks for, or says why not.
    pub(super) fn asked(&mut self, operation: Operation) -> Result<(), SandboxError> {
        match self.begin(operation) {
            Err(refused @ SandboxError::Refused { .. }) => {
                self.tell(&refused.to_string());
                Ok(())
            }
            begun => begun,
        }
    }

    /// Begins it; nothing is written where it is refused.
    pub(super) fn begin(&mut self, operation: Operation) -> Result<(), SandboxError> {
        let refused = |reason| SandboxError::Refused {
            step: operation.to_string(),
            reason,
        };
        if let Some(left) = self.left() {
            return Err(refused(format!("one thing at a time: we wait for {left}")));
        }
        let begun = match operation {
            Operation::AddDataServer => self.add_data_server()?,
            Operation::DrainDataServer => {
                let index = self.drainable().map_err(refused)?;
                self.drain(index)?
            }
            Operation::AddNamespace => {
                let second = self.second_namespace().map_err(refused)?;
                self.make(second)?
            }
            Operation::DeleteNamespace => {
                let second = self.namespaces.get(1).map(|it| it.name.clone());
                let none =
                    || refused("there is no second namespace; add-namespace makes one".to_owned());
                self.read_back(second.ok_or_else(none)?)
            }
        };
        self.undertaking = Some(begun);
        Ok(())
    }

    /// What is still to come of what was begun.
    pub(super) fn left(&self) -> Option<String> {
        let undertaking = self.undertaking.as_ref()?;
        if self.handing.is_some() {
            return Some("the coordinators to take the configuration".to_owned());
        }
        let missing = undertaking.missing(&self.seen);
        Some(missing.unwrap_or_else(|| "another look".to_owned()))
    }

    /// Goes on with what was begun, if it has come so far. What a key has begun may be refused, and is told; a
    /// script ends there.
    pub(super) async fn go_on(&mut self) -> Result<(), SandboxError> {
        let is_asked_by_key = self.options.script.is_none();
        match self.go_on_by_script().await {
            Err(refused @ SandboxError::Refused { .. }) if is_asked_by_key => {
                self.tell(&refused.to_string());
                Ok(())
            }
            // The cluster is not what it is to be until somebody has taken it.
            Err(untaken @ SandboxError::Documents(_)) if is_asked_by_key => {
                self.tell(&format!("{untaken}; they are asked again"));
                self.hand_out();
                Ok(())
            }
            gone_on => gone_on,
        }
    }

    async fn go_on_by_script(&mut self) -> Result<(), SandboxError> {
        if let Some(handed) = self.handing.take_if(|it| it.is_finished()) {
            handed.await.map_err(broken)??;
        }
        if self.handing.is_some() {
            return Ok(());
        }
        if let Some(undertaking) = self.undertaking.take() {
            self.undertaking = self.go_on_with(undertaking).await?;
        }
        Ok(())
    }

    async fn go_on_with(
        &mut self,
        undertaking: Undertaking,
    ) -> Result<Option<Undertaking>, SandboxError> {
        let is_missing = undertaking.missing(&self.seen).is_some();
        match undertaking {
            Undertaking::End { server, deadline } => self.await_end(server, deadline),
            Undertaking::ReadBack { namespace, reading } if reading.is_finished() => {
                let entries = reading.await.map_err(broken)?;
                self.delete(namespace, entries).map(Some)
            }
            waiting if is_missing => Ok(Some(waiting)),
            Undertaking::Drain { server } => self.end_data_server(&server),
            Undertaking::Add { server, .. } => {
                self.tell(&format!("{server} has its share"));
                Ok(None)
            }
            Undertaking::Make { namespace, .. } => {
                self.tell(&format!("{namespace} is made"));
                Ok(None)
            }
            Undertaking::Delete { namespace } => {
                self.tell(&format!("{namespace} is deleted"));
                Ok(None)
            }
            read @ Undertaking::ReadBack { .. } => Ok(Some(read)),
        }
    }

    /// Writes the configuration, and has it handed out meanwhile.
    pub(super) fn configure(&mut self) -> Result<(), SandboxError> {
        self.cluster.configure(&self.namespaces)?;
        self.hand_out();
        Ok(())
    }

    fn hand_out(&mut self) {
        let handing = self.cluster.hand_out_configuration(self.options.timeout);
        self.handing = Some(tokio::spawn(handing));
    }

    /// How many data servers there have to be.
    pub(super) fn replication_factor(&self) -> u32 {
        let all = self.namespaces.iter().map(|it| it.replication_factor);
        all.max().unwrap_or_default()
    }
}

fn broken(error: JoinError) -> SandboxError {
    SandboxError::os("wait for a task")(io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::time::Duration;

    use stepdown_backends::raft::admin::AdminCallError;
    use tempfile::TempDir;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;
    use crate::cluster::{Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions};
    use crate::show::state::ShowOptions;
    use crate::workload::Entries;

    /// Of a cluster in which nobody is.
    fn show(dir: &TempDir, script: Option<&str>) -> Show {
        let namespaces = ["default", "default-2"].map(|name| NamespaceOptions {
            name: name.to_owned(),
            shards: 1,
            replication_factor: 1,
        });
        let cluster = Cluster::start(&ClusterOptions {
            program: "none".into(),
            dir: dir.path().to_path_buf(),
            metadata: Metadata::File,
            coordinators: 0,
            data_servers: 0,
            data_server_kind: DataServerKind::Sandbox,
            unlisted: [].into(),
            namespaces: namespaces.to_vec(),
            coordinator_words: Vec::new(),
        });
        let options = ShowOptions {
            script: script.map(|it| it.parse().unwrap()),
            duration: None,
            timeout: Duration::from_secs(1),
        };
        Show::open(cluster.unwrap(), namespaces.to_vec(), options).unwrap()
    }

    async fn finished<T: Send + 'static>(result: T) -> JoinHandle<T> {
        let task = tokio::spawn(ready(result));
        while !task.is_finished() {
            yield_now().await;
        }
        task
    }

    async fn half_read() -> Undertaking {
        Undertaking::ReadBack {
            namespace: "default-2".to_owned(),
            reading: finished(Entries {
                acknowledged: 2,
                verified: 1,
                lost: 0,
            })
            .await,
        }
    }

    #[tokio::test]
    async fn a_namespace_that_is_not_read_back_is_left_as_it_is_and_ends_nothing_but_a_script() {
        let dir = tempfile::tempdir().unwrap();
        let mut by_key = show(&dir, None);
        by_key.undertaking = Some(half_read().await);
        by_key.go_on().await.unwrap();
        assert!(by_key.undertaking.is_none());
        assert_eq!(by_key.namespaces.len(), 2);
        by_key.asked(Operation::DeleteNamespace).unwrap();
        assert!(by_key.undertaking.is_some());

        let dir = tempfile::tempdir().unwrap();
        let mut by_script = show(&dir, Some("delete-namespace"));
        by_script.undertaking = Some(half_read().await);
        let refused = by_script.go_on().await.unwrap_err().to_string();
        assert!(refused.contains("1 were read back"), "{refused}");
    }

    #[tokio::test]
    async fn a_configuration_that_nobody_has_taken_is_handed_out_again_unless_a_script_wants_it() {
        let untaken = || Err(AdminCallError::NobodyAnswers(Vec::new()).into());
        let deleting = || Undertaking::Delete {
            namespace: "default-2".to_owned(),
        };
        let dir = tempfile::tempdir().unwrap();
        let mut by_key = show(&dir, None);
        by_key.undertaking = Some(deleting());
        by_key.handing = Some(finished(untaken()).await);
        by_key.go_on().await.unwrap();
        assert!(by_key.handing.is_some());
        assert!(by_key.undertaking.is_some());

        let dir = tempfile::tempdir().unwrap();
        let mut by_script = show(&dir, Some("delete-namespace"));
        by_script.undertaking = Some(deleting());
        by_script.handing = Some(finished(untaken()).await);
        assert!(by_script.go_on().await.is_err());
    }
}
