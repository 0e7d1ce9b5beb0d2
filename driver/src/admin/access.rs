//! Who may do what: the port's rules, and that nobody whom nothing keeps away changes anything.

use tonic::{Extensions, Status};

use crate::auth::{Caller, How, Policy, Verb};
use crate::options::CoordinatorOptions;

/// Decides who may do what.
pub(crate) struct Access {
    policy: Policy,
    protection: Protection,
}

/// What keeps strangers from changing the cluster by way of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Only certificates of known authorities are let in.
    ClientCertificates,
    /// Nothing, and the options say that this is meant.
    Disclaimed,
    /// Only this machine reaches it.
    Loopback,
    /// Nothing.
    None,
    /// Rules, which are about callers that are known.
    Rules,
    /// Only bearers of good tokens are let in.
    Tokens,
}

impl Access {
    pub(crate) fn new(policy: Policy, protection: Protection) -> Self {
        Self { policy, protection }
    }

    /// Who calls, if they may do this: in a namespace, or, with `None`, beyond single ones.
    pub(super) fn check(
        &self,
        extensions: &Extensions,
        verb: Verb,
        namespace: Option<&str>,
    ) -> Result<Caller, Status> {
        // Whatever comes in on a port has one.
        let caller = extensions.get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Status::internal("nobody has said who calls"))?;
        self.policy
            .check(&caller, verb, namespace)
            .map_err(|denied| Status::permission_denied(denied.to_string()))?;
        match verb {
            Verb::Read => Ok(caller),
            Verb::Write | Verb::Delete if self.protection.is_any() => Ok(caller),
            Verb::Write | Verb::Delete => Err(denied(
                "anybody who reaches this port could change the cluster, so nobody may",
            )),
        }
    }

    /// Whether this caller may have it worked out what would be: that takes memory and time.
    pub(super) fn check_supposed(&self, caller: &Caller) -> Result<(), Status> {
        if self.protection.is_any() || caller.how != How::Anonymous {
            return Ok(());
        }
        Err(denied(
            "anybody who reaches this port could have it worked out what another configuration would bring, so \
             nobody unknown may",
        ))
    }
}

/// Nothing keeps strangers away from what is denied here.
fn denied(told: &str) -> Status {
    Status::permission_denied(format!(
        "{told}: bind server.public to loopback, ask for tokens (server.public.auth) or certificates \
         (server.public.tls with clientAuth), or say server.public.allowUnauthenticatedAdmin: true in the \
         --sconfig file"
    ))
}

impl Protection {
    /// What there is of it, at a public port that only this machine reaches, or others too.
    pub(crate) fn of(options: &CoordinatorOptions, is_loopback: bool) -> Self {
        let public = &options.public;
        if public.tls.as_ref().is_some_and(|tls| tls.client_auth) {
            Self::ClientCertificates
        } else if public.auth.is_some() {
            Self::Tokens
        } else if !public.authorization.is_empty() {
            Self::Rules
        } else if is_loopback {
            Self::Loopback
        } else if options.allow_unauthenticated_admin {
            Self::Disclaimed
        } else {
            Self::None
        }
    }

