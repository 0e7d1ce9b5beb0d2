//! Metrics of the admin API.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tonic::Code;

use super::declare::metrics;
use super::rpc::code_name;
use crate::admin::Method;

/// How a call ends, mostly; others are shown once one has.
const CODES: [Code; 12] = [
    Code::Aborted,
    Code::AlreadyExists,
    Code::FailedPrecondition,
    Code::Internal,
    Code::InvalidArgument,
    Code::NotFound,
    Code::Ok,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::Unauthenticated,
    Code::Unavailable,
    Code::Unimplemented,
];

metrics! {
    /// What admins ask for.
    AdminRequests {
        requests: IntCounterVec = IntCounterVec::new(
            Opts::new("stepdown_admin_requests_total", "Calls of the admin API, by how they ended"),
            &["method", "code"],
        ),
        unprotected: IntGauge = IntGauge::new(
            "stepdown_admin_unprotected",
            "1 where anybody who reaches the public port may change the cluster, as the options say",
        ),
    }
}

impl AdminRequests {
    /// Before anything was asked for.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = Self::register(registry)?;
        for method in Method::ALL {
            for code in CODES {
                requests.of(*method, code);
            }
        }
        Ok(requests)
    }

    /// A call has ended.
    pub fn ended(&self, method: Method, code: Code) {
        self.of(method, code).inc();
    }

    /// Whether anybody may change the cluster.
    pub fn unprotected(&self, is_unprotected: bool) {
        self.unprotected.set(i64::from(is_unprotected));
    }

    fn of(&self, method: Method, code: Code) -> prometheus::IntCounter {
        let labels = [method.name(), code_name(code)];
        self.requests.with_label_values(&labels)
    }
}
