//! Who may do what: rules, and nothing else.

use std::collections::BTreeSet;
use std::fmt;

use super::caller::Caller;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// To look.
    Read,
    /// To create or change.
    Write,
    /// To delete.
    Delete,
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Bearers of tokens that say this of them.
    Claim {
        /// Only of this issuer; `None` is of any.
        issuer: Option<String>,
        /// The claim.
        claim: String,
        /// What it says, or one of what it says.
        value: String,
    },
    /// Bearers of tokens that say that they belong to this group.
    Group {
        /// Only of this issuer; `None` is of any.
        issuer: Option<String>,
        /// The group.
        group: String,
    },
    /// Whoever shows a certificate with this name in it.
    Certificate(String),
}

/// One rule: these subjects may do this there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is about: any of them.
    pub subjects: Vec<Subject>,
    /// What they may do; no verb includes another one.
    pub verbs: BTreeSet<Verb>,
    /// In these namespaces; `None` is in all, and beyond them.
    pub namespaces: Option<BTreeSet<String>>,
}

/// The rules of one port. Without any, everybody may do everything who was let in; with some, nobody may
/// do what none allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// No rule allows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{who} may not {verb} {what}: no rule of the port's authorization allows it")]
pub struct Denied {
    who: String,
    verb: Verb,
    what: String,
}

impl Policy {
    /// These rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Whether the caller may do this: in a namespace, or, with `None`, to what belongs to none, or to all of
    /// them at once.
    pub fn check(
        &self,
        caller: &Caller,
        verb: Verb,
        namespace: Option<&str>,
    ) -> Result<(), Denied> {
        let allows = |rule: &Rule| rule.allows(caller, verb, namespace);
        if self.rules.is_empty() || self.rules.iter().any(allows) {
            return Ok(());
        }
        Err(Denied {
            who: caller.subject.as_deref().unwrap_or("nobody known").into(),
            verb,
            what: match namespace {
                Some(namespace) => format!("namespace {namespace:?}"),
                None => "beyond single namespaces".into(),
            },
        })
    }
}

impl Rule {
    fn allows(&self, caller: &Caller, verb: Verb, namespace: Option<&str>) -> bool {
        let is_there = match (&self.namespaces, namespace) {
            (None, _) => true,
            (Some(some), Some(namespace)) => some.contains(namespace),
            (Some(_), None) => false,
        };
        is_there && self.verbs.contains(&verb) && self.subjects.iter().any(|it| it.is(caller))
    }
}

impl Subject {
    fn is(&self, caller: &Caller) -> bool {
        let is_of = |issuer: &Option<String>| match issuer {
            None => caller.issuer().is_some(),
            Some(_) => caller.issuer() == issuer.as_deref(),
        };
        match self {
            Self::Claim {
                issuer,
                claim,
                value,
            } => is_of(issuer) && caller.claims(claim, value),
            Self::Group { issuer, group } => is_of(issuer) && caller.groups.contains(group),
            Self::Certificate(name) => caller.peer.names.contains(name),
        }
    }
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    /// As rules have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests;
