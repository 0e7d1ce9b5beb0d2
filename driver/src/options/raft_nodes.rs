//! Which nodes of the raft provider are asked by whoever administers them, and how.

use std::path::Path;

use stepdown_wire::tls::TlsOptions;

use super::error::OptionsError;
use super::provider::{RaftSettings, check_raft_address, resolve_raft_tls};
use super::said::said;
use super::sconfig;

/// Nodes of the raft provider, as they are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftNodes {
    /// Their addresses; there is one at least.
    pub addresses: Vec<String>,
    /// TLS towards them; `None` is plaintext.
    pub tls: Option<TlsOptions>,
}

impl RaftNodes {
    /// The nodes of these addresses, or else those of which a coordinator's options file tells. TLS
    /// is as that file has it.
    pub fn load(addresses: &[String], sconfig: Option<&Path>) -> Result<Self, OptionsError> {
        let settings = match sconfig {
            Some(path) => sconfig::read(path, &mut Vec::new())?.metadata.raft,
            None => RaftSettings::default(),
        };
        let mut problems = Vec::new();
        let given = addresses.iter().map(|it| it.trim().to_owned());
        let mut addresses: Vec<_> = given.filter(|it| !it.is_empty()).collect();
        if addresses.is_empty() {
            addresses.extend(said(settings.address));
            addresses.extend(settings.bootstrap_nodes.unwrap_or_default());
        }
        addresses.sort();
        addresses.dedup();
        for address in &addresses {
            check_raft_address(RaftSettings::ADDRESS, address, &mut problems);
        }
        if addresses.is_empty() {
            problems.push(format!(
                "which nodes are to be asked? use --raft-address, or --sconfig with a file that has {}",
                RaftSettings::ADDRESS.in_file()
            ));
        }
        let tls = resolve_raft_tls(settings.tls, &mut problems);
        if problems.is_empty() {
            Ok(Self { addresses, tls })
        } else {
            Err(OptionsError::Invalid { problems })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FILE: &str = "\
metadata:
  providerName: raft
  raft:
    address: b:2
    bootstrapNodes: [a:1, b:2]
    tls:
      certFile: cert
      keyFile: key
      trustedCaFile: ca
";

    #[test]
    fn a_coordinators_options_file_tells_whom_to_ask_and_how() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("options.yaml");
        fs::write(&path, FILE).unwrap();
        let nodes = RaftNodes::load(&[], Some(&path)).unwrap();
        assert_eq!(nodes.addresses, ["a:1", "b:2"]);
        assert!(nodes.tls.is_some());
        let given = ["c:3".to_owned()];
        let nodes = RaftNodes::load(&given, Some(&path)).unwrap();
        assert_eq!(nodes.addresses, given);
        assert!(nodes.tls.is_some());
    }

    #[test]
    fn whoever_names_no_node_or_one_that_is_no_address_is_told_the_flag() {
        for addresses in [&[][..], &["a".to_owned()]] {
            let error = RaftNodes::load(addresses, None).unwrap_err().to_string();
            assert!(error.contains("--raft-address"), "{error}");
        }
    }
}
