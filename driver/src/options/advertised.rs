//! Where people reach the public port: coordinators send them from each other to the one that leads.

use std::net::IpAddr;

use stepdown_wire::host::{bare, is_host};

use super::port::PortOptions;
use super::said::said;

/// Checks what is said; where nothing is, it is the address that the port is bound to, if that is not every
/// address of the host.
pub(super) fn resolve(
    key: &str,
    address: Option<String>,
    port: &PortOptions,
    problems: &mut Vec<String>,
) -> Option<String> {
    let Some(address) = said(address) else {
        let bound = &port.bind_address;
        return is_address(bound).then(|| bound.clone());
    };
    if !is_address(&address) {
        problems.push(format!(
            "{key} '{address}' is not of the form host:port, as in coordinator-1.example:6651"
        ));
    }
    Some(address)
}

/// Whether it names one host, and a port.
pub(super) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let ip: Option<IpAddr> = bare(host).parse().ok();
    let is_one = ip.is_none_or(|ip| !ip.is_unspecified());
    is_host(host) && is_one && port.parse().is_ok_and(|port: u16| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_host_and_a_port() {
        for (address, is_one) in [
            ("coordinator-1.example:6651", true),
            ("10.0.0.1:6651", true),
            ("[fd00::1]:6651", true),
            ("localhost:6651", true),
            ("0.0.0.0:6651", false),
            ("[::]:6651", false),
            (":6651", false),
            ("fd00::1:6651", false),
            ("a:0", false),
            ("a", false),
            ("a b:1", false),
            ("a:65536", false),
        ] {
            assert_eq!(is_address(address), is_one, "{address}");
        }
    }
}
