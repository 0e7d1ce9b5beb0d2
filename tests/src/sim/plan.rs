//! What a run is made of: drawn from a seed by proptest, so that a failing one shrinks.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::lease::{LeaseTrouble, trouble};

/// One run: the cluster and what befalls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where all other chance comes from.
    pub seed: u64,
    /// How many coordinators there are.
    pub coordinators: usize,
    /// How many data servers there are.
    pub servers: usize,
    /// The replication factor of every namespace.
    pub replication: u32,
    /// Shards of the first namespace.
    pub shards: u32,
    /// How leadership is had.
    pub leadership: Leadership,
    /// Whether a lease may be watched.
    pub watched: bool,
    /// Whether clocks differ in rate by more than a lease allows for.
    pub wild_clocks: bool,
    /// Whether a process knows its pod.
    pub pods: bool,
    /// Whether two coordinators have the same name.
    pub namesakes: bool,
    /// How long things go wrong, in seconds.
    pub chaos: u32,
    /// Whether a minority of data servers and all coordinators but one stay down at the end.
    pub partial_heal: bool,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// How leadership is had, and which kind of store comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// A lease that must be renewed, and a store over a network: a refusal is ambiguous.
    Lease,
    /// A lock that can't be lost while the process lives, and a local store: a refusal is definite.
    Lock,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When, in thousandths of the time in which things go wrong.
    pub permille: u32,
    /// Which coordinator or data server; taken modulo their number.
    pub target: usize,
    /// How long, in milliseconds.
    pub lasts: u32,
    /// What.
    pub kind: FaultKind,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the names say it; faults.rs says what each does"
)]
pub enum FaultKind {
    Shutdown,
    Crash { after_effects: u32 },
    Pause { after_effects: u32 },
    CallsQueued { most_ms: u32 },
    ClockJumps { by_ms: u32 },
    Junk,
    Hint,
    Cut { coordinator: usize },
    CutRequests { coordinator: usize },
    CutAnswers { coordinator: usize },
    Lossy { percent: u32 },
    Slow { most_ms: u32 },
    Duplicate { percent: u32 },
    Reset,
    CutPeers { other: usize },
    StoreUnavailable,
    StoreSlow { most_ms: u32 },
    StoreStalled,
    StoreAppliedUnheard,
    StoreLostUnheard,
    StoreAppliedLate,
    StoreRefuses { how: u8 },
    StoreKeepsRefusing { how: u8 },
    StoreReadsOld,
    StoreCorrupt,
    ForeignTouch,
    ForeignElection,
    DocumentRestored,
    Lease(LeaseTrouble),
    LossReported,
    ServerCrash { tail_lost: bool, refuses: bool },
    ServerRestarts { times: u32, apart_ms: u32 },
    ServerRestartsUnwatched { down_ms: u32 },
    ServerSilent,
    ServerAhead { by: u32 },
    DiesUnsynced { after_ms: u32 },
    MajorityAway,
    DiskEmptied,
    DiskRolledBack,
    LogTrimmed,
    NotServing,
    SlowProbes,
    SlowSyncs,
    WatchBroken,
    WritesAlone { leaders: u32 },
    BecomeLeaderHangs,
    OtherCluster,
    NamespaceAdded,
    NamespaceRemoved,
    ConfigurationBroken { how: u8 },
    ConfigurationUnheard,
    ConfigurationUnreadable,
    AddressChanged,
    ServerAdded,
    ServerRemoved,
    ServerLost,
}

