//! The dashboard in `deploy/grafana` asks only for what is exported.

use std::collections::BTreeSet;

use serde_json::Value;

use super::queries::{exported, metrics_in, queries, read};

const DASHBOARD: &str = "deploy/grafana/stepdown.json";
/// Prometheus' own, of the alerts that there are.
const ALERTS: &str = "ALERTS";

#[test]
fn every_metric_that_the_dashboard_asks_for_is_exported() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
    let asked = queries(&dashboard);
    let asked: BTreeSet<String> = asked.iter().flat_map(|query| metrics_in(query)).collect();
    let exported = exported();
    let unknown: Vec<&String> = asked
        .iter()
        .filter(|name| *name != ALERTS && !exported.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "not exported: {unknown:?}");
    assert!(asked.len() > 20, "too few are found: {asked:?}");
}
