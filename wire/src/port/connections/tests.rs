//! Connections that are good, silent, many, or slow.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;

use super::*;
use crate::port::patience::PATIENCE;

const OPEN: usize = 256;
const SILENT: usize = 256;
const BEGINNING: &[u8; PREFACE] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn port(tls: Option<Arc<ServerConfig>>) -> (Connections, SocketAddr) {
    port_of(OPEN, tls).await
}

async fn port_of(open: usize, tls: Option<Arc<ServerConfig>>) -> (Connections, SocketAddr) {
    let listener = Listener::open("127.0.0.1:0", tls.map(ServerTls::from))
        .await
        .unwrap();
    let address = listener.socket.local_addr().unwrap();
    let stop = CancellationToken::new();
    let places = Places::keeping(1, open);
    let accepted = Connections::accept_with(places, Silent::new(SILENT), listener, stop);
    (accepted, address)
}

/// Both sides of TLS.
fn tls() -> (Arc<ServerConfig>, TlsConnector) {
    let key = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

async fn encrypted(
    connector: &TlsConnector,
    address: SocketAddr,
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    connector.connect(name, stream).await.unwrap()
}

async fn is_let_go(client: &mut (impl AsyncRead + Unpin)) -> bool {
    let ended = timeout(3 * HANDSHAKE, client.read(&mut [0; 1])).await;
    ended.is_ok_and(|ended| ended.is_err() || ended.is_ok_and(|bytes| bytes == 0))
}

// Time is not waited for: it passes when nothing else happens.
#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_or_too_little_is_let_go() {
    let (mut accepted, address) = port(None).await;
    for said in [&b""[..], &BEGINNING[..14]] {
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(said).await.unwrap();
        assert!(is_let_go(&mut silent).await);
    }
    let none = timeout(HANDSHAKE, accepted.next()).await;
    assert!(none.is_err());
}

#[tokio::test]
async fn of_many_that_say_nothing_the_first_are_let_go_and_whoever_speaks_comes_in() {
    let (mut accepted, address) = port(None).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(BEGINNING).await.unwrap();
    comes_in(&mut client, accepted.next().await.unwrap()).await;
    let let_go = timeout(HANDSHAKE / 2, is_let_go(&mut silent[0])).await;
    assert_eq!(let_go, Ok(true));
    let mut last = silent.pop().unwrap();
    last.write_all(BEGINNING).await.unwrap();
    comes_in(&mut last, accepted.next().await.unwrap()).await;
}

