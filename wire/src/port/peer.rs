//! Who is at the other end of a connection, as far as the connection itself tells.

use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of a connection; what comes in on it has this among its extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Where it comes from; `None` if the system does not know any more.
    pub remote: Option<SocketAddr>,
    /// Where it came in.
    pub local: Option<SocketAddr>,
    /// Whether it has TLS.
    pub is_encrypted: bool,
    /// The names in the certificate that it has shown, which an authority has signed.
    pub names: Arc<[String]>,
}

impl Peer {
    /// Whether nothing of it leaves this host.
    pub fn is_loopback(&self) -> bool {
        // An IPv4 address is mapped where a socket is of both families.
        let is_here =
            |it: Option<SocketAddr>| it.is_some_and(|it| it.ip().to_canonical().is_loopback());
        is_here(self.remote) && is_here(self.local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_of_this_host_only_if_both_its_ends_are() {
        for (remote, local, expected) in [
            ("127.0.0.1:5", "127.0.0.1:6", true),
            ("127.0.0.3:5", "127.0.0.1:6", true),
            ("[::1]:5", "[::1]:6", true),
            ("[::ffff:127.0.0.1]:5", "[::ffff:127.0.0.1]:6", true),
            ("10.0.0.1:5", "127.0.0.1:6", false),
            ("127.0.0.1:5", "10.0.0.1:6", false),
            ("10.0.0.1:5", "10.0.0.1:6", false),
        ] {
            let peer = Peer {
                remote: remote.parse().ok(),
                local: local.parse().ok(),
                ..Peer::default()
            };
            assert_eq!(peer.is_loopback(), expected, "{remote} {local}");
        }
        assert!(!Peer::default().is_loopback());
    }
}
