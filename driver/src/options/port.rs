//! One listener's settings, checked.

use stepdown_wire::tls::TlsOptions;

use super::key::Key;
use super::said::said;
use super::settings::{AuthSettings, ServerSettings};
use super::tls;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOptions {
    /// Where to listen, `host:port`; an empty host is every interface.
    pub bind_address: String,
    /// `None` is plaintext.
    pub tls: Option<TlsOptions>,
    /// What sets the address, for messages.
    pub setting: Key,
}

/// Checks the settings below `section`; what is wrong is added to `problems`.
pub(super) fn resolve(
    section: &str,
    setting: Key,
    default: &str,
    settings: ServerSettings,
    problems: &mut Vec<String>,
) -> PortOptions {
    let bind_address = said(settings.bind_address).unwrap_or_else(|| default.to_owned());
    let port = bind_address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        problems.push(format!(
            "{setting} '{bind_address}' is not of the form host:port, as in {default}"
        ));
    }
    refuse_auth(section, &settings.auth, problems);
    PortOptions {
        bind_address,
        tls: tls::resolve(&format!("{section}.tls"), settings.tls, problems),
        setting,
    }
}

/// A port that was meant to ask for tokens must not open without asking.
fn refuse_auth(section: &str, auth: &AuthSettings, problems: &mut Vec<String>) {
    let provider = said(auth.provider.clone());
    let is_meant = provider.is_some() || said(auth.provider_params.clone()).is_some();
    if !auth.enabled.unwrap_or(is_meant) {
        return;
    }
    if let Some(name) = provider.filter(|name| name != "oidc") {
        problems.push(format!(
            "{section}.auth.provider '{name}' is unknown; upstream knows only oidc"
        ));
    }
    problems.push(format!(
        "{section}.auth is on, but this release can't check tokens; remove {section}.auth and restrict the port by {section}.tls with clientAuth, or by a network policy"
    ));
}
