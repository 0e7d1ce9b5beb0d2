use std::fs;
use std::io;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::net::TcpListener;
use tower::Service;

use super::super::alpn::HTTP2;
use super::super::client::Connector;
use super::super::options::TlsOptions;
use super::super::server::ServerTls;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let (params, key) = Self::params(name);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// One that this one has signed.
    fn vouches_for(&self, name: &str, serial: u64) -> Self {
        let (mut params, key) = Self::params(name);
        params.serial_number = Some(SerialNumber::from(serial));
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    fn params(name: &str) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params, KeyPair::generate().unwrap())
    }

    /// A certificate for loopback, in a directory with those files.
    fn signs(&self, serial: u64, dir: &Path) -> TlsOptions {
        let at = |kind: &str| dir.join(format!("{serial}.{kind}"));
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        fs::write(at("cert"), pem).unwrap();
        fs::write(at("key"), key.serialize_pem()).unwrap();
        TlsOptions {
            trusted_ca_file: Some(dir.join("authorities")),
            client_auth: true,
            ..TlsOptions::new(at("cert"), at("key"))
        }
    }

    fn revokes(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            // Long ago.
            next_update: date_time_ymd(2020, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// What becomes of a handshake, for each side.
async fn connect(server: &ServerTls, client: &TlsOptions) -> [io::Result<()>; 2] {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://localhost:{}", port.local_addr().unwrap().port());
    let mut connector = Connector::new(client).unwrap();
    let accepting = async { server.accept(port.accept().await.unwrap().0).await };
    let (accepted, connected) = tokio::join!(accepting, connector.call(uri.parse().unwrap()));
    [accepted.map(drop), connected.map(drop)]
}

#[tokio::test]
async fn who_shows_a_revoked_certificate_is_refused_from_the_next_handshake_on() {
    let dir = tempfile::tempdir().unwrap();
    let lists = dir.path().join("lists");
    let authority = Authority::new("one");
    fs::write(dir.path().join("authorities"), &authority.pem).unwrap();
    fs::write(&lists, authority.revokes(&[])).unwrap();
    let mut of_server = authority.signs(1, dir.path());
    of_server.crl_file = Some(lists.clone());
    let server = ServerTls::new(&of_server, HTTP2).unwrap();
    let [kept, revoked] = [2, 3].map(|serial| authority.signs(serial, dir.path()));
    let lets_in = async |client| connect(&server, client).await[0].is_ok();
    assert!(lets_in(&revoked).await && lets_in(&kept).await);
    fs::write(&lists, authority.revokes(&[3])).unwrap();
    assert!(!lets_in(&revoked).await && lets_in(&kept).await);
    // What was read last holds.
    for broken in ["", "-----BEGIN X509 CRL-----\n", &authority.pem] {
        fs::write(&lists, broken).unwrap();
        assert!(!lets_in(&revoked).await && lets_in(&kept).await);
    }
    fs::remove_file(&lists).unwrap();
    assert!(!lets_in(&revoked).await && lets_in(&kept).await);
    // Nobody waits for who would write to it, then or afterwards.
    mknodat(CWD, &lists, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(!lets_in(&revoked).await && lets_in(&kept).await);
    fs::remove_file(&lists).unwrap();
    fs::write(&lists, authority.revokes(&[2])).unwrap();
    assert!(lets_in(&revoked).await && !lets_in(&kept).await);
}

#[tokio::test]
async fn who_shows_a_certificate_by_an_authority_without_a_list_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(Authority::new);
    let both = format!("{}{}", one.pem, two.pem);
    fs::write(dir.path().join("authorities"), both).unwrap();
    let lists = dir.path().join("lists");
    fs::write(&lists, one.revokes(&[])).unwrap();
    let mut of_server = one.signs(1, dir.path());
    of_server.crl_file = Some(lists.clone());
    let server = ServerTls::new(&of_server, HTTP2).unwrap();
    let [listed, unlisted] = [one.signs(2, dir.path()), two.signs(3, dir.path())];
    let lets_in = async |client| connect(&server, client).await[0].is_ok();
    assert!(lets_in(&listed).await && !lets_in(&unlisted).await);
    fs::write(&lists, one.revokes(&[]) + &two.revokes(&[])).unwrap();
    assert!(lets_in(&unlisted).await);
}

#[tokio::test]
async fn each_authority_between_needs_a_list_and_may_be_revoked_itself() {
    let dir = tempfile::tempdir().unwrap();
    let root = Authority::new("root");
    let between = root.vouches_for("between", 9);
    fs::write(dir.path().join("authorities"), &root.pem).unwrap();
    let lists = dir.path().join("lists");
    fs::write(&lists, between.revokes(&[])).unwrap();
    let mut of_server = root.signs(1, dir.path());
    of_server.crl_file = Some(lists.clone());
    let server = ServerTls::new(&of_server, HTTP2).unwrap();
    let client = between.signs(2, dir.path());
    let own = fs::read_to_string(&client.cert_file).unwrap();
    fs::write(&client.cert_file, own + &between.pem).unwrap();
    for (of_root, is_let_in) in [(None, false), (Some(vec![]), true), (Some(vec![9]), false)] {
        let of_root = of_root.map_or(String::new(), |serials| root.revokes(&serials));
        fs::write(&lists, of_root + &between.revokes(&[])).unwrap();
        assert_eq!(connect(&server, &client).await[0].is_ok(), is_let_in);
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_file_holds_back_no_change_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(Authority::new);
    let (authorities, lists) = (dir.path().join("authorities"), dir.path().join("lists"));
    let both = format!("{}{}", one.pem, two.pem);
    fs::write(&authorities, &both).unwrap();
    let list = |serials| one.revokes(serials) + &two.revokes(&[]);
    fs::write(&lists, list(&[])).unwrap();
    let mut of_server = one.signs(1, dir.path());
    of_server.crl_file = Some(lists.clone());
    let server = ServerTls::new(&of_server, HTTP2).unwrap();
    let by_client = dir.path().join("of the clients");
    fs::write(&by_client, &both).unwrap();
    let [of_one, of_two] = [(2, &one), (3, &two)].map(|(serial, authority)| TlsOptions {
        trusted_ca_file: Some(by_client.clone()),
        ..authority.signs(serial, dir.path())
    });
    let lets_in = async |client| connect(&server, client).await[0].is_ok();
    assert!(lets_in(&of_one).await && lets_in(&of_two).await);
    fs::write(&authorities, "").unwrap();
    fs::write(&lists, list(&[2])).unwrap();
    assert!(!lets_in(&of_one).await && lets_in(&of_two).await);
    for broken in [
        "",
        "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
    ] {
        fs::write(&authorities, &both).unwrap();
        assert!(lets_in(&of_two).await);
        fs::write(&authorities, &one.pem).unwrap();
        fs::write(&lists, broken).unwrap();
        assert!(!lets_in(&of_one).await && !lets_in(&of_two).await);
    }
}

#[tokio::test]
async fn a_peer_whose_certificate_was_revoked_is_told_of_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(Authority::new);
    fs::write(dir.path().join("authorities"), &one.pem).unwrap();
    let server = ServerTls::new(&one.signs(1, dir.path()), HTTP2).unwrap();
    let mut client = one.signs(2, dir.path());
    client.crl_file = Some(dir.path().join("lists"));
    for (lists, words) in [
        (one.revokes(&[1]), "its certificate was revoked (crlFile)"),
        (
            two.revokes(&[]),
            "crlFile has no list for its certificate, by the authority that has signed it",
        ),
        (
            Authority::new("one").revokes(&[]),
            "the list in crlFile by the authority that has signed its certificate can't be used: \
             BadSignature",
        ),
    ] {
        fs::write(dir.path().join("lists"), lists).unwrap();
        let [_, connected] = connect(&server, &client).await;
        assert_eq!(connected.unwrap_err().to_string(), words);
    }
}

#[test]
fn a_list_that_can_not_be_used_is_told_of_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("one");
    fs::write(dir.path().join("authorities"), &authority.pem).unwrap();
    let mut options = authority.signs(1, dir.path());
    options.crl_file = Some(dir.path().join("lists"));
    let path = dir.path().join("lists").display().to_string();
    let list = authority.revokes(&[]);
    let twice = list.clone() + &authority.revokes(&[1]);
    let other = Authority::new("two").revokes(&[]);
    let elsewhere = "it holds something else than X509 CRL";
    for (lists, words) in [
        (&*format!("\u{feff}{list}{other}"), elsewhere),
        (&*format!("{list}{}", authority.pem), elsewhere),
        (
            &*(list.clone() + &other.replace("X509 CRL", "CRL")),
            elsewhere,
        ),
        (
            twice.as_str(),
            "it holds several lists by CN=one: leave the newest one in it",
        ),
        ("", "it is empty: there is no X509 CRL in it"),
        (
            &authority.pem,
            "there is no X509 CRL in it; it holds CERTIFICATE",
        ),
        (
            "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
            "an X509 CRL in it can't be used: ",
        ),
    ] {
        fs::write(dir.path().join("lists"), lists).unwrap();
        let error = ServerTls::new(&options, HTTP2).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{path}: {words}")), "{error}");
    }
}
