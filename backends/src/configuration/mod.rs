//! What the configuration document is judged by before a coordinator reads it, beyond what a coordinator
//! needs to understand it: whether its addresses can be dialled, and whether all its keys are known.

mod addresses;
mod keys;

use stepdown_core::cluster::{ClusterConfiguration, ConfigurationError};

pub use keys::UnknownKey;
use stepdown_wire::brief;

/// So many characters are said of what is wrong: the first ones. A document of one mistake a line has more than
/// anybody reads, or than an answer of gRPC carries, where some take twelve bytes.
const LONGEST: usize = 1_024;

/// What a configuration document was judged as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The configuration, or all that keeps it from being put in force.
    pub verdict: Result<ClusterConfiguration, String>,
    /// The keys that have no effect, as nobody knows them. Oxia's coordinator passes over them as well.
    pub unknown: Vec<UnknownKey>,
}

/// Judges a document; `None` stands for one that is absent.
pub fn judge(text: Option<&str>) -> Judgement {
    let unknown = keys::unknown(text.unwrap_or_default());
    let verdict = match ClusterConfiguration::read(text) {
        Ok(configuration) => match addresses::problems(&configuration).as_slice() {
            [] => Ok(configuration),
            problems => Err(not_valid(problems)),
        },
        Err(ConfigurationError::Invalid(mut problems)) => {
            let decoded = ClusterConfiguration::decode(text.unwrap_or_default());
            problems
                .0
                .extend(decoded.iter().flat_map(addresses::problems));
            Err(not_valid(&problems.0))
        }
        Err(
            error @ (ConfigurationError::Missing
            | ConfigurationError::Empty
            | ConfigurationError::NamesNothing
            | ConfigurationError::Unreadable(_)),
        ) => Err(error.to_string()),
    };
    // What is wrong often is what a misspelt key was to say.
    let verdict = verdict.map_err(|problems| {
        let unknown: String = unknown.iter().map(|key| format!("; {key}")).collect();
        brief(&format_args!("{problems}{unknown}"), LONGEST)
    });
    Judgement { verdict, unknown }
}

fn not_valid(problems: &[String]) -> String {
    format!("the configuration is not valid: {}", problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
namespaces: [{name: default, initialShardCount: 4, replicationFactor: 1}]
servers: [{name: s1, public: 'localhost:6648', internal: 'localhost:6649'}]
";

    #[test]
    fn a_good_configuration_is_handed_on() {
        let judgement = judge(Some(GOOD));
        assert_eq!(judgement.verdict.unwrap().servers.len(), 1);
        assert_eq!(judgement.unknown, []);
    }

    #[test]
    fn an_address_without_a_port_is_refused_with_its_key() {
        let text = GOOD.replace("localhost:6648", "localhost");
        let error = judge(Some(&text)).verdict.unwrap_err();
        assert!(
            error.contains("servers[0].public: 'localhost' names no port"),
            "{error}"
        );
    }

    #[test]
    fn of_a_thousand_mistakes_the_first_are_said() {
        let servers = (0..1_000).map(|it| format!("- {{public: 'a{it}', internal: 'b{it}'}}\n"));
        let text = format!("servers:\n{}", servers.collect::<String>());
        let error = judge(Some(&text)).verdict.unwrap_err();
        assert_eq!(error.chars().count(), LONGEST + 1);
        assert!(error.contains("servers[0].public"), "{error}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_with_the_misspelt_key() {
        let text = GOOD
            .replace("localhost:6649", "localhost")
            .replace("initialShardCount", "initialShardcount");
        let error = judge(Some(&text)).verdict.unwrap_err();
        for part in [
            "namespaces[0].initialShardCount: must be at least 1",
            "servers[0].internal: 'localhost' names no port",
            "namespaces[0].initialShardcount is not known: did you mean initialShardCount?",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_named_and_refuses_nothing() {
        let text = GOOD.replace(
            "replicationFactor: 1",
            "replicationFactor: 1, antiAffinity: []",
        );
        let judgement = judge(Some(&text));
        assert!(judgement.verdict.is_ok());
        assert_eq!(judgement.unknown.len(), 1);
    }

    #[test]
    fn what_is_no_document_is_refused_in_the_words_that_a_coordinator_has_for_it() {
        for (text, words) in [
            (None, "there is no configuration"),
            (Some("# later"), "the configuration is empty"),
            (Some("Servers: []"), "names neither servers nor namespaces"),
            (Some("servers: {"), "can't be read"),
        ] {
            let error = judge(text).verdict.unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
