//! The `configmap` provider's settings: how they are written, and checked.

use clap::Args;
use serde::Deserialize;
use stepdown_backends::configmap::{ConfigMapOptions, Layout, is_object_name};
use stepdown_core::lease::FlapLimit;

use crate::options::key::Key;
use crate::options::said::said;

/// The `configmap` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[command(next_help_heading = "Configmap provider")]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct KubernetesSettings {
    /// Kubernetes namespace of the ConfigMaps
    #[arg(id = "k8s-namespace", long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// ConfigMap of the cluster status [default: oxia-cluster-status]
    #[arg(id = "k8s-configmap-name", long, value_name = "NAME")]
    pub status_name: Option<String>,
    #[arg(skip)]
    pub config_name: Option<String>,
    #[arg(skip)]
    pub config_map_name: Option<String>,
    /// How the cluster status is written: plain, as upstream does, or compressed, for more shards
    /// than fit into 1 MiB [default: plain]
    #[arg(id = "k8s-status-layout", long, value_name = "LAYOUT")]
    pub status_layout: Option<String>,
    #[arg(skip)]
    pub flap_limit: Option<u32>,
}

impl KubernetesSettings {
    pub(crate) const NAMESPACE: Key = Key::new("metadata.kubernetes.namespace", "--k8s-namespace");
    pub(crate) const STATUS_NAME: Key =
        Key::new("metadata.kubernetes.statusName", "--k8s-configmap-name");
    pub(crate) const CONFIG_NAME: Key = Key::of_file("metadata.kubernetes.configName");
    pub(crate) const CONFIG_MAP_NAME: Key = Key::of_file("metadata.kubernetes.configMapName");
    pub(crate) const STATUS_LAYOUT: Key =
        Key::new("metadata.kubernetes.statusLayout", "--k8s-status-layout");
}

/// Upstream's name for the status document, and for the Lease.
pub const DEFAULT_STATUS_NAME: &str = "oxia-cluster-status";
/// Upstream's name for the configuration document.
const CONFIG: &str = "oxia-cluster-config";

/// Checks everything; what is wrong is added to `problems`.
pub(super) fn resolve(
    settings: KubernetesSettings,
    initialize_empty_status: bool,
    problems: &mut Vec<String>,
) -> Option<ConfigMapOptions> {
    let before = problems.len();
    let Some(namespace) = said(settings.namespace) else {
        problems.push(format!(
            "{} is missing; the configmap provider needs it",
            KubernetesSettings::NAMESPACE
        ));
        return None;
    };
    let status_name = said(settings.status_name).unwrap_or_else(|| DEFAULT_STATUS_NAME.to_owned());
    let config_name = said(settings.config_name).unwrap_or_else(|| CONFIG.to_owned());
    for (key, name) in [
        (KubernetesSettings::NAMESPACE, &namespace),
        (KubernetesSettings::STATUS_NAME, &status_name),
        (KubernetesSettings::CONFIG_NAME, &config_name),
    ] {
        if !is_object_name(name) {
            problems.push(format!(
                "{key} '{name}' is no name for Kubernetes: use lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
            ));
        }
    }
    if status_name == config_name {
        problems.push(format!(
            "{} and {} are both {status_name}; they must be two ConfigMaps",
            KubernetesSettings::STATUS_NAME,
            KubernetesSettings::CONFIG_NAME
        ));
    }
    let layout = match said(settings.status_layout).as_deref() {
        None | Some("plain") => Layout::Plain,
        Some("compressed") => Layout::Compressed,
        Some(other) => {
            problems.push(format!(
                "{} '{other}' must be plain or compressed",
                KubernetesSettings::STATUS_LAYOUT
            ));
            Layout::Plain
        }
    };
    let flaps = FlapLimit::default();
    let flaps = FlapLimit {
        losses: settings.flap_limit.unwrap_or(flaps.losses),
        ..flaps
    };
    (problems.len() == before).then_some(ConfigMapOptions {
        namespace,
        status_name,
        config_name,
        layout,
        initialize_empty_status,
        flaps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> KubernetesSettings {
        KubernetesSettings {
            namespace: Some("oxia".to_owned()),
            ..KubernetesSettings::default()
        }
    }

    #[test]
    fn names_are_upstreams_unless_they_are_said() {
        let mut problems = Vec::new();
        let options = resolve(settings(), false, &mut problems).unwrap();
        assert_eq!(options.status_name, "oxia-cluster-status");
        assert_eq!(options.config_name, "oxia-cluster-config");
        assert_eq!((options.layout, options.flaps.losses), (Layout::Plain, 3));
    }

    #[test]
    fn what_kubernetes_does_not_take_as_a_name_is_refused_by_its_key() {
        for name in ["Upper", "a_b", "-a", "a-", "a..b", "a/b"] {
            let mut problems = Vec::new();
            let settings = KubernetesSettings {
                status_name: Some(name.to_owned()),
                ..settings()
            };
            assert_eq!(resolve(settings, false, &mut problems), None);
            assert!(
                problems[0].contains("metadata.kubernetes.statusName"),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn one_config_map_is_not_two_documents() {
        let mut problems = Vec::new();
        let settings = KubernetesSettings {
            config_name: Some("oxia-cluster-status".to_owned()),
            ..settings()
        };
        assert_eq!(resolve(settings, false, &mut problems), None);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn an_unknown_layout_is_refused_with_those_that_there_are() {
        let mut problems = Vec::new();
        let settings = KubernetesSettings {
            status_layout: Some("chunks".to_owned()),
            ..settings()
        };
        assert_eq!(resolve(settings, false, &mut problems), None);
        assert!(problems[0].contains("plain or compressed"));
    }
}
