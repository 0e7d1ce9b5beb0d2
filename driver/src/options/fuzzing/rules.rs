//! What options have to be, said once more and as plainly as can be: which keys are at fault.

use std::collections::BTreeSet;

use super::super::advertised;
use super::super::provider::{FileSettings, KubernetesSettings, MetadataSettings, RaftSettings};
use super::super::settings::{AuthSettings, Settings, TlsSettings};

/// The keys of whatever breaks a rule; a deprecated spelling that contradicts another one apart.
pub(super) fn broken(settings: &Settings) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut tell = |key: String| {
        keys.insert(key);
    };
    if settings
        .metadata
        .name
        .as_deref()
        .is_some_and(|it| !it.is_empty() && is_blank(it))
    {
        tell("metadata.name".to_owned());
    }
    let server = &settings.server;
    let public = server.public.as_ref();
    let metric = &settings.observability.metric;
    let is_measured = metric.enabled != Some(false);
    for (section, address, tls) in [
        (
            "server.internal",
            &server.internal.bind_address,
            Some(&server.internal.tls),
        ),
        (
            "server.public",
            public.map_or(&None, |it| &it.bind_address),
            public.map(|it| &it.tls),
        ),
        (
            "observability.metric",
            &metric.bind_address,
            Some(&metric.tls),
        ),
    ] {
        if section == "observability.metric" && !is_measured {
            continue;
        }
        if said(address).is_some_and(|it| !has_port(it)) {
            tell(format!("{section}.bindAddress"));
        }
        if let Some(tls) = tls {
            of_tls(&format!("{section}.tls"), tls, false, &mut tell);
        }
    }
    let advertised = public.and_then(|it| said(&it.advertised_address));
    if advertised.is_some_and(|it| advertised::parse(it).is_none()) {
        tell("server.public.advertisedAddress".to_owned());
    }
    of_auth("server.internal.auth", &server.internal.auth, &mut tell);
    if let Some(public) = public {
        of_auth("server.public.auth", &public.auth, &mut tell);
    }
    of_tls("controller.tls", &settings.controller.tls, false, &mut tell);
    of_provider(&settings.metadata, &mut tell);
    keys
}

/// Whether something is said in a spelling of before.
pub(super) fn is_deprecated(settings: &Settings) -> bool {
    let metadata = &settings.metadata;
    let path = metadata.file.as_ref().and_then(|it| said(&it.path));
    let name = metadata.kubernetes.as_ref();
    let name = name.and_then(|it| said(&it.config_map_name));
    path.or(name)
        .or(said(&settings.cluster.config_path))
        .is_some()
}

fn of_auth(key: &str, auth: &AuthSettings, tell: &mut dyn FnMut(String)) {
    let provider = said(&auth.provider);
    let is_meant = provider.is_some() || said(&auth.provider_params).is_some();
    if auth.enabled == Some(true) || (auth.enabled.is_none() && is_meant) {
        if provider != Some("oidc") {
            tell(format!("{key}.provider"));
        }
        if said(&auth.provider_params).is_none() {
            tell(format!("{key}.providerParams"));
        }
    }
}

/// Whether this key may be at fault by what is in a text or a rule that is not judged here.
pub(super) fn is_not_judged(settings: &Settings, key: &str) -> bool {
    let public = settings.server.public.as_ref();
    let ports = [
        ("server.internal", Some(&settings.server.internal)),
        ("server.public", public),
    ];
    ports.into_iter().any(|(name, port)| {
        let params = port.and_then(|it| said(&it.auth.provider_params));
        let is_of_text = key == format!("{name}.auth.providerParams") && params.is_some();
        is_of_text || key.starts_with(&format!("{name}.authorization"))
    })
}

/// Whether TLS is to be on.
pub(super) fn is_on(tls: &TlsSettings) -> bool {
    tls.enabled == Some(true) || (tls.enabled.is_none() && said(&tls.cert_file).is_some())
}

