//! Reading an `--sconfig` file.

use std::fs;
use std::path::Path;

use serde_saphyr::{Error, UserMessageFormatter};

use super::error::OptionsError;
use super::guard;
use super::settings::Settings;

/// Reads the file. Each key that is not an option is told in `notices`, or is an error where it may be a
/// misspelt word about who may connect.
pub(super) fn read(path: &Path, notices: &mut Vec<String>) -> Result<Settings, OptionsError> {
    let unreadable = |reason: String| OptionsError::Unreadable {
        path: path.display().to_string(),
        reason,
    };
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable("it is not UTF-8, perhaps UTF-16: save it as UTF-8".to_owned()))?;
    let mut unknown = Vec::new();
    let settings = parse(&text, &mut unknown).map_err(|error| OptionsError::Malformed {
        path: path.display().to_string(),
        reason: told(error.without_snippet()),
    })?;
    let path = path.display();
    let (guarding, others) = guard::split(&text, unknown);
    if !guarding.is_empty() {
        let problems = guarding.into_iter().map(|key| {
            format!(
                "{path}: the key {key} is not an option; it is where TLS, authentication and audits are set, so it is not passed over: correct it or remove it"
            )
        });
        return Err(OptionsError::Invalid {
            problems: problems.collect(),
        });
    }
    notices.extend(
        others
            .into_iter()
            .map(|key| format!("{path}: the key {key} is not an option and has no effect")),
    );
    Ok(settings)
}

/// What is wrong, for people who write YAML and not Rust.
fn told(error: &Error) -> String {
    let Error::DuplicateMappingKey { key, location } = error else {
        return error.render_with_formatter(&UserMessageFormatter);
    };
    let key = key.as_deref().unwrap_or("of a mapping");
    let line = location.line();
    format!("the key {key} is given twice, the second time at line {line}: remove one")
}

pub(super) fn parse(text: &str, unknown: &mut Vec<String>) -> Result<Settings, Error> {
    let settings: Option<Settings> =
        serde_saphyr::with_deserializer_from_str(text, |deserializer| {
            serde_ignored::deserialize(deserializer, |key| {
                unknown.push(key.to_string().replace(".?", "").replace("?.", ""));
            })
        })?;
    Ok(settings.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(text: &str) -> (Settings, Vec<String>) {
        let mut unknown = Vec::new();
        let settings = parse(text, &mut unknown).expect("must parse");
        (settings, unknown)
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in [
            "",
            "# only a comment\n",
            "---\n",
            "server:\nmetadata:\n  file:\n",
        ] {
            assert_eq!(parse_all(text), (Settings::default(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn unknown_keys_are_named_by_their_whole_path() {
        let (_, unknown) = parse_all(
            "server: {admin: {bindAddress: x}, public: {colour: red}}\nextra: [1]\nmetadata: {name: a}\n",
        );
        assert_eq!(unknown, ["server.admin", "server.public.colour", "extra"]);
    }

    #[test]
    fn an_unquoted_number_can_be_a_name() {
        let (settings, _) = parse_all("metadata: {name: 007}\n");
        assert_eq!(settings.metadata.name.as_deref(), Some("007"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_with_its_place() {
        let error = parse("server:\n  internal: [1, 2]\n", &mut Vec::new())
            .expect_err("a list is not a server");
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    fn read_error(content: &[u8]) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("options.yaml");
        fs::write(&path, content).expect("written");
        read(&path, &mut Vec::new())
            .expect_err("it is no options file")
            .to_string()
    }

    #[test]
    fn a_key_that_is_given_twice_is_named_with_what_to_do() {
        let error = read_error(b"metadata:\n  name: a\n  name: b\n");
        assert!(
            error.contains("the key name is given twice, the second time at line 3: remove one"),
            "{error}"
        );
    }

    #[test]
    fn no_error_of_a_file_asks_for_what_only_a_programmer_could_do() {
        for text in [
            "a: [",
            "a: 1\n---\nb: 2\n",
            "&a [*a]",
            "a: *b",
            "metadata: {name: 1, name: 2}",
        ] {
            let error = read_error(text.as_bytes());
            assert!(!error.contains("Options"), "{error}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_said_to_be_that() {
        let error = read_error(&[0xff, 0xfe, b'a', 0]);
        assert!(error.contains("save it as UTF-8"), "{error}");
    }
}
