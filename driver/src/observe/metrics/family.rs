//! Metric families that are put together when they are asked for.

use std::io::Write;
use std::slice;
use std::time::Duration;

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{Encoder, TextEncoder};

/// Upstream's milliseconds.
pub const BOUNDS: [f64; 18] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0,
    10_000.0, 20_000.0, 50_000.0,
];

/// The labels that every metric of upstream's has.
pub const SCOPE: [(&str, &str); 3] = [
    ("otel_scope_name", "oxia"),
    ("otel_scope_schema_url", ""),
    ("otel_scope_version", ""),
];

/// A histogram of milliseconds that is small at rest.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    counts: [u64; BOUNDS.len()],
    above: u64,
    sum: f64,
}

impl Latency {
    /// Counts one sample.
    pub fn add(&mut self, took: Duration) {
        let millis = took.as_secs_f64() * 1_000.0;
        self.sum += millis;
        let mut places = self.counts.iter_mut().zip(BOUNDS);
        match places.find(|(_, bound)| millis <= *bound) {
            Some((count, _)) => *count += 1,
            None => self.above += 1,
        }
    }

    fn proto(&self) -> Histogram {
        let mut cumulative = 0;
        let buckets = self.counts.iter().zip(BOUNDS).map(|(count, bound)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let buckets: Vec<Bucket> = buckets.collect();
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_sum(self.sum);
        histogram.set_sample_count(cumulative + self.above);
        histogram
    }
}

/// A family under construction.
pub struct Family {
    kind: MetricType,
    help: &'static str,
    metrics: Vec<Metric>,
}

impl Family {
    pub fn counter(help: &'static str) -> Self {
        Self::new(MetricType::COUNTER, help)
    }

    pub fn gauge(help: &'static str) -> Self {
        Self::new(MetricType::GAUGE, help)
    }

    pub fn histogram(help: &'static str) -> Self {
        Self::new(MetricType::HISTOGRAM, help)
    }

    fn new(kind: MetricType, help: &'static str) -> Self {
        Self {
            kind,
            help,
            metrics: Vec::new(),
        }
    }

    pub fn add_count(&mut self, labels: &[(&str, &str)], value: u64) {
        let mut counter = Counter::default();
        counter.set_value(as_f64(value));
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.metrics.push(metric);
    }

    pub fn add_gauge(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.metrics.push(metric);
    }

    pub fn add_latency(&mut self, labels: &[(&str, &str)], latency: &Latency) {
        let mut metric = labelled(labels);
        metric.set_histogram(latency.proto());
        self.metrics.push(metric);
    }

    /// Writes the family under each of its names, in Prometheus' text form, if there is anything in it.
    pub fn write(self, names: &[&str], out: &mut impl Write) -> Result<(), prometheus::Error> {
        if self.metrics.is_empty() {
            return Ok(());
        }
        let mut family = MetricFamily::default();
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(self.metrics);
        for name in names {
            family.set_name((*name).to_owned());
            TextEncoder::new().encode(slice::from_ref(&family), out)?;
        }
        Ok(())
    }
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let mut pairs: Vec<LabelPair> = SCOPE
        .iter()
        .chain(labels)
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect();
    pairs.sort_by(|a, b| a.name().cmp(b.name()));
    Metric::from_label(pairs)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows only floats; counts stay far below 2^53"
)]
fn as_f64(value: u64) -> f64 {
    value as f64
}
