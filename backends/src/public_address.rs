//! Where people reach a coordinator: what is told of it comes from elsewhere, and goes to clients.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use stepdown_wire::host::{bare, is_host};

/// The longest, in bytes: no name of a host is longer than 253, and no port than 5.
const LONGEST: usize = 259;

/// Where people reach a coordinator: one host, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress(Arc<str>);

impl PublicAddress {
    /// The address, if the text is `host:port` of one host: a name, an IPv4 address, or an IPv6 address in
    /// brackets, but not the one that stands for every address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let ip: Option<IpAddr> = bare(host).parse().ok();
        let is_every = ip.is_some_and(|ip| ip.to_canonical().is_unspecified());
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse().is_ok_and(|port: u16| port != 0);
        let is_one = text.len() <= LONGEST && is_host(host) && !is_every && is_port;
        is_one.then(|| Self(text.into()))
    }
}

impl Deref for PublicAddress {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_host_and_a_port() {
        for text in [
            "coordinator-1.example:6651",
            "10.0.0.1:6651",
            "[fd00::1]:6651",
            "localhost:65535",
        ] {
            let address = PublicAddress::parse(text).unwrap();
            assert_eq!((&*address, address.to_string()), (text, text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_of_one_host_or_too_long_is_none() {
        let longest = format!("{}:12345", "a".repeat(LONGEST - 6));
        assert!(PublicAddress::parse(&longest).is_some());
        for text in [
            "",
            ":",
            ":6651",
            "a",
            "a:",
            "a:0",
            "a:+1",
            "a:65536",
            "a b:1",
            "a:1\n",
            "http://a:1",
            "user@a:1",
            "größer:1",
            "0.0.0.0:6651",
            "[::]:6651",
            "[::ffff:0.0.0.0]:6651",
            "fd00::1:6651",
            "[10.0.0.1]:6651",
            &format!("a{longest}"),
        ] {
            assert_eq!(PublicAddress::parse(text), None, "{text}");
        }
    }
}