    /// Whether there is any, or none is meant to be.
    fn is_any(self) -> bool {
        match self {
            Self::ClientCertificates
            | Self::Disclaimed
            | Self::Loopback
            | Self::Rules
            | Self::Tokens => true,
            Self::None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use stepdown_wire::port::Peer;
    use tonic::Code;

    use super::*;
    use crate::auth::{Rule, Subject};
    use crate::ports::tests::options;

    fn told(access: &Access, caller: Option<&str>, verb: Verb, on: Option<&str>) -> String {
        let mut extensions = Extensions::default();
        let names = caller.iter().map(|&it| it.to_owned()).collect();
        extensions.insert(Caller::of_peer(Peer {
            names,
            ..Peer::default()
        }));
        match access.check(&extensions, verb, on) {
            Ok(caller) => caller.subject.unwrap_or_else(|| "anybody".to_owned()),
            Err(status) => status.message().to_owned(),
        }
    }

    #[test]
    fn where_nothing_keeps_strangers_away_they_may_only_read() {
        let may = |protection, verb| {
            let access = Access::new(Policy::default(), protection);
            told(&access, None, verb, Some("default"))
        };
        for verb in [Verb::Write, Verb::Delete] {
            let refused = may(Protection::None, verb);
            for way in ["server.public.auth", "allowUnauthenticatedAdmin: true"] {
                assert!(refused.contains(way), "{refused}");
            }
            for protection in [
                Protection::ClientCertificates,
                Protection::Disclaimed,
                Protection::Loopback,
                Protection::Rules,
                Protection::Tokens,
            ] {
                assert_eq!(may(protection, verb), "anybody");
            }
        }
        assert_eq!(may(Protection::None, Verb::Read), "anybody");
    }

    #[test]
    fn what_would_be_is_not_worked_out_for_strangers_where_nothing_keeps_them_away() {
        let by = |protection, names: &[&str]| {
            let names = names.iter().map(|&it| it.to_owned()).collect();
            let caller = Caller::of_peer(Peer {
                names,
                ..Peer::default()
            });
            Access::new(Policy::default(), protection).check_supposed(&caller)
        };
        let denied = by(Protection::None, &[]).unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        for way in [
            "loopback",
            "server.public.auth",
            "allowUnauthenticatedAdmin",
        ] {
            assert!(denied.message().contains(way), "{denied}");
        }
        by(Protection::None, &["operator"]).unwrap();
        for protection in [
            Protection::Disclaimed,
            Protection::Loopback,
            Protection::Rules,
        ] {
            by(protection, &[]).unwrap();
        }
    }

    #[test]
    fn what_no_rule_allows_is_denied_though_nothing_else_stands_in_the_way() {
        let policy = Policy::new(vec![Rule {
            subjects: vec![Subject::Certificate("operator".to_owned())],
            verbs: [Verb::Read, Verb::Write].into(),
            namespaces: Some(["orders".to_owned()].into()),
        }]);
        let access = Access::new(policy, Protection::Disclaimed);
        let operator = |verb, on| told(&access, Some("operator"), verb, on);
        assert_eq!(operator(Verb::Write, Some("orders")), "operator");
        for (verb, on) in [
            (Verb::Delete, Some("orders")),
            (Verb::Write, Some("payments")),
            (Verb::Read, Some("")),
            (Verb::Read, None),
            (Verb::Write, None),
        ] {
            let denied = operator(verb, on);
            assert!(denied.contains("operator may not"), "{denied}");
        }
        let denied = told(&access, None, Verb::Read, Some("orders"));
        assert!(denied.contains("nobody known may not read"), "{denied}");
    }

    #[test]
    fn whatever_the_options_have_against_strangers_protects_and_to_disclaim_it_is_the_last_resort()
    {
        let files = "certFile: a, keyFile: b, trustedCaFile: c";
        let rules = "authorization: [{subjects: [{certificate: x}], verbs: [read]}]";
        let params = r#"{"issuers": {"i": {"allowedAudiences": "a", "staticKeyFile": "k"}}}"#;
        for (public, at_loopback, elsewhere) in [
            (String::new(), Protection::Loopback, Protection::None),
            (
                format!("tls: {{{files}}}"),
                Protection::Loopback,
                Protection::None,
            ),
            (
                "allowUnauthenticatedAdmin: true".to_owned(),
                Protection::Loopback,
                Protection::Disclaimed,
            ),
            (
                format!("allowUnauthenticatedAdmin: true, tls: {{{files}}}, {rules}"),
                Protection::Rules,
                Protection::Rules,
            ),
            (
                format!("auth: {{provider: oidc, providerParams: '{params}'}}"),
                Protection::Tokens,
                Protection::Tokens,
            ),
            (
                format!("tls: {{{files}, clientAuth: true}}"),
                Protection::ClientCertificates,
                Protection::ClientCertificates,
            ),
        ] {
            let options = options(&format!("server: {{public: {{{public}}}}}"));
            assert_eq!(Protection::of(&options, true), at_loopback, "{public}");
            assert_eq!(Protection::of(&options, false), elsewhere, "{public}");
        }
    }

    #[test]
    fn a_call_of_which_nobody_has_said_who_makes_it_is_refused() {
        let access = Access::new(Policy::default(), Protection::Loopback);
        let checked = access.check(&Extensions::default(), Verb::Read, None);
        assert!(checked.is_err());
    }
}