impl FaultKind {
    /// Whether it leaves coordinators, their store and their lease alone.
    pub(super) fn is_of_a_server(self) -> bool {
        match self {
            Self::BecomeLeaderHangs
            | Self::Cut { .. }
            | Self::CutAnswers { .. }
            | Self::CutPeers { .. }
            | Self::CutRequests { .. }
            | Self::DiesUnsynced { .. }
            | Self::DiskEmptied
            | Self::DiskRolledBack
            | Self::Duplicate { .. }
            | Self::LogTrimmed
            | Self::Lossy { .. }
            | Self::MajorityAway
            | Self::NotServing
            | Self::OtherCluster
            | Self::Reset
            | Self::ServerAhead { .. }
            | Self::ServerCrash { .. }
            | Self::ServerRestarts { .. }
            | Self::ServerRestartsUnwatched { .. }
            | Self::ServerSilent
            | Self::Slow { .. }
            | Self::SlowProbes
            | Self::SlowSyncs
            | Self::WatchBroken
            | Self::WritesAlone { .. } => true,
            Self::AddressChanged
            | Self::CallsQueued { .. }
            | Self::ClockJumps { .. }
            | Self::ConfigurationBroken { .. }
            | Self::ConfigurationUnheard
            | Self::ConfigurationUnreadable
            | Self::Crash { .. }
            | Self::DocumentRestored
            | Self::ForeignElection
            | Self::ForeignTouch
            | Self::Hint
            | Self::Junk
            | Self::Lease(_)
            | Self::LossReported
            | Self::NamespaceAdded
            | Self::NamespaceRemoved
            | Self::Pause { .. }
            | Self::ServerAdded
            | Self::ServerLost
            | Self::ServerRemoved
            | Self::Shutdown
            | Self::StoreAppliedLate
            | Self::StoreAppliedUnheard
            | Self::StoreCorrupt
            | Self::StoreKeepsRefusing { .. }
            | Self::StoreLostUnheard
            | Self::StoreReadsOld
            | Self::StoreRefuses { .. }
            | Self::StoreSlow { .. }
            | Self::StoreStalled
            | Self::StoreUnavailable => false,
        }
    }
}

/// How large runs may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest time in which things go wrong, in seconds.
    pub chaos: u32,
    /// The most shards.
    pub shards: u32,
    /// The most faults.
    pub faults: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            chaos: 600,
            shards: 12,
            faults: 24,
        }
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64, bounds: Bounds) -> Self {
        Self::tree(seed, bounds).current()
    }

    /// A plan in which nothing else goes wrong than this, with shards of three replicas: it finds in a few
    /// seeds what plans of everything find in thousands.
    pub fn of_kinds(seed: u64, kinds: &'static [FaultKind]) -> Self {
        let bounds = Bounds {
            shards: 3,
            ..Bounds::default()
        };
        let faults = vec(fault(select(kinds).boxed()), 8..bounds.faults);
        Self {
            replication: 3,
            partial_heal: false,
            faults: draw(seed, &faults).current(),
            ..Self::of(seed, bounds)
        }
    }

    /// The plan of a seed, with the ways to shrink it.
    pub fn tree(seed: u64, bounds: Bounds) -> Box<dyn ValueTree<Value = Self>> {
        Box::new(draw(seed, &strategy(seed, bounds)))
    }
}

fn draw<S: Strategy>(seed: u64, strategy: &S) -> S::Tree {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy
        .new_tree(&mut runner)
        .expect("nothing is filtered, so every draw gives one")
}

fn strategy(seed: u64, bounds: Bounds) -> BoxedStrategy<Plan> {
    let faults = prop_oneof![
        1 => Just(Vec::new()),
        1 => vec(fault(Just(FaultKind::Shutdown).boxed()), 1..4),
        6 => vec(fault(kind()), 1..bounds.faults),
        3 => few_kinds(bounds),
    ];
    let size = (
        1..=5_usize,
        3..=6_usize,
        prop_oneof![1 => Just(1_u32), 1 => Just(2), 7 => Just(3), 1 => Just(5)],
        1..=bounds.shards,
    );
    let leadership = prop_oneof![2 => Just(Leadership::Lease), 1 => Just(Leadership::Lock)];
    let election = (
        leadership,
        prop_oneof![3 => Just(true), 1 => Just(false)],
        any::<bool>(),
        prop_oneof![4 => Just(false), 1 => Just(true)],
        prop_oneof![5 => Just(false), 1 => Just(true)],
    );
    (size, election, 60..=bounds.chaos, any::<bool>(), faults)
        .prop_map(move |(size, election, chaos, partial_heal, faults)| {
            let (leadership, watched, pods, namesakes, wild_clocks) = election;
            let (coordinators, servers, replication, shards) = size;
            let servers = servers.max(replication as usize);
            Plan {
                seed,
                coordinators,
                servers,
                replication,
                shards,
                leadership,
                watched,
                wild_clocks,
                pods,
                namesakes,
                chaos,
                // With fewer than three replicas, none may be away.
                partial_heal: partial_heal && replication >= 3,
                faults,
            }
        })
        .boxed()
}

/// The same few over and over: what takes several of a kind hardly ever comes of all kinds (Groce et al.: Swarm
/// Testing).
fn few_kinds(bounds: Bounds) -> BoxedStrategy<Vec<Fault>> {
    vec(kind(), 1..5)
        .prop_flat_map(move |kinds| vec(fault(select(kinds).boxed()), 1..bounds.faults))
        .boxed()
}

