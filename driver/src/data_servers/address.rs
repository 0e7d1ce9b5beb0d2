//! A data server's internal address, as the documents write it: `host:port`, with `tls://` before
//! it where the connection is to be encrypted.

use std::net::Ipv6Addr;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, Scheme};
use stepdown_core::call::{CallError, CallErrorKind};
use stepdown_wire::host::bare;

const TLS: &str = "tls://";

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// `host:port`.
    pub authority: Arc<str>,
    /// The host alone, an IPv6 address without its brackets.
    pub host: Arc<str>,
    /// Whether to encrypt.
    pub tls: bool,
    /// What requests are addressed to.
    pub origin: Uri,
}

impl Address {
    /// Reads `text`; `tls` says whether the address is encrypted even without `tls://`.
    pub fn parse(text: &str, tls: bool) -> Result<Self, CallError> {
        let (authority, tls) = match text.strip_prefix(TLS) {
            Some(rest) => (rest, true),
            None => (text, tls),
        };
        let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
        let origin = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query("/")
            .build()
            .ok()
            .filter(is_host_and_port);
        let Some(origin) = origin else {
            return Err(CallError {
                kind: CallErrorKind::Unreachable,
                message: format!("'{text}' is no internal address: write it as host:port"),
            });
        };
        let host = bare(origin.host().unwrap_or_default());
        Ok(Self {
            authority: Arc::from(authority),
            host: Arc::from(host),
            tls,
            origin,
        })
    }
}

/// Nothing else is there: no name of a user, and in brackets is an IPv6 address.
fn is_host_and_port(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let is_host = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains(['[', ']']),
    };
    let both = uri.port().map(|port| format!("{host}:{port}"));
    is_host && both.as_deref() == uri.authority().map(Authority::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_unless_its_prefix_or_the_options_say_otherwise() {
        for (text, option, tls, origin) in [
            ("ds-0:6649", false, false, "http://ds-0:6649/"),
            ("ds-0:6649", true, true, "https://ds-0:6649/"),
            ("tls://ds-0:6649", false, true, "https://ds-0:6649/"),
            ("[::1]:6649", false, false, "http://[::1]:6649/"),
        ] {
            let address = Address::parse(text, option).unwrap();
            assert_eq!(address.tls, tls, "{text}");
            assert_eq!(address.origin.to_string(), origin);
        }
        assert_eq!(&*Address::parse("[::1]:1", false).unwrap().host, "::1");
    }

    #[test]
    fn an_address_without_host_or_port_can_not_be_reached() {
        for text in [
            "",
            "ds-0",
            "ds 0:1",
            "a:b:c",
            "tls://",
            "http://ds-0:1",
            ":1",
            "tls://:1",
            "a@ds-0:1",
            "@[::1]:1",
            "[]:6",
            "[;:1]=:1",
            "[::1]1:6",
        ] {
            let error = Address::parse(text, false).unwrap_err();
            assert_eq!(error.kind, CallErrorKind::Unreachable, "{text}");
        }
    }
}
