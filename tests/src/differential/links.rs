//! The connections between real data servers: each goes through a proxy of its own, which can break
//! it, keep it from coming back, and tells whether it is there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::step::SERVERS;

/// Clients wait up to so long before they connect again to who was away.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy from every server to every other one.
#[derive(Debug)]
pub(super) struct Links {
    links: Vec<Link>,
    /// The proxies, which end with this.
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Link {
    address: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    is_open: bool,
    /// The last attempt to connect failed: the client will wait, and refuse calls until it has
    /// connected again.
    has_failed: bool,
    connections: JoinSet<()>,
}

impl Links {
    /// Proxies to servers at these addresses.
    pub(super) async fn start(addresses: &[Arc<str>]) -> Self {
        let (mut links, mut serving) = (Vec::new(), JoinSet::new());
        for _ in 0..SERVERS {
            for to in addresses {
                let to = to.parse().expect("it is an address");
                links.push(Link::start(to, &mut serving).await);
            }
        }
        Self {
            links,
            _serving: serving,
        }
    }

    /// Where one server reaches another.
    pub(super) fn address(&self, from: usize, to: usize) -> &Arc<str> {
        &self.link(from, to).address
    }

    /// Breaks the connection, if there is one.
    pub(super) fn cut(&self, from: usize, to: usize) {
        self.link(from, to).state().connections.abort_all();
    }

    /// Lets connections through, or lets none through.
    pub(super) fn open(&self, from: usize, to: usize, is_open: bool) {
        self.link(from, to).state().is_open = is_open;
    }

    /// A server has ended: it waits for nobody.
    pub(super) fn forget(&self, from: usize) {
        for to in 0..SERVERS {
            self.link(from, to).state().has_failed = false;
        }
    }

    /// Waits until a server knows that it can reach another one.
    pub(super) async fn settled(&self, from: usize, to: usize) {
        let until = Instant::now() + PATIENCE;
        while self.link(from, to).state().is_failing() {
            assert!(Instant::now() < until, "s{from} does not connect to s{to}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn link(&self, from: usize, to: usize) -> &Link {
        &self.links[from * SERVERS + to]
    }
}

impl State {
    fn is_failing(&self) -> bool {
        self.is_open && self.has_failed
    }
}

impl Link {
    async fn start(to: SocketAddr, serving: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State {
            is_open: true,
            has_failed: false,
            connections: JoinSet::new(),
        }));
        serving.spawn(serve(listener, to, Arc::clone(&state)));
        Self {
            address: address.to_string().into(),
            state,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, state: Arc<Mutex<State>>) {
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    while let Ok((mut client, _)) = listener.accept().await {
        let is_open = lock().is_open;
        let server = if is_open {
            TcpStream::connect(to).await.ok()
        } else {
            None
        };
        let mut state = lock();
        state.has_failed = server.is_none() || !state.is_open;
        if let Some(mut server) = server
            && state.is_open
        {
            state.connections.spawn(async move {
                // It ends when one of them does.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
        while state.connections.try_join_next().is_some() {}
    }
}
