//! The alerts in `deploy/prometheus` ask only for what is exported, and each has its runbook.

use std::collections::BTreeSet;

use serde_json::Value;

use super::queries::{exported, metrics_in, queries, read};

const RULES: &str = "deploy/prometheus/stepdown.rules.yml";
const OBJECT: &str = "deploy/kustomize/alerts/prometheus-rule.yaml";
const RUNBOOKS: &str = "docs/runbooks.md";
/// Prometheus' own, of each target.
const UP: &str = "up";

#[test]
fn every_metric_that_the_alerts_ask_for_is_exported_or_recorded_beside_them() {
    let rules = yaml(RULES);
    let asked = queries(&rules);
    let asked: BTreeSet<String> = asked.iter().flat_map(|query| metrics_in(query)).collect();
    let recorded: BTreeSet<String> = each(&rules).filter_map(|it| text(it, "record")).collect();
    let exported = exported();
    let is_known = |name: &String| name == UP || exported.contains(name) || recorded.contains(name);
    let unknown: Vec<&String> = asked.iter().filter(|name| !is_known(name)).collect();
    assert!(unknown.is_empty(), "not exported: {unknown:?}");
    assert!(asked.len() > 10, "too few are found: {asked:?}");
}

#[test]
fn the_object_for_kubernetes_has_the_rules_as_they_are() {
    let rules = yaml(RULES);
    let object = yaml(OBJECT);
    assert_eq!(
        object.get("spec"),
        Some(&rules),
        "run: deploy/prometheus/object > {OBJECT}"
    );
}

#[test]
fn every_alert_says_what_is_wrong_and_has_a_section_of_its_name_in_the_runbooks() {
    let rules = yaml(RULES);
    let runbooks = read(RUNBOOKS);
    let sections: BTreeSet<String> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## Stepdown"))
        .map(|rest| format!("Stepdown{rest}"))
        .collect();
    let mut alerts = BTreeSet::new();
    for rule in each(&rules) {
        let Some(name) = text(rule, "alert") else {
            continue;
        };
        let said = |key| rule.get("annotations").and_then(|all| text(all, key));
        let severity = rule.get("labels").and_then(|all| text(all, "severity"));
        assert!(
            matches!(severity.as_deref(), Some("critical" | "warning")),
            "{name}: {severity:?}"
        );
        assert!(
            said("summary").is_some() && said("description").is_some(),
            "{name}"
        );
        let anchor = format!("{RUNBOOKS}#{}", name.to_lowercase());
        assert_eq!(said("runbook_url"), Some(anchor));
        alerts.insert(name);
    }
    assert_eq!(alerts, sections);
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).expect(path)
}

fn each(rules: &Value) -> impl Iterator<Item = &Value> {
    let groups = rules.get("groups").and_then(Value::as_array);
    let groups = groups.into_iter().flatten();
    groups.flat_map(|group| {
        group
            .get("rules")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    })
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