fn of_tls(key: &str, tls: &TlsSettings, is_mutual: bool, tell: &mut dyn FnMut(String)) {
    let (authorities, revoked) = (said(&tls.trusted_ca_file), said(&tls.crl_file));
    if !is_on(tls) {
        let files = [said(&tls.key_file), authorities, revoked];
        let is_meant = files.into_iter().any(|it| it.is_some()) || tls.client_auth == Some(true);
        if tls.enabled.is_none() && is_meant {
            tell(key.to_owned());
        }
        return;
    }
    let asks = tls.client_auth.unwrap_or(is_mutual);
    let (min, max) = (tls.min_version.unwrap_or(0), tls.max_version.unwrap_or(0));
    for (name, is_broken) in [
        ("certFile", said(&tls.cert_file).is_none()),
        ("keyFile", said(&tls.key_file).is_none()),
        (
            "trustedCaFile",
            (asks || revoked.is_some()) && authorities.is_none(),
        ),
        (
            "minVersion",
            !matches!(min, 0 | 771 | 772) && (max == 0 || max >= min || min < 771),
        ),
        (
            "maxVersion",
            max != 0 && (min == 0 || min >= 771) && max < min.max(771),
        ),
    ] {
        if is_broken {
            tell(format!("{key}.{name}"));
        }
    }
}

fn of_provider(metadata: &MetadataSettings, tell: &mut dyn FnMut(String)) {
    match said(&metadata.provider_name).unwrap_or("file") {
        "file" => of_file(metadata.file.as_ref(), tell),
        "memory" => {}
        "configmap" => of_kubernetes(metadata.kubernetes.as_ref(), tell),
        "raft" => of_raft(&metadata.raft, tell),
        _ => tell("metadata.providerName".to_owned()),
    }
}

fn of_file(file: Option<&FileSettings>, tell: &mut dyn FnMut(String)) {
    let status = file.and_then(|it| said(&it.status_name));
    let configuration = file.and_then(|it| said(&it.config_name));
    let status = status.unwrap_or("cluster-status.json");
    let configuration = configuration.unwrap_or("cluster.yaml");
    let is_within = file.is_some_and(|it| said(&it.dir).is_some());
    let name = |name: &str| {
        let name = if is_within {
            name.trim_start_matches('/')
        } else {
            name
        };
        std::path::PathBuf::from(name)
    };
    if name(status) == name(configuration) {
        tell("metadata.file.statusName".to_owned());
    }
}

fn of_kubernetes(kubernetes: Option<&KubernetesSettings>, tell: &mut dyn FnMut(String)) {
    let Some(namespace) = kubernetes.and_then(|it| said(&it.namespace)) else {
        return tell("metadata.kubernetes.namespace".to_owned());
    };
    let status = kubernetes.and_then(|it| said(&it.status_name));
    let configuration = kubernetes.and_then(|it| said(&it.config_name));
    let layout = kubernetes.and_then(|it| said(&it.status_layout));
    let status = status.unwrap_or("oxia-cluster-status");
    let configuration = configuration.unwrap_or("oxia-cluster-config");
    for (key, is_broken) in [
        ("namespace", !may_be_named(namespace)),
        (
            "statusName",
            !may_be_named(status) || status == configuration,
        ),
        ("configName", !may_be_named(configuration)),
        (
            "statusLayout",
            !matches!(layout, None | Some("plain" | "compressed")),
        ),
    ] {
        if is_broken {
            tell(format!("metadata.kubernetes.{key}"));
        }
    }
}

fn of_raft(raft: &RaftSettings, tell: &mut dyn FnMut(String)) {
    let nodes = raft.bootstrap_nodes.iter().flatten().map(|it| it.trim());
    let nodes: Vec<&str> = nodes.filter(|it| !it.is_empty()).collect();
    let address = said(&raft.address);
    let different: BTreeSet<&&str> = nodes.iter().collect();
    let is_missing = address.is_some_and(|it| !nodes.is_empty() && !nodes.contains(&it));
    let is_repeated = different.len() < nodes.len();
    if is_missing || is_repeated || !nodes.iter().all(|it| is_reachable(it)) {
        tell("metadata.raft.bootstrapNodes".to_owned());
    }
    if !address.is_some_and(is_reachable) {
        tell("metadata.raft.address".to_owned());
    }
    of_tls("metadata.raft.tls", &raft.tls, true, tell);
}

/// Whether others may reach a node by this address.
pub(super) fn is_reachable(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let is_host = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(ip) => ip
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|it| !it.is_unspecified()),
        None => {
            let is_part = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
            !host.is_empty() && host != "0.0.0.0" && host.chars().all(is_part)
        }
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn may_be_named(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_label = |it: &str| {
        it.starts_with(is_plain)
            && it.ends_with(is_plain)
            && it.chars().all(|it| is_plain(it) || it == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn has_port(address: &str) -> bool {
    let port = address.rsplit(':').next().unwrap_or_default();
    address.contains(':') && port.parse::<u16>().is_ok()
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

pub(super) fn said(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|it| !it.is_empty())
}
