//! The `raft` provider's settings: how they are written, and checked.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use stepdown_backends::raft::RaftOptions;
use stepdown_wire::host::{bare, is_host};

use crate::options::key::Key;
use crate::options::said::{Overlay, field_by_field, null_is_default, said};
use crate::options::settings::TlsSettings;
use crate::options::tls;

/// The `raft` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[command(next_help_heading = "Raft provider")]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct RaftSettings {
    /// Where this coordinator's node listens, and the others reach it: host:port
    #[arg(id = "raft-address", long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Raft addresses of all that form the cluster, this one's too, comma-separated or repeated; none
    /// where the node is to be added to a cluster
    #[arg(id = "raft-bootstrap-nodes", long, value_name = "ADDRESSES", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub bootstrap_nodes: Option<Vec<String>>,
    /// Directory of the node, which no other may use
    #[arg(
        id = "raft-data-dir",
        long,
        value_name = "DIR",
        default_value = "data/raft"
    )]
    pub data_dir: Option<String>,
    #[arg(skip)]
    #[serde(deserialize_with = "null_is_default")]
    pub tls: TlsSettings,
}

impl RaftSettings {
    pub(crate) const ADDRESS: Key = Key::new("metadata.raft.address", "--raft-address");
    pub(crate) const BOOTSTRAP_NODES: Key =
        Key::new("metadata.raft.bootstrapNodes", "--raft-bootstrap-nodes");
    const TLS: &str = "metadata.raft.tls";
}

field_by_field! {
    RaftSettings { address, bootstrap_nodes, data_dir, tls }
}

/// Checks everything; what is wrong is added to `problems`.
pub(super) fn resolve(settings: RaftSettings, problems: &mut Vec<String>) -> Option<RaftOptions> {
    let before = problems.len();
    let nodes = settings.bootstrap_nodes.unwrap_or_default();
    let nodes: Vec<String> = nodes
        .iter()
        .map(|node| node.trim().to_owned())
        .filter(|node| !node.is_empty())
        .collect();
    let mut listed = BTreeSet::new();
    for node in &nodes {
        check_address(RaftSettings::BOOTSTRAP_NODES, node, problems);
        if !listed.insert(node) {
            problems.push(format!(
                "{} lists '{node}' twice; list every node once",
                RaftSettings::BOOTSTRAP_NODES
            ));
        }
    }
    let address = said(settings.address);
    match &address {
        Some(address) => check_address(RaftSettings::ADDRESS, address, problems),
        None => problems.push(format!(
            "{} is missing; the raft provider needs it",
            RaftSettings::ADDRESS
        )),
    }
    if let Some(address) = &address
        && !nodes.is_empty()
        && !listed.contains(address)
    {
        problems.push(format!(
            "{} does not list '{address}', which is {}; list every node that forms the cluster, this one too, or none on a node that is added later",
            RaftSettings::BOOTSTRAP_NODES,
            RaftSettings::ADDRESS
        ));
    }
    let tls = resolve_tls(settings.tls, problems);
    let data_dir = said(settings.data_dir).unwrap_or_else(|| "data/raft".to_owned());
    (problems.len() == before).then_some(RaftOptions {
        address: address?,
        bootstrap_nodes: nodes,
        data_dir: PathBuf::from(data_dir),
        tls,
    })
}

/// Both sides show a certificate unless `clientAuth` says otherwise: whoever reaches the port can
/// write the documents.
pub(in crate::options) fn resolve_tls(
    mut settings: TlsSettings,
    problems: &mut Vec<String>,
) -> Option<stepdown_wire::tls::TlsOptions> {
    let is_named = said(settings.cert_file.clone()).is_some();
    if settings.enabled.unwrap_or(is_named) {
        settings.client_auth = settings.client_auth.or(Some(true));
    }
    tls::resolve(RaftSettings::TLS, settings, problems)
}

