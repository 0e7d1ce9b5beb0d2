//! The way to a host: its name, its addresses, a connection. Nothing that is silent on the way uses up
//! the time of what comes after it, nor the same time again at the next try.

mod names;
mod plain;
mod race;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::names::Names;
pub use self::plain::Plain;

/// How long each part of the way may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the look-up of a name. It goes on beyond that, for whoever asks next.
    pub look_up: Duration,
    /// For TCP, over all addresses.
    pub connect: Duration,
    /// For TLS.
    pub handshake: Duration,
}

impl Limits {
    /// The same time for each part.
    #[must_use]
    pub const fn each(limit: Duration) -> Self {
        Self {
            look_up: limit,
            connect: limit,
            handshake: limit,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::each(Duration::from_secs(5))
    }
}

/// A connection to one address of a host.
pub struct Reached {
    /// The connection.
    pub stream: TcpStream,
    /// What becomes of it.
    pub attempt: Attempt,
}

/// An attempt to speak to an address. Unless it is said to have succeeded, other addresses of the host
/// come first for a while.
#[must_use = "unless it succeeds, the address is put behind others"]
pub struct Attempt {
    names: Arc<Names>,
    host: Arc<str>,
    address: IpAddr,
    is_open: bool,
}

impl Attempt {
    /// Somebody speaks there.
    pub fn succeeded(mut self) {
        self.is_open = false;
        self.names.spoke(&self.host, self.address);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_open {
            self.names.was_silent(&self.host, self.address);
        }
    }
}

/// Connects to the first address of the host that answers.
pub async fn reach(host: &str, port: u16, limits: Limits) -> io::Result<Reached> {
    // What is known of names is of use to all of the process.
    static NAMES: LazyLock<Arc<Names>> = LazyLock::new(Names::of_the_system);
    reach_by(&NAMES, host, port, limits).await
}

async fn reach_by(
    names: &Arc<Names>,
    host: &str,
    port: u16,
    limits: Limits,
) -> io::Result<Reached> {
    let found = timeout(limits.look_up, names.look_up(host)).await;
    let found =
        found.map_err(|_| silent(format!("{host} was not resolved",), limits.look_up))??;
    let addresses: Vec<_> = found
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect();
    let stream = timeout(limits.connect, race::first(&addresses)).await;
    let stream = stream.map_err(|_| silent("no connection".to_owned(), limits.connect))??;
    stream.set_nodelay(true)?;
    let attempt = Attempt {
        names: Arc::clone(names),
        host: host.into(),
        address: stream.peer_addr()?.ip(),
        is_open: true,
    };
    Ok(Reached { stream, attempt })
}

/// The error of a part of the way that took too long.
pub(crate) fn silent(what: String, limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {limit:?}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_look_up_that_takes_longer_than_it_may_answers_whoever_asks_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, asked) = tokio::sync::watch::channel(false);
        let names = Names::new(move |_| {
            let mut asked = asked.clone();
            async move {
                let _ = asked.wait_for(|it| *it).await;
                Ok(vec![IpAddr::from([127, 0, 0, 1])])
            }
        });
        let short = Limits {
            look_up: Duration::from_millis(20),
            ..Limits::default()
        };
        let first = reach_by(&names, "slow.example", port, short).await;
        let first = first.err().unwrap();
        assert_eq!(first.kind(), io::ErrorKind::TimedOut);
        assert!(
            first.to_string().contains("slow.example was not resolved"),
            "{first}"
        );
        answer.send_replace(true);
        let second = reach_by(&names, "slow.example", port, Limits::default()).await;
        second.unwrap().attempt.succeeded();
    }

    #[tokio::test]
    async fn an_address_that_said_nothing_comes_after_the_others_at_the_next_try() {
        let names = Names::new(async |_| {
            Ok(vec![
                IpAddr::from([127, 0, 0, 1]),
                IpAddr::from([127, 0, 0, 2]),
            ])
        });
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let Ok(_other) = TcpListener::bind(("127.0.0.2", port)).await else {
            eprintln!("Not tried: only one loopback address here");
            return;
        };
        let mut reached = Vec::new();
        for _ in 0..2 {
            let it = reach_by(&names, "two.example", port, Limits::default())
                .await
                .unwrap();
            reached.push(it.stream.peer_addr().unwrap().ip());
            // As when TLS gets no answer.
            drop(it.attempt);
        }
        assert_eq!(
            reached,
            [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])]
        );
    }
}