#[tokio::test]
async fn whoever_has_spoken_comes_in_though_nobody_was_let_in_while_many_were_silent() {
    let (mut accepted, address) = port(None).await;
    let mut spoken = Vec::new();
    for _ in 0..=WAITING {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(BEGINNING).await.unwrap();
        spoken.push(client);
    }
    let mut silent = Vec::new();
    for _ in 0..=SILENT {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let let_go = timeout(HANDSHAKE / 2, is_let_go(&mut silent[0])).await;
    assert_eq!(let_go, Ok(true));
    for _ in spoken {
        let comes = timeout(HANDSHAKE, accepted.next()).await;
        assert!(comes.unwrap().is_some());
    }
}

#[tokio::test]
async fn no_more_come_in_than_may_be_open_until_one_has_gone() {
    let (mut accepted, address) = port_of(3, None).await;
    let speaks = async || {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(BEGINNING).await.unwrap();
        client
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let client = speaks().await;
        open.push((client, accepted.next().await.unwrap()));
    }
    let mut late = speaks().await;
    assert!(is_let_go(&mut late).await);
    open.pop();
    let mut next = speaks().await;
    comes_in(&mut next, accepted.next().await.unwrap()).await;
}

/// Connects from an address of its own.
async fn connects_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Connects from an address of its own, and begins as HTTP/2 does.
async fn speaks_from(from: &str, to: SocketAddr) -> TcpStream {
    let mut client = connects_from(from, to).await;
    client.write_all(BEGINNING).await.unwrap();
    client
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_is_silent_makes_no_room_for_those_of_somebody_who_has_many() {
    let (mut accepted, address) = port(None).await;
    let mut slow = connects_from("127.0.0.2", address).await;
    let mut many = Vec::new();
    for _ in 0..SILENT + 9 {
        many.push(connects_from("127.0.0.3", address).await);
    }
    for gone in &mut many[..9] {
        let let_go = timeout(HANDSHAKE / 2, is_let_go(gone)).await;
        assert_eq!(let_go, Ok(true));
    }
    slow.write_all(BEGINNING).await.unwrap();
    let heard = timeout(HANDSHAKE, accepted.next()).await;
    comes_in(&mut slow, heard.unwrap().unwrap()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_has_all_places_gives_one_up_to_somebody_else_and_gets_no_more() {
    let (mut accepted, address) = port_of(3, None).await;
    let mut many = Vec::new();
    let mut open = Vec::new();
    for _ in 0..3 {
        many.push(speaks_from("127.0.0.2", address).await);
        open.push(accepted.next().await.unwrap());
    }
    let mut other = speaks_from("127.0.0.3", address).await;
    let server = accepted.next().await.unwrap();
    // As a server does that waits for what comes.
    let mut longest = open.remove(0);
    let ended = timeout(HANDSHAKE, longest.read(&mut [0; 2 * PREFACE])).await;
    let ended = ended.unwrap();
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    let mut late = speaks_from("127.0.0.2", address).await;
    assert!(is_let_go(&mut late).await);
    comes_in(&mut other, server).await;
    comes_in(&mut many[1], open.remove(0)).await;
}

#[tokio::test]
async fn whoever_says_nothing_or_too_little_after_a_handshake_is_let_go() {
    let (server, connector) = tls();
    let (mut accepted, address) = port(Some(server)).await;
    for said in [&b""[..], &BEGINNING[..14]] {
        let mut silent = encrypted(&connector, address).await;
        silent.write_all(said).await.unwrap();
        tokio::time::pause();
        assert!(is_let_go(&mut silent).await);
        tokio::time::resume();
    }
    tokio::time::pause();
    let none = timeout(HANDSHAKE, accepted.next()).await;
    assert!(none.is_err());
}

// Time passes when nothing else happens, as above.
#[tokio::test(start_paused = true)]
async fn whoever_takes_nothing_of_what_is_sent_is_let_go() {
    let (mut accepted, address) = port(None).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(BEGINNING).await.unwrap();
    let mut server = accepted.next().await.unwrap();
    assert_eq!(sends_for_ever(&mut server).await, io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn whoever_takes_nothing_of_what_is_sent_over_tls_is_let_go() {
    let (server, connector) = tls();
    let (mut accepted, address) = port(Some(server)).await;
    let mut client = encrypted(&connector, address).await;
    client.write_all(BEGINNING).await.unwrap();
    let mut server = accepted.next().await.unwrap();
    tokio::time::pause();
    assert_eq!(sends_for_ever(&mut server).await, io::ErrorKind::TimedOut);
}

/// Sends as a server does, until that fails.
async fn sends_for_ever(server: &mut Connection) -> io::ErrorKind {
    loop {
        let sent = async {
            server.write_all(&[0; 4096]).await?;
            server.flush().await
        };
        match timeout(3 * PATIENCE, sent).await.expect("it is let go") {
            Ok(()) => {}
            Err(error) => return error.kind(),
        }
    }
}

#[tokio::test]
async fn whoever_begins_as_http2_does_comes_in_with_all_that_it_said() {
    let (mut accepted, address) = port(None).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&BEGINNING[..9]).await.unwrap();
    client.write_all(&BEGINNING[9..]).await.unwrap();
    comes_in(&mut client, accepted.next().await.unwrap()).await;

    let (server, connector) = tls();
    let (mut accepted, address) = port(Some(server)).await;
    let mut client = encrypted(&connector, address).await;
    client.write_all(BEGINNING).await.unwrap();
    comes_in(&mut client, accepted.next().await.unwrap()).await;
}

/// Reads what was said before and after it came in, a few bytes at a time, and answers.
async fn comes_in(client: &mut (impl AsyncRead + AsyncWrite + Unpin), mut server: Connection) {
    client.write_all(b"and more").await.unwrap();
    client.flush().await.unwrap();
    let mut heard: Vec<u8> = vec![];
    while heard.len() < PREFACE + 8 {
        let mut some = [0; 7];
        let bytes = server.read(&mut some).await.unwrap();
        assert_ne!(bytes, 0, "it ended");
        heard.extend(&some[..bytes]);
    }
    assert_eq!(heard, [&BEGINNING[..], b"and more"].concat());
    server.write_all(b"yes").await.unwrap();
    server.flush().await.unwrap();
    let mut answer = [0; 3];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"yes");
}
