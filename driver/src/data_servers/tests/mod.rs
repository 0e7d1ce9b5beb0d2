//! Against a data server made of tonic, on a port of this machine.

mod calls;
mod connections;
mod late;
mod limits;
mod nonsense;
mod peer;
mod streams;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{Call, NewTerm};
use stepdown_core::cluster::KeySorting;
use stepdown_core::{ShardId, Term};

use super::{CallOptions, DataServers};

const INSTANCE: &str = "5b8ac5d6-0000-4000-8000-5d0f5ac9a0c5";

fn servers() -> DataServers {
    servers_with(CallOptions::default())
}

fn servers_with(options: CallOptions) -> DataServers {
    DataServers::new(options, Arc::from(INSTANCE)).unwrap()
}

/// Deadlines short enough to wait for.
fn impatient() -> CallOptions {
    let deadline = Duration::from_millis(50);
    CallOptions {
        deadline,
        health_deadline: deadline,
        ..CallOptions::default()
    }
}

fn new_term(shard: i64) -> Call {
    Call::NewTerm(NewTerm {
        namespace: Arc::from("default"),
        shard: ShardId(shard),
        term: Term(4),
        enable_notifications: true,
        key_sorting: KeySorting::Hierarchical,
    })
}
