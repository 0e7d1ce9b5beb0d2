//! Hosts as addresses name them.

use std::net::{IpAddr, Ipv6Addr};

/// The host alone: an IPv6 address without the brackets that keep it from its port.
#[must_use]
pub fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether whatever is said to it stays on this host.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = bare(host);
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|it| it.is_loopback())
}

/// Whether it is a name, an IPv4 address, or an IPv6 address in brackets.
#[must_use]
pub fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().is_ok(),
        None => {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(is_part)
        }
    }
}
