//! Ports on loopback for processes that are yet to start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Below the range that systems take outgoing connections' ports from, so that a port stays free
/// while its process is down.
const RANGE: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 10_000;

/// Picks ports on 127.0.0.1 that nobody listens on now. They are not reserved.
pub fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::with_capacity(count);
    for _ in 0..TRIES {
        if found.len() == count {
            return Ok(found);
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, random_port()?));
        if !found.contains(&address) && TcpListener::bind(address).is_ok() {
            found.push(address);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("fewer than {count} ports of {RANGE:?} on 127.0.0.1 are free"),
    ))
}

fn random_port() -> io::Result<u16> {
    let chance = getrandom::u32().map_err(|error| io::Error::other(error.to_string()))?;
    let width = u32::from(RANGE.end - RANGE.start);
    Ok(RANGE.start + u16::try_from(chance % width).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_on_loopback_free_and_distinct() {
        let mut addresses = free_addresses(20).unwrap();
        assert!(addresses.iter().all(|it| it.ip().is_loopback()));
        assert!(addresses.iter().all(|it| RANGE.contains(&it.port())));
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 20);
    }
}