fn fault(kind: BoxedStrategy<FaultKind>) -> BoxedStrategy<Fault> {
    let lasts = prop_oneof![3 => 10_u32..2_000, 3 => 2_000_u32..20_000, 1 => 20_000_u32..90_000];
    (0_u32..1_000, 0_usize..30, lasts, kind)
        .prop_map(|(permille, target, lasts, kind)| Fault {
            permille,
            target,
            lasts,
            kind,
        })
        .boxed()
}

fn kind() -> BoxedStrategy<FaultKind> {
    use FaultKind::*;
    let coordinator = prop_oneof![
        1 => Just(Shutdown),
        3 => (0_u32..40).prop_map(|after_effects| Crash { after_effects }),
        3 => (0_u32..40).prop_map(|after_effects| Pause { after_effects }),
        1 => Just(Junk),
        1 => Just(Hint),
        1 => (1_u32..8_000).prop_map(|most_ms| CallsQueued { most_ms }),
        1 => (1_u32..40_000).prop_map(|by_ms| ClockJumps { by_ms }),
    ];
    let network = prop_oneof![
        (0_usize..5).prop_map(|coordinator| Cut { coordinator }),
        (0_usize..5).prop_map(|coordinator| CutRequests { coordinator }),
        (0_usize..5).prop_map(|coordinator| CutAnswers { coordinator }),
        (5_u32..60).prop_map(|percent| Lossy { percent }),
        (50_u32..40_000).prop_map(|most_ms| Slow { most_ms }),
        (5_u32..50).prop_map(|percent| Duplicate { percent }),
        Just(Reset),
        (0_usize..6).prop_map(|other| CutPeers { other }),
    ];
    let store = prop_oneof![
        1 => Just(StoreUnavailable),
        1 => (10_u32..6_000).prop_map(|most_ms| StoreSlow { most_ms }),
        1 => Just(StoreStalled),
        2 => Just(StoreAppliedUnheard),
        2 => Just(StoreLostUnheard),
        2 => Just(StoreAppliedLate),
        1 => (0_u8..3).prop_map(|how| StoreRefuses { how }),
        1 => (0_u8..3).prop_map(|how| StoreKeepsRefusing { how }),
        1 => Just(StoreReadsOld),
        1 => Just(StoreCorrupt),
        2 => Just(ForeignTouch),
        2 => Just(ForeignElection),
        2 => Just(DocumentRestored),
    ];
    let lease = prop_oneof![8 => trouble().prop_map(Lease), 1 => Just(LossReported)];
    let server = prop_oneof![
        3 => (any::<bool>(), any::<bool>())
            .prop_map(|(tail_lost, refuses)| ServerCrash { tail_lost, refuses }),
        2 => (2_u32..12, 50_u32..3_000)
            .prop_map(|(times, apart_ms)| ServerRestarts { times, apart_ms }),
        2 => (500_u32..8_000).prop_map(|down_ms| ServerRestartsUnwatched { down_ms }),
        1 => Just(ServerSilent),
        1 => (1_u32..30).prop_map(|by| ServerAhead { by }),
        1 => Just(MajorityAway),
        1 => Just(NotServing),
        1 => Just(SlowProbes),
        1 => Just(SlowSyncs),
        2 => (1_u32..60).prop_map(|after_ms| DiesUnsynced { after_ms }),
        1 => Just(WatchBroken),
        2 => Just(BecomeLeaderHangs),
        1 => Just(OtherCluster),
        3 => (1_u32..4).prop_map(|leaders| WritesAlone { leaders }),
    ];
    let disk =
        prop_oneof![3 => Just(DiskEmptied), 3 => Just(DiskRolledBack), 2 => Just(LogTrimmed)];
    let server = prop_oneof![14 => server, 7 => disk];
    let operator = prop_oneof![
        1 => Just(NamespaceAdded),
        1 => Just(NamespaceRemoved),
        2 => (0_u8..6).prop_map(|how| ConfigurationBroken { how }),
        1 => Just(ConfigurationUnheard),
        1 => Just(ConfigurationUnreadable),
        1 => Just(AddressChanged),
        1 => Just(ServerAdded),
        1 => Just(ServerRemoved),
        1 => Just(ServerLost),
    ];
    prop_oneof![4 => coordinator, 4 => network, 4 => store, 4 => lease, 4 => server, 2 => operator]
        .boxed()
}
