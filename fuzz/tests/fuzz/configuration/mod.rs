//! The document that people write: whatever it says, the rules are kept, and told by their keys.

mod document;
mod made;
mod rules;

use std::collections::BTreeSet;

use stepdown_core::cluster::{ClusterConfiguration, ConfigurationError, ConfigurationProblems};
use stepdown_fuzz::feed;

use crate::choices::Choices;
use crate::text;
use crate::written::written;

#[test]
fn a_configuration_is_taken_where_it_keeps_every_rule_and_else_refused_by_the_keys_at_fault() {
    feed("configuration", |bytes| {
        check_any(&text(bytes));
        check_made(&mut Choices::new(bytes));
    });
}

fn check_any(text: &str) {
    let decoded = ClusterConfiguration::decode(text);
    match (ClusterConfiguration::read(Some(text)), &decoded) {
        (Ok(read), decoded) => {
            assert_eq!(decoded.as_ref(), Ok(&read));
            assert!(!(read.servers.is_empty() && read.namespaces.is_empty()));
        }
        (Err(ConfigurationError::Invalid(problems)), Ok(decoded)) => {
            assert_eq!(decoded.validate(), Err(problems));
        }
        (Err(ConfigurationError::NamesNothing), Ok(decoded)) => {
            assert!(decoded.servers.is_empty() && decoded.namespaces.is_empty());
        }
        (Err(error), decoded) => {
            assert!(decoded.is_err(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
    if let Ok(decoded) = decoded {
        check_keys(&decoded, &rules::broken(&decoded));
        let json = serde_json::to_string(&decoded).unwrap();
        let again = serde_json::from_str::<ClusterConfiguration>(&json);
        assert_eq!(again.unwrap(), decoded);
    }
}

/// One that is sound is taken, however it is written, and refused with one mistake in it.
fn check_made(choices: &mut Choices<'_>) {
    let mut it = made::sound(choices);
    let document = document::document(choices, &it);
    let text = written(choices, &document);
    assert_eq!(
        ClusterConfiguration::read(Some(&text)).as_ref(),
        Ok(&it),
        "{text}"
    );
    let Some(key) = made::spoiled(choices, &mut it) else {
        return;
    };
    let document = document::document(choices, &it);
    let text = written(choices, &document);
    assert_eq!(
        ClusterConfiguration::decode(&text).as_ref(),
        Ok(&it),
        "{text}"
    );
    // One number that is much too great can be too much for all as well.
    let too_many = rules::are_too_many(&it.namespaces).then(|| "namespaces".to_owned());
    check_keys(&it, &too_many.into_iter().chain([key]).collect());
    let read = ClusterConfiguration::read(Some(&text));
    assert!(
        matches!(read, Err(ConfigurationError::Invalid(_))),
        "{text}"
    );
}

/// It is refused for these, and for nothing else.
fn check_keys(configuration: &ClusterConfiguration, broken: &BTreeSet<String>) {
    let problems = match configuration.validate() {
        Ok(()) => Vec::new(),
        Err(ConfigurationProblems(problems)) => {
            assert!(!problems.is_empty(), "it is refused for nothing");
            problems
        }
    };
    let key = |problem: &String| {
        let (key, what) = problem.split_once(": ").unwrap();
        assert!(!what.trim().is_empty(), "{problem}");
        key.to_owned()
    };
    let named: BTreeSet<String> = problems.iter().map(key).collect();
    assert_eq!(&named, broken, "{problems:?}");
}
