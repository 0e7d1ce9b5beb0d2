//! The `configmap` provider's settings, checked.

use stepdown_backends::configmap::{ConfigMapOptions, Layout, is_object_name};
use stepdown_core::lease::FlapLimit;

use super::resolve::said;
use super::settings::KubernetesSettings;

/// Upstream's name for the status document, and for the Lease.
pub const DEFAULT_STATUS_NAME: &str = "oxia-cluster-status";
/// Upstream's name for the configuration document.
const CONFIG: &str = "oxia-cluster-config";

/// Checks everything; what is wrong is added to `problems`.
pub fn resolve(
    settings: KubernetesSettings,
    initialize_empty_status: bool,
    problems: &mut Vec<String>,
) -> Option<ConfigMapOptions> {
    let before = problems.len();
    let Some(namespace) = said(settings.namespace) else {
        problems.push(
            "metadata.kubernetes.namespace (--k8s-namespace) is missing; the configmap provider needs it"
                .to_owned(),
        );
        return None;
    };
    let status_name = said(settings.status_name).unwrap_or_else(|| DEFAULT_STATUS_NAME.to_owned());
    let config_name = said(settings.config_name).unwrap_or_else(|| CONFIG.to_owned());
    for (key, name) in [
        (
            "metadata.kubernetes.namespace (--k8s-namespace)",
            &namespace,
        ),
        (
            "metadata.kubernetes.statusName (--k8s-configmap-name)",
            &status_name,
        ),
        ("metadata.kubernetes.configName", &config_name),
    ] {
        if !is_object_name(name) {
            problems.push(format!(
                "{key} '{name}' is no name for Kubernetes: use lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
            ));
        }
    }
    if status_name == config_name {
        problems.push(format!(
            "metadata.kubernetes.statusName (--k8s-configmap-name) and metadata.kubernetes.configName are both {status_name}; they must be two ConfigMaps"
        ));
    }
    let layout = match said(settings.status_layout).as_deref() {
        None | Some("plain") => Layout::Plain,
        Some("compressed") => Layout::Compressed,
        Some(other) => {
            problems.push(format!(
                "metadata.kubernetes.statusLayout (--k8s-status-layout) '{other}' must be plain or compressed"
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
