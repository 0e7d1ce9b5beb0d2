//! Who may do what on a port, checked.

use std::collections::BTreeSet;

use super::auth::AuthOptions;
use super::settings::{RuleSettings, ServerSettings, SubjectSettings};
use crate::auth::{Rule, Subject, Verb};

/// What of a port its rules can go by.
pub(super) struct Known<'a> {
    pub(super) auth: Option<&'a AuthOptions>,
    /// Whether certificates of clients are verified.
    pub(super) certificates: bool,
}

/// Checks the rules at `key`.
pub(super) fn resolve(
    key: &str,
    settings: &ServerSettings,
    known: &Known<'_>,
    problems: &mut Vec<String>,
) -> Vec<Rule> {
    let Some(rules) = &settings.authorization else {
        return Vec::new();
    };
    if rules.is_empty() {
        problems.push(format!(
            "{key} has no rule, so that nobody could do anything: write some, or remove the key to let everybody do everything who is let in"
        ));
    }
    let rules = rules.iter().enumerate();
    rules
        .map(|(index, settings)| rule(&format!("{key}[{index}]"), settings, known, problems))
        .collect()
}

fn rule(key: &str, settings: &RuleSettings, known: &Known<'_>, problems: &mut Vec<String>) -> Rule {
    for (name, is_empty) in [
        ("subjects", settings.subjects.is_empty()),
        ("verbs", settings.verbs.is_empty()),
        (
            "namespaces",
            settings.namespaces.as_ref().is_some_and(Vec::is_empty),
        ),
    ] {
        if is_empty {
            problems.push(format!(
                "{key}.{name} is empty, so that the rule allows nothing: write at least one"
            ));
        }
    }
    let mut verbs = BTreeSet::new();
    for word in &settings.verbs {
        match Verb::ALL.into_iter().find(|verb| verb.word() == word) {
            Some(verb) => _ = verbs.insert(verb),
            None => problems.push(format!(
                "{key}.verbs: '{word}' is none of read, write, delete"
            )),
        }
    }
    let subjects = settings.subjects.iter().enumerate();
    let subjects = subjects.filter_map(|(index, settings)| {
        subject(settings, known)
            .map_err(|problem| problems.push(format!("{key}.subjects[{index}]{problem}")))
            .ok()
    });
    Rule {
        subjects: subjects.collect(),
        verbs,
        namespaces: settings
            .namespaces
            .as_ref()
            .map(|all| all.iter().cloned().collect()),
    }
}

fn subject(settings: &SubjectSettings, known: &Known<'_>) -> Result<Subject, &'static str> {
    let issuer = settings.issuer.clone();
    let all = (
        &settings.claim,
        &settings.value,
        &settings.group,
        &settings.certificate,
    );
    match all {
        (Some(claim), Some(value), None, None) => {
            check_issuer(issuer.as_deref(), known)?;
            Ok(Subject::Claim {
                issuer,
                claim: claim.clone(),
                value: value.clone(),
            })
        }
        (None, None, Some(group), None) => {
            check_issuer(issuer.as_deref(), known)?;
            Ok(Subject::Group {
                issuer,
                group: group.clone(),
            })
        }
        (None, None, None, Some(name)) => match issuer {
            Some(_) => Err(": a certificate has no issuer of tokens: remove issuer"),
            None if known.certificates => Ok(Subject::Certificate(name.clone())),
            None => Err(
                ".certificate: the port verifies no certificates: set tls.trustedCaFile beside authorization",
            ),
        },
        _ => {
            Err(" is to be one of {claim: sub, value: name}, {group: name} and {certificate: name}")
        }
    }
}

/// Two issuers may call different people the same.
fn check_issuer(issuer: Option<&str>, known: &Known<'_>) -> Result<(), &'static str> {
    let issuers = known.auth.map(|auth| &auth.issuers);
    match (issuers, issuer) {
        (None, _) => Err(": the port asks for no tokens: set auth beside authorization"),
        (Some(issuers), Some(issuer)) if !issuers.contains_key(issuer) => {
            Err(".issuer is none of the issuers in auth.providerParams")
        }
        (Some(issuers), None) if issuers.len() > 1 => {
            Err(".issuer is missing: there are several, which may call different people the same")
        }
        (Some(_), _) => Ok(()),
    }
}
