//! The configuration document, and hints of others' writes: both follow what the node applies.

use std::sync::Arc;

use stepdown_core::{ConfigurationText, ProcessId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::machine::Machine;
use super::node::Node;
use crate::backend::{ConfigurationSource, StatusHints};

pub(super) struct Following {
    configuration: watch::Receiver<Option<ConfigurationText>>,
    hints: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Following {
    pub(super) fn new(node: Arc<Node>, process: ProcessId) -> Self {
        let (configuration, configurations) = watch::channel(None);
        let (hint, hints) = watch::channel(0);
        let known = node.held().machine.version();
        let task = tokio::spawn(follow(node, process, known, configuration, hint));
        Self {
            configuration: configurations,
            hints,
            task,
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConfigurationSource for Following {
    fn watch(&self) -> watch::Receiver<Option<ConfigurationText>> {
        self.configuration.clone()
    }
}

impl StatusHints for Following {
    fn watch(&self) -> watch::Receiver<u64> {
        self.hints.clone()
    }
}

async fn follow(
    node: Arc<Node>,
    process: ProcessId,
    mut known: Option<u64>,
    configuration: watch::Sender<Option<ConfigurationText>>,
    hint: watch::Sender<u64>,
) {
    let mut held = node.held.clone();
    let mut is_current = false;
    loop {
        // What a node holds when it starts may be long out of date.
        is_current = is_current || node.read().await.is_ok();
        let now = held.borrow_and_update().clone();
        if is_current {
            publish(&configuration, &now.machine);
        }
        if now.machine.version() != known {
            known = now.machine.version();
            if !is_own(&now.machine, process) {
                hint.send_modify(|count| *count += 1);
            }
        }
        if is_current && held.changed().await.is_err() {
            return;
        }
    }
}

fn publish(configuration: &watch::Sender<Option<ConfigurationText>>, machine: &Machine) {
    let version = machine.configuration.version;
    let text = machine.configuration.text.as_deref().map(str::to_owned);
    let absent = if text.is_none() {
        " (none was imported)"
    } else {
        ""
    };
    let text = ConfigurationText {
        source: format!("raft, version {version}{absent}"),
        text,
    };
    configuration.send_if_modified(|present| {
        let differs = present.as_ref() != Some(&text);
        *present = Some(text);
        differs
    });
}

fn is_own(machine: &Machine, process: ProcessId) -> bool {
    let write_id = machine.status.as_ref().and_then(|record| record.write_id);
    write_id.is_some_and(|write_id| write_id.process == process)
}
