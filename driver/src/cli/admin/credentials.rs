//! Who asks, and how it is known who answers: TLS, a certificate, a token.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use http::Uri;
use stepdown_wire::host;
use stepdown_wire::tls::{Connector, TlsOptions};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use super::error::AdminCommandError;
use super::way::Way;
use crate::cli::visible::visible;

/// Where the name of the token's file may be instead of a flag.
const TOKEN_FILE: &str = "STEPDOWN_TOKEN_FILE";
/// The largest token, in bytes: coordinators take no larger ones.
const TOKEN: u64 = 16 << 10;

/// Flags of who asks, and who is believed.
#[derive(Clone, Debug, Args)]
pub(super) struct CredentialArgs {
    /// Speak TLS; each of the other flags about TLS means that as well
    #[arg(long, global = true)]
    tls: bool,
    /// Authorities that have signed the coordinators' certificates, PEM [default: the system's]
    #[arg(long, global = true, value_name = "FILE")]
    tls_trusted_ca_file: Option<PathBuf>,
    /// Name to expect in their certificates [default: the host's]
    #[arg(long, global = true, value_name = "NAME")]
    tls_server_name: Option<String>,
    /// Certificate to show, PEM
    #[arg(long, global = true, value_name = "FILE")]
    tls_cert_file: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, global = true, value_name = "FILE")]
    tls_key_file: Option<PathBuf>,
    /// File with the token to show [env: STEPDOWN_TOKEN_FILE]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        visible_alias = "auth-token-file"
    )]
    token_file: Option<PathBuf>,
}

/// Who asks, and who is believed.
pub(super) struct Credentials {
    /// `None` is plaintext.
    tls: Option<Connector>,
    /// Whether who asks has said who vouches for coordinators; else the system's authorities do, as they do
    /// for every host that there is.
    is_authority_named: bool,
    token: Option<MetadataValue<Ascii>>,
}

impl Credentials {
    /// Reads the files that the flags name, or the environment.
    pub(super) fn read(args: CredentialArgs) -> Result<Self, AdminCommandError> {
        Self::read_within(args, std::env::var_os(TOKEN_FILE))
    }

    fn read_within(
        args: CredentialArgs,
        in_environment: Option<OsString>,
    ) -> Result<Self, AdminCommandError> {
        let in_environment = in_environment.filter(|it| !it.is_empty());
        let token_file = args
            .token_file
            .clone()
            .or(in_environment.map(PathBuf::from));
        Ok(Self {
            is_authority_named: args.tls_trusted_ca_file.is_some()
                || args.tls_server_name.is_some(),
            token: token_file.as_deref().map(token).transpose()?,
            tls: connector(args)?,
        })
    }

