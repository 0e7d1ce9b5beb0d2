//! Reading an `--sconfig` file.

use std::fs;
use std::path::Path;

use serde_saphyr::Error;

use super::error::OptionsError;
use super::settings::Settings;

/// Reads the file. Each key that is not an option is told in `notices`.
pub(super) fn read(path: &Path, notices: &mut Vec<String>) -> Result<Settings, OptionsError> {
    let text = fs::read_to_string(path).map_err(|error| OptionsError::Unreadable {
        path: path.display().to_string(),
        reason: error.to_string(),
    })?;
    let mut unknown = Vec::new();
    let settings = parse(&text, &mut unknown).map_err(|error| OptionsError::Malformed {
        path: path.display().to_string(),
        reason: error.without_snippet().to_string(),
    })?;
    notices.extend(unknown.into_iter().map(|key| {
        format!(
            "{}: the key {key} is not an option and has no effect",
            path.display()
        )
    }));
    Ok(settings)
}

fn parse(text: &str, unknown: &mut Vec<String>) -> Result<Settings, Error> {
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
}
