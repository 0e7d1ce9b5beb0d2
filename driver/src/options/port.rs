//! One listener's settings, checked.

use stepdown_wire::tls::TlsOptions;

use super::auth::AuthOptions;
use super::authorization::Known;
use super::key::Key;
use super::said::said;
use super::settings::ServerSettings;
use super::{auth, authorization, tls};
use crate::auth::Rule;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortOptions {
    /// Where to listen, `host:port`; an empty host is every interface.
    pub bind_address: String,
    /// `None` is plaintext.
    pub tls: Option<TlsOptions>,
    /// Whose tokens are asked for; `None` asks for none.
    pub auth: Option<AuthOptions>,
    /// Who may do what; without any rule, everybody everything who is let in.
    pub authorization: Vec<Rule>,
    /// What sets the address, for messages.
    pub setting: Key,
}

/// Checks the settings below `section`; what is wrong is added to `problems`.
pub(super) fn resolve(
    section: &str,
    setting: Key,
    default: &str,
    settings: ServerSettings,
    notices: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> PortOptions {
    let bind_address = said(settings.bind_address.clone()).unwrap_or_else(|| default.to_owned());
    let port = bind_address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        problems.push(format!(
            "{setting} '{bind_address}' is not of the form host:port, as in {default}"
        ));
    }
    let auth = auth::resolve(
        &format!("{section}.auth"),
        &settings.auth,
        notices,
        problems,
    );
    let tls = tls::resolve(&format!("{section}.tls"), settings.tls.clone(), problems);
    let known = Known {
        auth: auth.as_ref(),
        certificates: tls
            .as_ref()
            .is_some_and(|tls| tls.trusted_ca_file.is_some()),
    };
    let key = format!("{section}.authorization");
    let authorization = authorization::resolve(&key, &settings, &known, problems);
    if auth.is_some() && tls.is_none() {
        notices.push(format!(
            "{section} asks for tokens and has no TLS: only those from this host itself are taken; set {section}.tls"
        ));
    }
    PortOptions {
        bind_address,
        tls,
        auth,
        authorization,
        setting,
    }
}
