//! What the machine costs at 10,000 shards: a conflict, the documents, the placement.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench may stop at anything odd; criterion's macros make public items"
)]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use stepdown_core::call::{Answer, Binding, Call, EntryId};
use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus};
use stepdown_core::store::{LoadOutcome, StoreOutcome};
use stepdown_core::{
    ConfigurationText, CoordinatorState, Effect, Epoch, Event, Options, ProcessId, Timestamp,
    Timing, Version,
};

const SHARDS: usize = 10_000;

/// A leader of [`SHARDS`] shards, all led, brought there by a world that answers everything well.
fn leader() -> CoordinatorState {
    let options = Options {
        process: ProcessId(1),
        seed: 1,
        timing: Timing::default(),
    };
    let mut now = Timestamp(0);
    let mut machine = CoordinatorState::new(options, now);
    machine.handle(
        now,
        Event::ConfigurationRead(ConfigurationText {
            source: "bench".to_owned(),
            text: Some(configuration(3)),
        }),
    );
    let mut version = 0;
    while machine.steady_shards() != Some((SHARDS, SHARDS)) {
        while let Some(effect) = machine.poll_effect() {
            if let Some(event) = answer(effect, &mut version) {
                machine.handle(now, event);
            }
        }
        if let Some((at, _)) = machine.poll_deadline() {
            now = now.max(at);
            machine.handle(now, Event::TimePassed);
        }
    }
    machine
}

fn answer(effect: Effect, version: &mut u64) -> Option<Event> {
    match effect {
        Effect::Campaign { tenure } => Some(Event::LeadershipWon {
            tenure,
            authority: None,
        }),
        Effect::Load { tenure, request } => Some(Event::Loaded {
            tenure,
            request,
            outcome: LoadOutcome::Absent { epoch: Epoch(0) },
        }),
        Effect::Store {
            tenure, request, ..
        } => {
            *version += 1;
            Some(Event::StoreEnded {
                tenure,
                request,
                outcome: StoreOutcome::Stored(Version::new(version.to_string())),
            })
        }
        Effect::Call {
            tenure,
            request,
            call,
            ..
        } => Some(Event::CallAnswered {
            tenure,
            request,
            result: Ok(match call {
                Call::AddFollower(_) => Answer::FollowerAdded,
                Call::BecomeLeader(_) => Answer::BecameLeader,
                Call::CheckHealth => Answer::Health { serving: true },
                Call::DeleteShard(_) => Answer::ShardDeleted,
                Call::GetStatus { .. } => return None,
                Call::Handshake => Answer::Handshaken {
                    binding: Binding::Bound,
                    features: [].into(),
                },
                Call::NewTerm(_) => Answer::Fenced(EntryId::NONE),
                Call::Truncate(call) => Answer::Truncated(call.head),
            }),
        }),
        Effect::Cancel { .. }
        | Effect::CloseOffice { .. }
        | Effect::Exit
        | Effect::ForgetServer { .. }
        | Effect::PushAssignments { .. }
        | Effect::ReadConfiguration { .. }
        | Effect::ReadHead { .. }
        | Effect::Release { .. }
        | Effect::Report(_)
        | Effect::OpenOffice { .. }
        | Effect::WatchHealth { .. } => None,
    }
}

fn configuration(servers: usize) -> String {
    let mut text = format!(
        "namespaces:\n  - {{name: default, initialShardCount: {SHARDS}, replicationFactor: 3}}\nservers:\n"
    );
    for server in 0..servers {
        writeln!(
            text,
            "  - {{name: s{server}, public: 's{server}.example:6648', internal: 's{server}.example:6649'}}"
        )
        .unwrap();
    }
    text
}

fn benches(criterion: &mut Criterion) {
    criterion.bench_function(
        "leadership lost at 10,000 shards, to the last effect",
        |bench| {
            bench.iter_batched(
                leader,
                |mut machine| {
                    let tenure = machine.tenure();
                    let reason = "bench".to_owned();
                    machine.handle(
                        Timestamp(u64::MAX),
                        Event::LeadershipLost { tenure, reason },
                    );
                    while let Some(effect) = machine.poll_effect() {
                        black_box(effect);
                    }
                    machine
                },
                BatchSize::PerIteration,
            );
        },
    );
    let status = ClusterStatus::clone(leader().status().unwrap());
    let text = status.encode();
    criterion.bench_function("status of 10,000 shards, written", |bench| {
        bench.iter(|| black_box(&status).encode());
    });
    criterion.bench_function("status of 10,000 shards, read", |bench| {
        bench.iter(|| ClusterStatus::decode(black_box(&text)).unwrap());
    });
    let text = configuration(100);
    criterion.bench_function("configuration of 100 servers, read", |bench| {
        bench.iter(|| ClusterConfiguration::read(Some(black_box(&text))).unwrap());
    });
}

criterion_group! {
    name = core;
    config = Criterion::default().sample_size(10);
    targets = benches
}
criterion_main!(core);
