//! Ports on loopback for processes that are yet to start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// Below the range that systems take outgoing connections' ports from, so that a port stays free
/// while its process is down.
const RANGE: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 10_000;

/// The ports that were picked, of UDP, where nobody wants them: for as long as this process runs no other
/// one picks them, whether somebody listens already or not.
static PICKED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// Picks ports on 127.0.0.1 that nobody listens on now, and that nobody else picks while this process
/// runs.
pub fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::with_capacity(count);
    for _ in 0..TRIES {
        if found.len() == count {
            return Ok(found);
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, random_port()?));
        let Ok(picked) = UdpSocket::bind(address) else {
            continue;
        };
        if TcpListener::bind(address).is_ok() {
            let mut all = PICKED.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(picked);
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
    fn nobody_else_picks_an_address_before_its_server_runs() {
        let picked = free_addresses(1).unwrap();
        assert!(UdpSocket::bind(picked.as_slice()).is_err());
        assert!(TcpListener::bind(picked.as_slice()).is_ok());
    }

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
