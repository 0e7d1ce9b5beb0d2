//! A second namespace that comes and goes.

use tokio::time::Instant;

use super::operation::Operation;
use super::state::Show;
use super::undertaking::Undertaking;
use crate::cluster::{NamespaceOptions, SandboxError};
use crate::workload::Entries;

/// So many shards it has at most.
const FEW: u32 = 4;

impl Show {
    /// Of a few shards, as often replicated as those of the first.
    pub(super) fn second_namespace(&self) -> Result<NamespaceOptions, String> {
        match self.namespaces.as_slice() {
            [first] => Ok(NamespaceOptions {
                name: format!("{}-2", first.name),
                shards: first.shards.min(FEW),
                replication_factor: first.replication_factor,
            }),
            [] => Err("there is no first namespace".to_owned()),
            [_, second, ..] => Err(format!(
                "there is a second namespace already, {}; delete-namespace deletes it",
                second.name
            )),
        }
    }

    pub(super) fn make(
        &mut self,
        namespace: NamespaceOptions,
    ) -> Result<Undertaking, SandboxError> {
        let NamespaceOptions { name, shards, .. } = namespace.clone();
        self.namespaces.push(namespace);
        self.configure()?;
        self.tell(&format!("we add the namespace {name}, of {shards} shards"));
        Ok(Undertaking::Make {
            namespace: name,
            shards: usize::try_from(shards).unwrap_or(usize::MAX),
        })
    }

    /// Nobody can be asked for it once it is deleted.
    pub(super) fn read_back(&mut self, namespace: String) -> Undertaking {
        let deadline = Instant::now() + self.options.timeout;
        let reading = tokio::spawn(self.workload.close(&namespace, deadline));
        self.tell(&format!(
            "we write no more to {namespace}, and read it back"
        ));
        Undertaking::ReadBack { namespace, reading }
    }

    pub(super) fn delete(
        &mut self,
        namespace: String,
        read: Entries,
    ) -> Result<Undertaking, SandboxError> {
        let Entries {
            acknowledged,
            verified,
            ..
        } = read;
        if verified != acknowledged {
            return Err(SandboxError::Refused {
                step: Operation::DeleteNamespace.to_string(),
                reason: format!(
                    "of {acknowledged} acknowledged entries of {namespace}, {verified} were read back; it is left as it is"
                ),
            });
        }
        self.workload.forget(&namespace, read);
        self.namespaces.retain(|it| it.name != namespace);
        self.configure()?;
        self.tell(&format!(
            "all {verified} entries of {namespace} are there; we take it out of the configuration"
        ));
        Ok(Undertaking::Delete { namespace })
    }
}
