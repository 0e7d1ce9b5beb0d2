//! The ledger by itself: what it stores, what it makes of every answer, what comes back durable.

mod admissions;
mod answers;
mod changes;
mod heads;
mod honest;
mod pace;
mod strangers;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Conclusion, Ledger, size};
use crate::call::Call;
use crate::cluster::{ClusterStatus, DataServerIdentity, NamespaceStatus, ShardMetadata};
use crate::context::{Context, Owner};
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, ProcessId, RequestId, ShardId, Term, Timestamp, Version, WriteId};
use crate::options::Timing;
use crate::report::Report;
use crate::store::{Head, HeadOutcome, LoadedStatus, StatusDocument, StoreOutcome};

const START: Timestamp = Timestamp(1_000_000_000);

/// A ledger and the context that it works with. What waits is a word.
#[derive(Clone)]
struct Desk {
    ledger: Ledger<&'static str>,
    context: Context,
    /// The last store that was sent.
    store: Option<Store>,
    /// The last head that was asked for.
    read: Option<RequestId>,
}

/// A store that was sent.
#[derive(Clone, Debug, PartialEq)]
struct Store {
    request: RequestId,
    expected: Option<Version>,
    document: StatusDocument,
}

impl Desk {
    /// Over such a document, before its fencing write.
    fn over(loaded: Option<LoadedStatus>) -> Self {
        let context = Context::new(Timing::default(), 42, START);
        let (process, epoch) = (ProcessId(7), Epoch(5));
        let id = || "made".into();
        let ledger = Ledger::new(process, epoch, loaded, id, START, &context.timing);
        Self {
            ledger,
            context,
            store: None,
            read: None,
        }
    }

    /// Over a namespace `n` of the shards 0, 1 and 2, a quiet second after the fencing write has
    /// made it version `v2`.
    fn quiet() -> Self {
        let mut status = ClusterStatus {
            shard_id_generator: 3,
            ..ClusterStatus::default()
        };
        status.namespaces.insert("n".into(), namespace(&[0, 1, 2]));
        let mut desk = Self::over(Some(loaded(status)));
        desk.work();
        desk.answer(StoreOutcome::Stored(Version::new("v2")));
        desk.drain();
        desk.pass(1_000);
        desk
    }

    /// Changes a shard of `n`: its term.
    fn change(&mut self, shard: i64, waits: &'static str) -> bool {
        let change = |shard: &mut ShardMetadata| shard.term = shard.term.next();
        self.ledger
            .change(&"n".into(), ShardId(shard), waits, change)
    }

    /// Adds a namespace of these shards, with what waits for each.
    fn admit(&mut self, name: &str, shards: &[(i64, &'static str)]) {
        let words: BTreeMap<ShardId, &str> =
            shards.iter().map(|(id, w)| (ShardId(*id), *w)).collect();
        let ids: Vec<i64> = words.keys().map(|id| id.0).collect();
        let next = ids.iter().max().unwrap() + 1;
        let waits = |shard: &ShardMetadata| {
            let id = shard.int32_hash_range.unwrap().min;
            words[&ShardId(id.into())]
        };
        self.ledger
            .admit(&name.into(), namespace(&ids), next, waits);
    }

    fn work(&mut self) -> String {
        self.ledger.work(&mut self.context);
        self.drain()
    }

    fn pass(&mut self, millis: u64) {
        self.context.now = self.context.now.after(Duration::from_millis(millis));
    }

    /// The last store is answered so.
    fn answer(&mut self, outcome: StoreOutcome) -> Conclusion<&'static str> {
        let request = self.store.as_ref().unwrap().request;
        self.hear(&Event::StoreEnded {
            tenure: self.context.tenure,
            request,
            outcome,
        })
    }

    /// The last read of the head is answered so.
    fn answer_read(&mut self, outcome: HeadOutcome) -> Conclusion<&'static str> {
        self.hear(&Event::HeadRead {
            tenure: self.context.tenure,
            request: self.read.unwrap(),
            outcome,
        })
    }

