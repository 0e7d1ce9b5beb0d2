//! How data servers are called.

use std::time::Duration;

use stepdown_core::tenancy::{CALL_LIMIT, PROBE_LIMIT};

use crate::observe::metrics::{CountRpcs, Nonsense};
use stepdown_wire::tls::Connector;

/// How data servers are called. The defaults are Oxia's where Oxia has the option.
#[derive(Clone)]
pub struct CallOptions {
    /// TLS for every address (`controller.tls`); `None` leaves it to each address's `tls://`.
    pub tls: Option<Connector>,
    /// Counts every call, stream and message.
    pub counters: Option<CountRpcs>,
    /// Counts answers that can't be.
    pub nonsense: Option<Nonsense>,
    /// From a call's turn to its answer; also how long it waits for its turn.
    pub deadline: Duration,
    /// The same for a health check, which waits for no turn.
    pub health_deadline: Duration,
    /// For each of name resolution, TCP and TLS.
    pub dial_deadline: Duration,
    /// Calls that one server works on at once, but for lasting ones.
    pub ordinary_calls: usize,
    /// `BecomeLeader` and `AddFollower` calls that one server works on at once.
    pub lasting_calls: usize,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            tls: None,
            counters: None,
            nonsense: None,
            deadline: CALL_LIMIT,
            health_deadline: PROBE_LIMIT,
            dial_deadline: Duration::from_secs(5),
            ordinary_calls: 256,
            lasting_calls: 1024,
        }
    }
}
