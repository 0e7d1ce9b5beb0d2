//! How tasks end that bring no answer.

use std::future::pending;

use async_trait::async_trait;
use stepdown_backends::memory::MemoryCluster;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, Version, WriteId};

use super::*;

/// Its head is never read, its document ends whoever reads it, and what it stores it forgets.
struct Odd;

#[async_trait]
impl StatusStore for Odd {
    async fn load(&self) -> LoadOutcome {
        panic!("no document can be read");
    }

    async fn head(&self) -> HeadOutcome {
        pending().await
    }

    async fn store(&self, _: Option<Version>, _: StatusDocument) -> StoreOutcome {
        StoreOutcome::Conflict("forgotten".to_owned())
    }
}

fn tasks() -> (Tasks, mpsc::Receiver<Event>) {
    let (events, queue) = mpsc::channel(8);
    let configuration = MemoryCluster::new().backend("a").configuration_store;
    let options = CallOptions::default();
    let mut tasks = Tasks::new(Arc::new(Odd), configuration, options, events);
    tasks.enter(Tenure(1));
    (tasks, queue)
}

fn store() -> Task {
    let (epoch, request, process) = (Epoch(1), RequestId(1), ProcessId(1));
    Task::Store {
        until: None,
        expected: None,
        document: StatusDocument {
            admits: false,
            epoch,
            write_id: WriteId {
                epoch,
                request,
                process,
            },
            status: Arc::new(ClusterStatus::default()),
        },
    }
}

#[tokio::test]
async fn a_task_that_panics_ends_so() {
    let (mut tasks, _queue) = tasks();
    tasks.begin(RequestId(7), Task::Load { until: None });
    assert_eq!(tasks.next().await, Some((RequestId(7), End::Panicked)));
    assert_eq!(tasks.next().await, None);
}

#[tokio::test]
async fn a_task_that_takes_too_long_or_is_aborted_ends_so() {
    let (mut tasks, _queue) = tasks();
    let until = Some(Timestamp(0));
    tasks.begin(RequestId(7), Task::ReadHead { until });
    assert_eq!(tasks.next().await, Some((RequestId(7), End::TimedOut)));
    tasks.begin(RequestId(8), Task::ReadHead { until: None });
    tasks.abort(RequestId(8));
    assert_eq!(tasks.next().await, Some((RequestId(8), End::Dropped)));
}

#[tokio::test]
async fn nothing_leaves_where_the_gate_has_closed_since_it_was_begun() {
    let (mut tasks, mut queue) = tasks();
    tasks.begin(RequestId(7), store());
    assert_eq!(tasks.next().await, Some((RequestId(7), End::NoAuthority)));
    tasks.set_gate(Timestamp(u64::MAX));
    tasks.begin(RequestId(8), store());
    assert_eq!(tasks.next().await, None);
    let event = queue.try_recv();
    assert!(matches!(event, Ok(Event::StoreEnded { .. })), "{event:?}");
    tasks.open(Arc::from("cluster")).unwrap();
    tasks.set_gate(Timestamp(0));
    let server = DataServerIdentity {
        name: None,
        public: Arc::from("nowhere:1"),
        internal: Arc::from("nowhere:2"),
    };
    tasks.begin(RequestId(9), Task::Watch { server });
    assert_eq!(tasks.next().await, Some((RequestId(9), End::NoAuthority)));
}