    fn hear(&mut self, event: &Event) -> Conclusion<&'static str> {
        let conclusion = self.ledger.hear(event, &mut self.context);
        assert_eq!(self.ledger.bytes, size::of_status(&self.ledger.working));
        conclusion.unwrap()
    }

    /// Asks a data server something, as a controller would.
    fn call(&mut self, server: &str) {
        let owner = Owner::Shard(ShardId(0));
        self.context
            .call(owner, &identity(server), Call::CheckHealth);
    }

    /// Whether what is asked of a data server now leaves.
    fn calls(&mut self) -> String {
        self.call("late");
        let asked = self.drain();
        match asked.as_str() {
            "late" => "sent".to_owned(),
            "-" => "held".to_owned(),
            _ => asked,
        }
    }

    /// How long it is until the ledger has something to do.
    fn deadline(&self) -> String {
        let Some(at) = self.ledger.deadline(&self.context.timing) else {
            return "-".to_owned();
        };
        let wait = at.since(self.context.now);
        let (first, half) = (Duration::from_millis(100), Duration::from_millis(50));
        if (first - half..=first + half).contains(&wait) {
            return "100ms±50".to_owned();
        }
        format!("{wait:?}")
    }

    /// What the ledger does at its deadline.
    fn work_at_deadline(&mut self) -> String {
        if let Some(at) = self.ledger.deadline(&self.context.timing) {
            self.context.now = at;
        }
        self.work()
    }

    /// What was asked for since the last time, in order.
    fn drain(&mut self) -> String {
        let mut words = Vec::new();
        while let Some(effect) = self.context.poll_effect() {
            words.push(self.describe(effect));
        }
        or_dash(words.join(", "))
    }

    fn describe(&mut self, effect: Effect) -> String {
        match effect {
            Effect::Store {
                request,
                expected,
                document,
                ..
            } => {
                let before = self.store.replace(Store {
                    request,
                    expected: expected.clone(),
                    document: document.clone(),
                });
                if let Some(before) = before
                    && (&before.document, &before.expected) == (&document, &expected)
                {
                    assert_ne!(before.request, request);
                    return "store same".to_owned();
                }
                assert_eq!(document.write_id.request, request);
                let names: Vec<&str> = document.status.namespaces.keys().map(|it| &**it).collect();
                let version = expected.map_or("nothing".into(), |version| version.0);
                format!("store [{}] over {version}", names.join(" "))
            }
            Effect::ReadHead { request, .. } => {
                self.read = Some(request);
                "read".to_owned()
            }
            Effect::Report(Report::StoreConcluded { outcome, .. }) => format!("tell {outcome:?}"),
            Effect::Call { server, .. } => server.public.to_string(),
            other => format!("{other:?}"),
        }
    }
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// A conclusion in a few words: shards with what has become durable with them.
fn words(conclusion: &Conclusion<&'static str>) -> String {
    match conclusion {
        Conclusion::Accepted(acceptances) => {
            let shards = acceptances.iter().map(|acceptance| {
                let durable = acceptance.durable.as_ref();
                let waited = durable.map_or("", |durable| *durable.fact());
                format!(" {}={waited}", acceptance.shard)
            });
            format!("accepted{}", shards.collect::<String>())
        }
        Conclusion::Conflict(reason) => {
            let (version, _writer) = reason.split_once(", written").unwrap_or((reason, ""));
            format!("conflict: {version}")
        }
        Conclusion::Nothing => "-".to_owned(),
        Conclusion::Refused(reason) => format!("refused: {reason}"),
        Conclusion::Rejected { namespaces, reason } => {
            format!("rejected {}: {reason}", namespaces.join(" "))
        }
    }
}

/// Whether the tenure ends with it: nothing is asked of the ledger any more.
fn is_over(conclusion: &Conclusion<&'static str>) -> bool {
    matches!(conclusion, Conclusion::Conflict(_) | Conclusion::Refused(_))
}

/// An honest yes to the last store, at this version.
fn stored(version: &str) -> StoreOutcome {
    StoreOutcome::Stored(Version::new(version))
}

fn ambiguous() -> StoreOutcome {
    StoreOutcome::Ambiguous("timed out".to_owned())
}

fn too_large() -> StoreOutcome {
    StoreOutcome::TooLarge("2 MiB".to_owned())
}

fn head(version: &str, write_id: Option<WriteId>) -> HeadOutcome {
    HeadOutcome::Found(Head {
        version: Version::new(version),
        write_id,
        intact: true,
    })
}

fn identity(name: &str) -> DataServerIdentity {
    DataServerIdentity {
        name: Some(name.into()),
        public: name.into(),
        internal: name.into(),
    }
}

fn namespace(shards: &[i64]) -> NamespaceStatus {
    let shard = |id: &i64| {
        let range = crate::cluster::HashRange {
            min: u32::try_from(*id).unwrap(),
            max: u32::MAX,
        };
        let shard = ShardMetadata {
            term: Term(0),
            ensemble: vec![identity("s1"), identity("s2")],
            int32_hash_range: Some(range),
            ..ShardMetadata::default()
        };
        (ShardId(*id), Arc::new(shard))
    };
    NamespaceStatus {
        replication_factor: 2,
        shards: shards.iter().map(shard).collect(),
    }
}

fn loaded(status: ClusterStatus) -> LoadedStatus {
    LoadedStatus {
        version: Version::new("v1"),
        epoch: Epoch(4),
        write_id: None,
        intact: true,
        status: Arc::new(status),
        bytes: 100,
    }
}
