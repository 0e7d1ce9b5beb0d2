//! Where people reach the public port: coordinators send them from each other to the one that leads.

use std::net::Ipv6Addr;

use stepdown_backends::PublicAddress;

use super::key::Key;
use super::port::PortOptions;

/// Checks what is said. Where nothing is, people reach the port at the address that it is bound to, if that is one,
/// and not every address of the host.
pub(super) fn resolve(
    setting: Key,
    address: Option<String>,
    port: &PortOptions,
    problems: &mut Vec<String>,
) -> Option<PublicAddress> {
    let Some(text) = address else {
        return PublicAddress::parse(&port.bind_address);
    };
    let address = parse(&text);
    if address.is_none() {
        problems.push(format!(
            "{setting} '{text}' is not one host and a port, as in coordinator-1.example:6651"
        ));
    }
    address
}

/// An IPv6 address needs no brackets here: Kubernetes tells a pod its own without any.
pub(super) fn parse(text: &str) -> Option<PublicAddress> {
    let bracketed = text.rsplit_once(':').and_then(|(host, port)| {
        let ip: Ipv6Addr = host.parse().ok()?;
        Some(format!("[{ip}]:{port}"))
    });
    PublicAddress::parse(bracketed.as_deref().unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_may_lack_its_brackets() {
        for (text, address) in [
            ("fd00::1:6651", Some("[fd00::1]:6651")),
            ("[fd00::1]:6651", Some("[fd00::1]:6651")),
            ("10.0.0.1:6651", Some("10.0.0.1:6651")),
            (":::6651", None),
            ("fd00::1", None),
        ] {
            assert_eq!(parse(text).as_deref(), address, "{text}");
        }
    }
}