/// An address has to mean the same node everywhere.
pub(in crate::options) fn check_address(key: Key, address: &str, problems: &mut Vec<String>) {
    let split = address.rsplit_once(':');
    let Some((host, port)) = split.filter(|(host, _)| is_host(host)) else {
        problems.push(format!("{key} '{address}' is no address; use host:port"));
        return;
    };
    if !matches!(port.parse(), Ok(1..=u16::MAX)) {
        problems.push(format!(
            "{key} '{address}' has no port from 1 to 65535; use host:port"
        ));
    }
    let ip = bare(host).parse();
    if ip.is_ok_and(|ip: IpAddr| ip.is_unspecified()) {
        problems.push(format!(
            "{key} '{address}' is every interface, and the other nodes can't reach that; use this host's name or address"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(address: &str, nodes: &[&str]) -> RaftSettings {
        RaftSettings {
            address: Some(address.to_owned()),
            bootstrap_nodes: Some(nodes.iter().map(|&node| node.to_owned()).collect()),
            ..RaftSettings::default()
        }
    }

    fn problems(settings: RaftSettings) -> Vec<String> {
        let mut problems = Vec::new();
        assert_eq!(resolve(settings, &mut problems), None);
        problems
    }

    #[test]
    fn nodes_are_those_that_are_listed_and_a_trailing_comma_lists_none() {
        let mut problems = Vec::new();
        let options = resolve(settings("b:2", &["a:1", " b:2", ""]), &mut problems);
        assert_eq!(problems, [""; 0]);
        let options = options.unwrap();
        assert_eq!(options.bootstrap_nodes, ["a:1", "b:2"]);
        assert_eq!(options.data_dir, PathBuf::from("data/raft"));
        assert_eq!(options.tls, None);
        assert!(resolve(settings("[::1]:2", &[]), &mut problems).is_some());
    }

    #[test]
    fn an_address_that_other_nodes_cannot_use_is_refused_by_its_key() {
        for (address, word) in [
            ("a", "host:port"),
            ("a:", "port from 1"),
            ("a:0", "port from 1"),
            ("a:65536", "port from 1"),
            (":1", "host:port"),
            ("http://a:1", "host:port"),
            ("::1:1", "host:port"),
            ("0.0.0.0:1", "every interface"),
            ("[::]:1", "every interface"),
        ] {
            let all = problems(settings(address, &[]));
            assert_eq!(all.len(), 1, "{address}: {all:?}");
            assert!(all[0].starts_with("metadata.raft.address (--raft-address) '"));
            assert!(all[0].contains(word), "{all:?}");
        }
    }

    #[test]
    fn the_list_of_nodes_names_each_once_and_this_one_too() {
        let all = problems(settings("c:3", &["a:1", "a:1", "b"]));
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[0].contains("'a:1' twice"));
        assert!(all[1].contains("'b' is no address"));
        assert!(all[2].contains("does not list 'c:3'"));
        assert!(
            all.iter()
                .all(|it| it.contains("metadata.raft.bootstrapNodes"))
        );
    }

    #[test]
    fn a_certificate_of_no_name_is_none_and_nobody_is_asked_for_one() {
        let tls = TlsSettings {
            cert_file: Some(String::new()),
            ..TlsSettings::default()
        };
        let silent = RaftSettings {
            tls,
            ..settings("a:1", &[])
        };
        let mut problems = Vec::new();
        let options = resolve(silent, &mut problems);
        assert_eq!(problems, [""; 0]);
        assert_eq!(options.unwrap().tls, None);
    }

    #[test]
    fn nodes_with_certificates_ask_each_other_for_them() {
        let tls = TlsSettings {
            cert_file: Some("cert".to_owned()),
            key_file: Some("key".to_owned()),
            ..TlsSettings::default()
        };
        let with = |tls| RaftSettings {
            tls,
            ..settings("a:1", &[])
        };
        let all = problems(with(tls.clone()));
        assert!(
            all[0].contains("metadata.raft.tls.trustedCaFile"),
            "{all:?}"
        );
        let trusting = TlsSettings {
            trusted_ca_file: Some("ca".to_owned()),
            ..tls
        };
        let options = resolve(with(trusting), &mut Vec::new()).unwrap();
        assert!(options.tls.is_some_and(|tls| tls.client_auth));
    }
}
