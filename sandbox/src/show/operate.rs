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

    /// Goes on with what was begun, if it has come so far.
    pub(super) async fn go_on(&mut self) -> Result<(), SandboxError> {
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
        let handing = self.cluster.hand_out_configuration(self.options.timeout);
        self.handing = Some(tokio::spawn(handing));
        Ok(())
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
