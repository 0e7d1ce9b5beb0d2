//! Whose tokens a port takes, checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use http::Uri;
use serde::Deserialize;
use stepdown_wire::host::is_loopback;

use super::said::{null_is_default, said};
use super::settings::AuthSettings;

/// Whose tokens a port takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthOptions {
    /// By the name that is in their tokens, letter by letter.
    pub issuers: BTreeMap<String, IssuerOptions>,
}

/// One issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerOptions {
    /// Tokens are taken that are meant for one of these.
    pub audiences: BTreeSet<String>,
    /// The claim that has the bearer's name.
    pub user_name_claim: String,
    /// Its public keys, PEM; `None` asks the issuer for them.
    pub static_key_file: Option<PathBuf>,
}

/// `providerParams`, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Params {
    #[serde(deserialize_with = "null_is_default")]
    issuers: BTreeMap<String, IssuerParams>,
    // The older form, which says the same of all.
    #[serde(rename = "allowedIssueURLs")]
    allowed_issue_urls: Option<String>,
    allowed_audiences: Option<String>,
    user_name_claim: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IssuerParams {
    allowed_audiences: Option<String>,
    user_name_claim: Option<String>,
    static_key_file: Option<String>,
}

/// Checks the settings at `key`; `None` when nobody is asked for a token.
pub(super) fn resolve(
    key: &str,
    settings: &AuthSettings,
    notices: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Option<AuthOptions> {
    let provider = said(settings.provider.clone());
    let params = said(settings.provider_params.clone());
    if !settings
        .enabled
        .unwrap_or(provider.is_some() || params.is_some())
    {
        return None;
    }
    match provider.as_deref() {
        Some("oidc") => {}
        Some(name) => problems.push(format!(
            "{key}.provider '{name}' is unknown; there is only oidc"
        )),
        None => problems.push(format!("{key}.provider is missing: set it to oidc")),
    }
    let key = format!("{key}.providerParams");
    let Some(params) = params else {
        problems.push(format!(
            "{key} is missing: it names the issuers of tokens, as in {EXAMPLE}"
        ));
        return None;
    };
    let issuers = read(&key, &params, notices, problems)?;
    Some(AuthOptions { issuers })
}

const EXAMPLE: &str = r#"'{"issuers": {"https://issuer.example": {"allowedAudiences": "oxia"}}}'"#;

fn read(
    key: &str,
    text: &str,
    notices: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Option<BTreeMap<String, IssuerOptions>> {
    let before = problems.len();
    let params = match parse(text) {
        Ok((params, unknown)) => {
            problems.extend(unknown.into_iter().map(|name| {
                format!("{key}: the key {name} in it is unknown: correct it or remove it")
            }));
            params
        }
        Err(error) => {
            problems.push(format!("{key} is not JSON as in {EXAMPLE}: {error}"));
            return None;
        }
    };
    let named = if params.issuers.is_empty() {
        older(params)
    } else {
        if params.allowed_issue_urls.is_some()
            || params.allowed_audiences.is_some()
            || params.user_name_claim.is_some()
        {
            notices.push(format!(
                "{key}: allowedIssueURLs, allowedAudiences and userNameClaim have no effect beside issuers"
            ));
        }
        params.issuers
    };
    if named.is_empty() {
        problems.push(format!("{key} names no issuer: write it as in {EXAMPLE}"));
    }
    let mut issuers = BTreeMap::new();
    for (url, params) in named {
        let issuer = IssuerOptions {
            audiences: parts(params.allowed_audiences),
            user_name_claim: said(params.user_name_claim).unwrap_or_else(|| "sub".to_owned()),
            static_key_file: said(params.static_key_file).map(PathBuf::from),
        };
        if issuer.audiences.is_empty() {
            problems.push(format!(
                "{key}: allowedAudiences of the issuer {url} is missing: it names for whom its tokens have to be"
            ));
        }
        if issuer.static_key_file.is_none() {
            check_url(key, &url, notices, problems);
        }
        issuers.insert(url, issuer);
    }
    (problems.len() == before).then_some(issuers)
}

fn parse(text: &str) -> serde_json::Result<(Params, Vec<String>)> {
    let mut unknown = Vec::new();
    if text.trim_start().starts_with('[') {
        // Else it would be taken for the values in their order.
        return Err(serde::de::Error::custom("it is a list"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let params: Option<Params> = serde_ignored::deserialize(&mut json, |key| {
        unknown.push(key.to_string().replace(".?", "").replace("?.", ""));
    })?;
    json.end()?;
    Ok((params.unwrap_or_default(), unknown))
}

/// What the older form says, in the newer one.
fn older(params: Params) -> BTreeMap<String, IssuerParams> {
    let issuer = || IssuerParams {
        allowed_audiences: params.allowed_audiences.clone(),
        user_name_claim: params.user_name_claim.clone(),
        static_key_file: None,
    };
    let urls = parts(params.allowed_issue_urls.clone());
    urls.into_iter().map(|url| (url, issuer())).collect()
}

/// What is between commas.
fn parts(list: Option<String>) -> BTreeSet<String> {
    let list = list.unwrap_or_default();
    let parts = list.split(',').map(str::trim);
    parts
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether the issuer can be asked for its keys.
fn check_url(key: &str, url: &str, notices: &mut Vec<String>, problems: &mut Vec<String>) {
    let uri: Option<Uri> = url.parse().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let is_asked = matches!(scheme, Some("http" | "https"));
    if !is_asked || host.is_empty() || url.contains(['?', '#', '@']) {
        problems.push(format!(
            "{key}: the issuer '{url}' can't be asked for its keys: write it as https://host/path, or name a staticKeyFile"
        ));
    } else if scheme == Some("http") && !is_loopback(host) {
        notices.push(format!(
            "{key}: the keys of {url} come in plaintext: whoever answers in its place lets in whom they like; use https, or name a staticKeyFile"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(params: &str) -> (Option<AuthOptions>, Vec<String>, Vec<String>) {
        let settings = AuthSettings {
            enabled: None,
            provider: Some("oidc".to_owned()),
            provider_params: Some(params.to_owned()),
        };
        let (mut notices, mut problems) = (Vec::new(), Vec::new());
        let options = resolve("a", &settings, &mut notices, &mut problems);
        (options, notices, problems)
    }

    fn set(of: &[&str]) -> BTreeSet<String> {
        of.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn both_forms_say_the_same() {
        let (newer, _, problems) = resolved(
            r#"{"issuers": {"https://a": {"allowedAudiences": "x, y,", "userNameClaim": "email"},
                "https://b/c": {"allowedAudiences": "x,y", "userNameClaim": "email"}}}"#,
        );
        assert_eq!(problems, Vec::<String>::new());
        let (older, _, problems) = resolved(
            r#"{"allowedIssueURLs": "https://a,https://b/c", "allowedAudiences": "x,y", "userNameClaim": "email"}"#,
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(newer, older);
        let issuers = newer.unwrap().issuers;
        assert_eq!(issuers.len(), 2);
        assert_eq!(issuers["https://a"].audiences, set(&["x", "y"]));
        assert_eq!(issuers["https://a"].user_name_claim, "email");
    }

    #[test]
    fn the_name_is_the_subject_unless_something_else_is_said() {
        let (options, notices, _) = resolved(
            r#"{"issuers": {"any name": {"allowedAudiences": "x", "staticKeyFile": "keys.pem"}},
                "allowedAudiences": "z"}"#,
        );
        let issuer = &options.unwrap().issuers["any name"];
        assert_eq!(issuer.user_name_claim, "sub");
        assert_eq!(issuer.static_key_file, Some(PathBuf::from("keys.pem")));
        assert!(
            notices[0].contains("no effect beside issuers"),
            "{notices:?}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key() {
        for (params, expected) in [
            ("{", "a.providerParams is not JSON"),
            ("[]", "a.providerParams is not JSON"),
            ("{} {}", "a.providerParams is not JSON"),
            ("null", "names no issuer"),
            ("{}", "names no issuer"),
            (r#"{"issuers": null}"#, "names no issuer"),
            (
                r#"{"issuers": {"https://a": {}}}"#,
                "allowedAudiences of the issuer https://a is missing",
            ),
            (
                r#"{"issuers": {"https://a": {"allowedAudiences": " ,"}}}"#,
                "allowedAudiences of the issuer https://a is missing",
            ),
            (
                r#"{"issuers": {"https://a": {"allowedAudiences": "x", "audience": "y"}}}"#,
                "the key issuers.https://a.audience in it is unknown",
            ),
            (
                r#"{"issuer": {}, "allowedIssueURLs": "https://a", "allowedAudiences": "x"}"#,
                "the key issuer in it is unknown",
            ),
            (
                r#"{"issuers": {"a.example": {"allowedAudiences": "x"}}}"#,
                "the issuer 'a.example' can't be asked",
            ),
            (
                r#"{"issuers": {"https://u:p@a": {"allowedAudiences": "x"}}}"#,
                "can't be asked",
            ),
            (
                r#"{"issuers": {"ftp://a": {"allowedAudiences": "x"}}}"#,
                "can't be asked",
            ),
        ] {
            let (options, _, problems) = resolved(params);
            assert_eq!(options, None, "{params}");
            let all = problems.join("\n");
            assert!(all.contains(expected), "{params}: {all}");
        }
    }

    #[test]
    fn keys_that_come_in_plaintext_from_elsewhere_deserve_a_warning() {
        for (url, warned) in [
            ("http://issuer.example", true),
            ("http://localhost:1234", false),
            ("http://127.0.0.1:1/realm", false),
            ("http://[::1]:1", false),
            ("https://issuer.example", false),
        ] {
            let params = format!(r#"{{"issuers": {{"{url}": {{"allowedAudiences": "x"}}}}}}"#);
            let (options, notices, problems) = resolved(&params);
            assert!(options.is_some(), "{problems:?}");
            assert_eq!(!notices.is_empty(), warned, "{url}");
        }
    }
}
