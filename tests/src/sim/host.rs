//! A coordinator's process: its machines, its clock, and what it has open on the network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::Call;
use stepdown_core::lease::LeaseRecord;
use stepdown_core::tenancy::{Kind, Tenancy};
use stepdown_core::{Effect, Event, ProcessId, RequestId};

use super::check::Facts;
use super::clock::{At, Clock};
use super::lease::{Client, DRAIN};
use super::machine::Machine;
use super::server::{Caller, Token};

/// One coordinator: a process while it runs, and its place while it doesn't.
pub struct Host {
    pub boot: u32,
    pub process: ProcessId,
    pub machine: Option<Box<dyn Machine>>,
    pub clock: Clock,
    /// Whether its clock has ever jumped.
    pub clock_jumped: bool,
    /// Until when it is stopped.
    pub paused: Option<At>,
    /// When it was last woken.
    pub resumed: Option<At>,
    /// Events that came while it was stopped.
    pub inbox: VecDeque<Event>,
    /// Effects polled but not carried out.
    pub todo: VecDeque<Effect>,
    /// What strikes after so many effects.
    pub armed: Option<(u32, Strike)>,
    pub tenancy: Tenancy,
    pub connections: Connections,
    /// Until when calls wait for their turn, and for how long at most.
    pub queued: (At, Duration),
    /// Calls whose turn came while it was stopped.
    pub leaving: Vec<Leaving>,
    /// Whether it ends as soon as the lease is given back.
    pub exits: bool,
    pub client: Client,
    pub wake: Option<At>,
    pub facts: Facts,
    /// Where data servers are, by the last good configuration that it has read.
    pub addresses: BTreeSet<Arc<str>>,
    /// When it has read others than before.
    pub readdressed: At,
    /// Until then it hears of no change of the configuration.
    pub deaf: At,
    /// Since when it steps down.
    pub closing_since: Option<At>,
}

/// What strikes between two effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    Crash { back_at: At },
    Pause { until: At },
}

/// What a coordinator has open on the network in one tenure.
#[derive(Debug, Default)]
pub struct Connections {
    pub instance_id: Option<Arc<str>>,
    pub calls: BTreeMap<RequestId, Outgoing>,
    pub watches: BTreeMap<RequestId, Option<usize>>,
    pub streams: BTreeMap<RequestId, Stream>,
}

/// A call under way: where it went, and its name there once it has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    pub server: Option<usize>,
    pub token: Token,
    pub arrives: At,
}

/// A call that waits for its turn.
#[derive(Clone, Debug)]
pub struct Leaving {
    pub caller: Caller,
    pub server: Option<usize>,
    pub call: Call,
}

/// An assignments stream: where it goes, and when its last message arrives.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub server: Option<usize>,
    pub last: At,
}

impl Host {
    pub fn new(clock: Clock) -> Self {
        Self {
            boot: 0,
            process: ProcessId(0),
            machine: None,
            clock,
            clock_jumped: false,
            paused: None,
            resumed: None,
            inbox: VecDeque::new(),
            todo: VecDeque::new(),
            armed: None,
            tenancy: Tenancy::new(DRAIN),
            connections: Connections::default(),
            queued: (At(0), Duration::ZERO),
            leaving: Vec::new(),
            exits: false,
            client: Client::default(),
            wake: None,
            facts: Facts::default(),
            addresses: BTreeSet::new(),
            readdressed: At(0),
            deaf: At(0),
            closing_since: None,
        }
    }

    /// Ends the process: nothing of it is left but its place.
    pub fn stop(&mut self) {
        *self = Self {
            boot: self.boot,
            process: self.process,
            clock_jumped: self.clock_jumped,
            ..Self::new(self.clock)
        };
    }

    /// Whether this record was written by the process of that boot, if that is still there.
    pub fn was_written_by(&self, boot: u32, record: &LeaseRecord) -> bool {
        self.boot != boot || record.process == Some(self.process)
    }

    pub fn is_up(&self) -> bool {
        self.machine.is_some()
    }

    pub fn is_storing(&self) -> bool {
        let mut under_way = self.tenancy.under_way();
        under_way.any(|(_, kind)| kind == Kind::Store)
    }
}
