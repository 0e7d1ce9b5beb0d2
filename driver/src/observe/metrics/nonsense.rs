//! Metrics of what data servers say that can't be.

use prometheus::{IntCounterVec, Opts, Registry};
use stepdown_core::ServerId;

use super::declare::metrics;

metrics! {
    /// Who says what can't be.
    Nonsense {
        answers: IntCounterVec = IntCounterVec::new(
            Opts::new(
                "stepdown_data_server_nonsense_total",
                "Answers of the data server that can't be",
            ),
            &["data_server"],
        ),
    }
}

impl Nonsense {
    /// Nobody has said any yet.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Self::register(registry)
    }

    /// A data server is worked with.
    pub fn known(&self, server: &ServerId) {
        self.answers.with_label_values(&[&*server.0]);
    }

    /// A data server gave such an answer.
    pub fn heard(&self, server: &ServerId) {
        self.answers.with_label_values(&[&*server.0]).inc();
    }
}
