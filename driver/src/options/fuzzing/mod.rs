//! What has to hold of an options file, whatever is in it.

mod rules;

use std::collections::BTreeSet;

use stepdown_backends::Provider;

use super::coordinator::{CoordinatorOptions, resolve};
use super::error::OptionsError;
use super::provider::{RaftSettings, check_raft_address};
use super::sconfig::parse;
use super::settings::Settings;

/// The text of a file: it is understood or refused, and if it can't be gone by, all that is wrong is named
/// by its key.
pub fn options(text: &str) {
    let mut unknown = Vec::new();
    let Ok(file) = parse(text, &mut unknown) else {
        return;
    };
    assert_eq!(parse(text, &mut Vec::new()).ok().as_ref(), Some(&file));
    let settings = || super::said::Overlay::overlaid_by(Settings::default(), file.clone());
    assert_eq!(settings(), file, "flags that say nothing change nothing");
    let mut broken = rules::broken(&file);
    // A spelling of before may say what is missing, or contradict what is there.
    let is_sure = |key: &String| !key.starts_with("metadata.");
    let is_deprecated = rules::is_deprecated(&file);
    broken.retain(|key| !is_deprecated || is_sure(key));
    match resolve(settings(), Vec::new()) {
        Ok(options) => {
            assert_eq!(broken, BTreeSet::new(), "it is taken for all that");
            check_meant(&file, &options);
            let again = resolve(settings(), Vec::new());
            assert_eq!(again.ok(), Some(options));
        }
        Err(OptionsError::Invalid { problems }) => {
            let named: BTreeSet<String> = problems.iter().map(|it| key(it)).collect();
            assert!(
                !named.is_empty() && named.is_superset(&broken),
                "{problems:?}"
            );
            let mut named = named;
            named.retain(|key| !rules::is_not_judged(&file, key));
            assert!(named == broken || is_deprecated, "{problems:?}");
        }
        Err(error @ (OptionsError::Unreadable { .. } | OptionsError::Malformed { .. })) => {
            panic!("it was read: {error}");
        }
    }
}

fn key(problem: &str) -> String {
    let (key, what) = problem.split_once(' ').unwrap_or_default();
    assert!(!what.is_empty(), "{problem}");
    key.trim_end_matches(':').to_owned()
}

/// The options are what the file says, or what goes without saying.
fn check_meant(file: &Settings, options: &CoordinatorOptions) {
    let said = rules::said;
    assert!(!options.name.trim().is_empty());
    assert!(said(&file.metadata.name).is_none_or(|name| name == options.name));
    let internal = said(&file.server.internal.bind_address);
    assert_eq!(
        internal.unwrap_or("0.0.0.0:6649"),
        options.internal.bind_address
    );
    let public = file.server.public.clone().unwrap_or_default();
    let address = said(&public.bind_address);
    assert_eq!(
        address.unwrap_or("0.0.0.0:6651"),
        options.public.bind_address
    );
    let metric = &file.observability.metric;
    assert_eq!(options.metrics.is_some(), metric.enabled != Some(false));
    if let Some(port) = &options.metrics {
        let address = said(&metric.bind_address).unwrap_or("0.0.0.0:8080");
        assert_eq!(address, port.bind_address);
        assert_eq!(rules::is_on(&metric.tls), port.tls.is_some());
    }
    for (tls, options) in [
        (&file.server.internal.tls, &options.internal.tls),
        (&public.tls, &options.public.tls),
        (&file.controller.tls, &options.controller_tls),
    ] {
        assert_eq!(rules::is_on(tls), options.is_some());
        let Some(options) = options else {
            continue;
        };
        assert_eq!(options.client_auth, tls.client_auth == Some(true));
        assert_eq!(
            options.insecure_skip_verify,
            tls.insecure_skip_verify == Some(true)
        );
        let path = |path: &Option<String>| said(path).map(std::path::PathBuf::from);
        assert_eq!(Some(&options.cert_file), path(&tls.cert_file).as_ref());
        assert_eq!(Some(&options.key_file), path(&tls.key_file).as_ref());
        assert_eq!(options.trusted_ca_file, path(&tls.trusted_ca_file));
        assert_eq!(options.crl_file, path(&tls.crl_file));
    }
    let provider = match &options.provider {
        Provider::ConfigMap(_) => "configmap",
        Provider::File(_) => "file",
        Provider::Memory => "memory",
        Provider::Raft(raft) => {
            let tls = raft.tls.as_ref();
            assert_eq!(rules::is_on(&file.metadata.raft.tls), tls.is_some());
            let is_open = file.metadata.raft.tls.client_auth == Some(false);
            assert!(tls.is_none_or(|it| it.client_auth != is_open));
            "raft"
        }
    };
    assert_eq!(
        said(&file.metadata.provider_name).unwrap_or("file"),
        provider
    );
}

/// An address of a raft node: one that is taken can be dialled. Needs a runtime.
pub fn raft_address(text: &str) {
    let mut problems = Vec::new();
    check_raft_address(RaftSettings::ADDRESS, text, &mut problems);
    assert_eq!(problems.is_empty(), rules::is_reachable(text), "{text}");
    if problems.is_empty() {
        assert!(stepdown_backends::fuzzing::node_address(text), "{text}");
    }
}