    /// Connects to the end of the way.
    pub(super) async fn connect(&self, way: &Way) -> Result<Channel, AdminCommandError> {
        let address = way.end();
        // Whether it is TLS, the connector says.
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| AdminCommandError::Address {
            way: way.clone(),
            error,
        })?;
        if self.token.is_some() {
            self.check_shown(way, endpoint.uri())?;
        }
        let channel = match &self.tls {
            Some(connector) => endpoint.connect_with_connector(connector.clone()).await,
            None => endpoint.connect().await,
        };
        channel.map_err(|error| AdminCommandError::Connect {
            way: way.clone(),
            error,
        })
    }

    /// Whether the token may be shown at the end of the way. Who names somebody there is believed only about
    /// those that could have been asked for it in the first place.
    fn check_shown(&self, way: &Way, end: &Uri) -> Result<(), AdminCommandError> {
        let end = end.host().unwrap_or_default();
        if self.tls.is_none() && !host::is_loopback(end) {
            return Err(AdminCommandError::Plaintext(way.clone()));
        }
        let is_vouched = self.tls.is_some() && self.is_authority_named;
        match way.named_by() {
            Some(named_by) if !is_vouched && !is_same_host(way.start(), end) => {
                Err(AdminCommandError::Unvouched {
                    named_by: visible(named_by),
                    end: visible(way.end()),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A request of whoever asks, for a channel that was connected to here.
    pub(super) fn sign<Q>(&self, request: Q) -> Request<Q> {
        let mut request = Request::new(request);
        if let Some(token) = &self.token {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", token.clone());
        }
        request
    }
}

/// Whether an address is at this host. Every host of loopback is the same.
fn is_same_host(address: &str, other: &str) -> bool {
    let uri: Option<Uri> = format!("http://{address}").parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    host.eq_ignore_ascii_case(other) || (host::is_loopback(host) && host::is_loopback(other))
}

fn connector(args: CredentialArgs) -> Result<Option<Connector>, AdminCommandError> {
    let CredentialArgs {
        tls,
        tls_trusted_ca_file: trusted_ca_file,
        tls_server_name: server_name,
        tls_cert_file,
        tls_key_file,
        token_file: _,
    } = args;
    let connector = match (tls_cert_file, tls_key_file) {
        (Some(cert_file), Some(key_file)) => Connector::new(&TlsOptions {
            trusted_ca_file,
            server_name,
            ..TlsOptions::new(cert_file, key_file)
        }),
        (None, None) if tls || trusted_ca_file.is_some() || server_name.is_some() => {
            Connector::without_certificate(trusted_ca_file, server_name)
        }
        (None, None) => return Ok(None),
        (Some(_), None) | (None, Some(_)) => return Err(AdminCommandError::HalfACertificate),
    };
    connector.map(Some).map_err(AdminCommandError::Tls)
}

/// The token in a file, as it is shown.
fn token(path: &Path) -> Result<MetadataValue<Ascii>, AdminCommandError> {
    let unfit = |reason: String| AdminCommandError::Token {
        path: path.to_owned(),
        reason,
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| unfit(error.to_string()))?;
    file.take(TOKEN + 1)
        .read_to_string(&mut text)
        .map_err(|error| unfit(error.to_string()))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(unfit("it is empty".to_owned()));
    }
    if text.len() as u64 > TOKEN {
        return Err(unfit(format!("it has more than {TOKEN} bytes")));
    }
    // What is wrong with it must not be told: it would have the token.
    let shown = format!("Bearer {text}").parse();
    let mut shown: MetadataValue<Ascii> =
        shown.map_err(|_| unfit("it is not one line of visible characters".to_owned()))?;
    shown.set_sensitive(true);
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::tokens::write_certificates;

    fn way(start: &str, leader: Option<&str>) -> Way {
        let mut way = Way::new(start.to_owned());
        assert!(leader.is_none_or(|it| way.go_on(it)));
        way
    }

    #[tokio::test]
    async fn a_token_goes_to_whom_another_names_only_where_the_operator_has_said_who_vouches_for_them()
     {
        let directory = tempfile::tempdir().unwrap();
        write_certificates(directory.path());
        let file = directory.path().join("token");
        fs::write(&file, "secret").unwrap();
        let ca = directory.path().join("ca.pem");
        let connector = Connector::without_certificate(Some(ca), None).unwrap();
        let credentials = |tls: bool, is_authority_named| Credentials {
            tls: tls.then(|| connector.clone()),
            is_authority_named,
            token: Some(token(&file).unwrap()),
        };
        let may = |credentials: &Credentials, way: &Way| {
            let end: Uri = format!("http://{}", way.end()).parse().unwrap();
            credentials.check_shown(way, &end).is_ok()
        };
        let beyond = "192.0.2.1:6651";
        for (start, leader, tls, is_authority_named, is_shown) in [
            ("localhost:1", Some("127.0.0.1:2"), false, false, true),
            ("[::1]:1", Some("localhost:2"), true, false, true),
            ("localhost:1", Some(beyond), false, false, false),
            ("localhost:1", Some(beyond), true, false, false),
            ("localhost:1", Some(beyond), true, true, true),
            ("a.example:1", Some("A.example:2"), true, false, true),
            ("a.example:1", Some("b.example:1"), true, false, false),
            (
                "a.example:1",
                Some("a.example@b.example:1"),
                true,
                false,
                false,
            ),
            (beyond, None, true, false, true),
            (beyond, None, false, false, false),
        ] {
            let credentials = credentials(tls, is_authority_named);
            let shown = may(&credentials, &way(start, leader));
            assert_eq!(
                shown, is_shown,
                "{start} {leader:?} {tls} {is_authority_named}"
            );
        }
        // Nobody is there to be dialled.
        let refused = credentials(true, false);
        let way = way("localhost:1", Some(beyond));
        let refused = refused.connect(&way);
        assert_eq!(
            refused.await.unwrap_err().to_string(),
            "the token is not shown to 192.0.2.1:6651, whom localhost:1 names, and for whom only the system's \
             authorities vouch: ask it itself (--admin-address 192.0.2.1:6651), or name the authority \
             (--tls-trusted-ca-file FILE)"
        );
    }

    #[test]
    fn the_environment_names_the_file_where_no_flag_does() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["flag", "environment"] {
            fs::write(at(name), name).unwrap();
        }
        for (flag, in_environment, shown) in [
            (None, None, None),
            (None, Some(OsString::new()), None),
            (
                None,
                Some(at("environment").into()),
                Some("Bearer environment"),
            ),
            (
                Some(at("flag")),
                Some(at("environment").into()),
                Some("Bearer flag"),
            ),
        ] {
            let args = CredentialArgs {
                tls: false,
                tls_trusted_ca_file: None,
                tls_server_name: None,
                tls_cert_file: None,
                tls_key_file: None,
                token_file: flag,
            };
            let credentials = Credentials::read_within(args, in_environment).unwrap();
            let request = credentials.sign(());
            let metadata = request.metadata().get("authorization");
            assert_eq!(metadata.map(|it| it.to_str().unwrap()), shown);
            assert!(metadata.is_none_or(MetadataValue::is_sensitive));
        }
    }
}
