//! Whether the addresses of a configuration can be dialled. One that can't is found out too late else: a
//! server without a name has its internal address for an id, and is stored with it.

use std::net::Ipv6Addr;

use stepdown_core::cluster::ClusterConfiguration;
use stepdown_wire::host::is_host;

/// Before an address that is dialled with TLS.
const TLS: &str = "tls://";
/// How clients may be told to find a server by other means than a host and a port (gRPC's naming).
const NAMING: [&str; 5] = ["dns:", "passthrough:", "unix:", "unix-abstract:", "xds:"];

/// What is wrong with the addresses, each with its key.
pub(super) fn problems(configuration: &ClusterConfiguration) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, server) in configuration.servers.iter().enumerate() {
        if !NAMING
            .iter()
            .any(|scheme| server.public.starts_with(scheme))
        {
            check(
                &format!("servers[{index}].public"),
                &server.public,
                &mut problems,
            );
        }
        check(
            &format!("servers[{index}].internal"),
            &server.internal,
            &mut problems,
        );
    }
    for (index, coordinator) in configuration.coordinators.iter().enumerate() {
        let key = format!("coordinators[{index}].publicAddress");
        check(&key, &coordinator.public_address, &mut problems);
    }
    problems
}

/// One that is empty is refused already.
fn check(key: &str, address: &str, problems: &mut Vec<String>) {
    if address.trim().is_empty() {
        return;
    }
    if let Some(problem) = problem(address.strip_prefix(TLS).unwrap_or(address)) {
        problems.push(format!(
            "{key}: '{address}' {problem}; write it as host:port"
        ));
    }
}

fn problem(address: &str) -> Option<&'static str> {
    if address.contains("://") || address.contains('/') {
        return Some("is a URL");
    }
    if address.parse::<Ipv6Addr>().is_ok() || (address.starts_with('[') && address.ends_with(']')) {
        return Some("names no port");
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some("names no port");
    };
    if host.is_empty() {
        return Some("names no host");
    }
    if !is_host(host) {
        return Some(if host.contains(':') {
            "is no IPv6 address in brackets and a port"
        } else {
            "has a host that is no name"
        });
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !matches!(port.parse(), Ok(1..=u16::MAX)) {
        return Some("has a port that is none from 1 to 65535");
    }
    None
}

#[cfg(test)]
mod tests {
    use stepdown_core::cluster::{Coordinator, DataServerIdentity};

    use super::*;

    fn of_server(public: &str, internal: &str) -> Vec<String> {
        problems(&ClusterConfiguration {
            servers: vec![DataServerIdentity {
                name: None,
                public: public.into(),
                internal: internal.into(),
            }],
            ..ClusterConfiguration::default()
        })
    }

    #[test]
    fn what_can_be_dialled_is_taken() {
        for address in [
            "oxia-0.oxia-svc.ns.svc.cluster.local:6649",
            "10.0.0.1:1",
            "[::1]:65535",
            "my_host:6649",
            "tls://oxia-0:6649",
            "tls://[2001:db8::1]:6649",
        ] {
            assert_eq!(of_server(address, address), [""; 0], "{address}");
        }
        assert_eq!(of_server("dns:///oxia:6648", "oxia:6649"), [""; 0]);
    }

    #[test]
    fn what_can_not_be_dialled_is_refused_with_what_is_missing() {
        for (address, problem) in [
            ("localhost", "names no port"),
            ("::1", "names no port"),
            ("[::1]", "names no port"),
            ("tls://localhost", "names no port"),
            (":6649", "names no host"),
            ("::1:6649:", "is no IPv6 address"),
            ("2001:db8::1:66490", "is no IPv6 address"),
            ("http://localhost:6649", "is a URL"),
            ("localhost:6649/", "is a URL"),
            ("localhost:", "has a port"),
            ("localhost:0", "has a port"),
            ("localhost:+80", "has a port"),
            ("localhost:66490", "has a port"),
            (" localhost:6649", "has a host"),
            ("local host:6649", "has a host"),
            ("löcal:6649", "has a host"),
        ] {
            let found = of_server("localhost:6648", address);
            let [found] = found.as_slice() else {
                panic!("{address}: {found:?}");
            };
            assert!(found.starts_with("servers[0].internal: "), "{found}");
            assert!(found.contains(problem), "{found}");
        }
    }

    #[test]
    fn the_addresses_of_coordinators_are_looked_at_too() {
        let found = problems(&ClusterConfiguration {
            coordinators: vec![Coordinator {
                name: "a".into(),
                public_address: "a".into(),
            }],
            ..ClusterConfiguration::default()
        });
        assert!(found[0].starts_with("coordinators[0].publicAddress: "));
    }

    #[test]
    fn what_is_empty_is_left_to_whoever_refuses_that() {
        assert_eq!(of_server("", " "), [""; 0]);
    }
}
