//! Tables of who may do what.

use serde_json::json;
use stepdown_wire::port::Peer;

use super::*;
use crate::auth::{How, Identity};

const ISSUER: &str = "https://issuer";

fn bearer(issuer: &str, claims: serde_json::Value) -> Caller {
    let groups = claims["groups"].as_array().cloned().unwrap_or_default();
    let identity = Identity {
        issuer: issuer.into(),
        subject: claims["sub"].as_str().unwrap().to_owned(),
        groups: groups
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect(),
        claims: claims.as_object().unwrap().clone(),
    };
    Caller::of_token(identity, Peer::default())
}

fn shower(names: &[&str]) -> Caller {
    Caller::of_peer(Peer {
        names: names.iter().map(|it| (*it).to_owned()).collect(),
        ..Peer::default()
    })
}

fn nobody() -> Caller {
    Caller::of_peer(Peer::default())
}

fn claim(claim: &str, value: &str) -> Subject {
    Subject::Claim {
        issuer: None,
        claim: claim.to_owned(),
        value: value.to_owned(),
    }
}

fn group(issuer: Option<&str>, group: &str) -> Subject {
    Subject::Group {
        issuer: issuer.map(str::to_owned),
        group: group.to_owned(),
    }
}

fn rule(subject: Subject, verbs: &[Verb], namespaces: Option<&[&str]>) -> Rule {
    Rule {
        subjects: vec![subject],
        verbs: verbs.iter().copied().collect(),
        namespaces: namespaces.map(|all| all.iter().map(|it| (*it).to_owned()).collect()),
    }
}

#[test]
fn without_rules_everybody_may_do_everything_who_was_let_in() {
    let policy = Policy::default();
    for caller in [
        nobody(),
        shower(&["a"]),
        bearer(ISSUER, json!({"sub": "a"})),
    ] {
        for verb in Verb::ALL {
            assert_eq!(policy.check(&caller, verb, None), Ok(()));
            assert_eq!(policy.check(&caller, verb, Some("x")), Ok(()));
        }
    }
}

#[test]
fn with_rules_nobody_may_do_what_none_allows() {
    use Verb::{Delete, Read, Write};
    let policy = Policy::new(vec![
        rule(claim("sub", "alice"), &[Read, Write], Some(&["x", "y"])),
        rule(group(None, "readers"), &[Read], None),
        rule(Subject::Certificate("operator".into()), &Verb::ALL, None),
    ]);
    let alice = bearer(ISSUER, json!({"sub": "alice"}));
    let reader = bearer(ISSUER, json!({"sub": "bob", "groups": ["a", "readers"]}));
    let carol = bearer(ISSUER, json!({"sub": "carol", "name": "alice"}));
    let operator = shower(&["someone", "operator"]);
    for (caller, verb, namespace, expected) in [
        (&alice, Read, Some("x"), true),
        (&alice, Write, Some("y"), true),
        (&alice, Delete, Some("x"), false),
        (&alice, Read, Some("z"), false),
        (&alice, Read, Some("xy"), false),
        (&alice, Read, None, false),
        (&reader, Read, Some("z"), true),
        (&reader, Read, None, true),
        (&reader, Write, Some("x"), false),
        (&carol, Read, Some("x"), false),
        (&operator, Delete, Some("x"), true),
        (&operator, Delete, None, true),
        (&shower(&["alice"]), Read, Some("x"), false),
        (&shower(&["readers"]), Read, None, false),
        (&nobody(), Read, Some("x"), false),
    ] {
        let checked = policy.check(caller, verb, namespace);
        assert_eq!(checked.is_ok(), expected, "{caller:?} {verb} {namespace:?}");
    }
    let denied = policy.check(&alice, Delete, Some("x")).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "alice may not delete namespace \"x\": no rule of the port's authorization allows it"
    );
}

#[test]
fn a_claim_that_is_a_list_says_each_of_it_and_one_that_is_no_text_says_nothing() {
    let policy = Policy::new(vec![rule(claim("roles", "admin"), &[Verb::Read], None)]);
    for (said, expected) in [
        (json!("admin"), true),
        (json!(["user", "admin"]), true),
        (json!("administrator"), false),
        (json!({"admin": true}), false),
        (json!([["admin"]]), false),
        (json!(null), false),
    ] {
        let caller = bearer(ISSUER, json!({"sub": "a", "roles": said}));
        let checked = policy.check(&caller, Verb::Read, None);
        assert_eq!(checked.is_ok(), expected, "{said}");
    }
}

#[test]
fn what_another_issuer_says_is_nothing_to_a_rule_that_names_one() {
    let named = Policy::new(vec![rule(
        group(Some(ISSUER), "admins"),
        &[Verb::Read],
        None,
    )]);
    let says = json!({"sub": "a", "groups": ["admins"]});
    assert!(
        named
            .check(&bearer(ISSUER, says.clone()), Verb::Read, None)
            .is_ok()
    );
    let other = bearer("https://other", says);
    assert_eq!(other.how, How::Token);
    assert!(named.check(&other, Verb::Read, None).is_err());
}
