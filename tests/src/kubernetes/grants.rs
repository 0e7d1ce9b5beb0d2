use k8s_openapi::api::rbac::v1::PolicyRule;

/// What a coordinator's account may do in its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grants {
    /// What upstream's chart grants: no watch on leases.
    Chart,
    /// The least that Stepdown's own manifests grant.
    Ours,
}

impl Grants {
    pub(super) fn rules(self) -> Vec<PolicyRule> {
        let (leases, configmaps): (&[&str], &[&str]) = match self {
            Self::Chart => (&["get", "create", "update"], &["*"]),
            Self::Ours => (
                &["get", "create", "update", "watch"],
                &["get", "list", "create", "patch", "watch"],
            ),
        };
        vec![
            rule("coordination.k8s.io", "leases", leases),
            rule("", "configmaps", configmaps),
        ]
    }
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..PolicyRule::default()
    }
}
