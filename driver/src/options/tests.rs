use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stepdown_backends::Provider;

use super::provider::{ClusterSettings, MetadataSettings};
use super::settings::{MetricSettings, ServersSettings};
use super::*;
use crate::cli::CoordinatorArgs;

fn flags(args: &[&str]) -> Settings {
    CoordinatorArgs::from_words(args)
        .expect("flags must parse")
        .into_settings()
}

fn load(args: &[&str], yaml: Option<&str>) -> Result<CoordinatorOptions, OptionsError> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("coordinator.yaml");
    if let Some(yaml) = yaml {
        fs::write(&path, yaml).expect("a file");
    }
    CoordinatorOptions::load(flags(args), yaml.map(|_| path))
}

fn paths(options: &CoordinatorOptions) -> (String, String) {
    match &options.provider {
        Provider::File(file) => (
            file.status.display().to_string(),
            file.configuration.display().to_string(),
        ),
        Provider::ConfigMap(_) | Provider::Memory | Provider::Raft(_) => {
            panic!("not the file provider")
        }
    }
}

fn problems(args: &[&str], yaml: Option<&str>) -> Vec<String> {
    match load(args, yaml) {
        Err(OptionsError::Invalid { problems }) => problems,
        other => panic!("must be refused: {other:?}"),
    }
}

#[test]
fn how_long_deletions_are_held_is_told_by_flag_or_file() {
    let held = |args: &[&str], yaml: Option<&str>| load(args, yaml).map(|it| it.hold_deletions);
    let seconds = Duration::from_secs;
    assert_eq!(held(&[], None).ok(), Some(seconds(30)));
    assert_eq!(
        held(&["--hold-deletions=2m"], None).ok(),
        Some(seconds(120))
    );
    let file = Some("controller: {holdDeletions: 0s}");
    assert_eq!(held(&["--hold-deletions=2m"], file).ok(), Some(seconds(0)));
    let told = problems(&["--hold-deletions=-1s"], None);
    assert_eq!(
        told,
        [
            "controller.holdDeletions (--hold-deletions): '-1s' is not a duration, as in 10s, 1m30s or 500ms"
        ]
    );
}

#[test]
fn without_any_flag_the_defaults_are_upstreams() {
    let options = load(&[], None).expect("defaults are valid");
    assert_eq!(options.internal.bind_address, "0.0.0.0:6649");
    assert_eq!(options.public.bind_address, "0.0.0.0:6651");
    assert_eq!(
        options.metrics.as_ref().map(|m| m.bind_address.as_str()),
        Some("0.0.0.0:8080")
    );
    assert_eq!(
        paths(&options),
        ("data/cluster-status.json".into(), "cluster.yaml".into())
    );
    assert!(!options.name.is_empty());
    assert_eq!(options.notices, Vec::<String>::new());
}

#[test]
fn the_file_wins_where_it_speaks_and_flags_stay_where_it_is_silent() {
    let row = |args: &[&str], yaml: &str| {
        let options = load(args, Some(yaml)).expect("valid");
        (
            options.internal.bind_address.clone(),
            options.public.bind_address.clone(),
            paths(&options),
        )
    };
    let flags = ["-i", "a:1", "-p", "b:2", "--file-clusters-status-path", "s"];
    let expect = |internal: &str, public: &str, status: &str, config: &str| {
        (
            internal.to_owned(),
            public.to_owned(),
            (status.to_owned(), config.to_owned()),
        )
    };
    let table = [
        ("{}", expect("a:1", "b:2", "s", "cluster.yaml")),
        (
            "server: {internal: {bindAddress: 'c:3'}}",
            expect("c:3", "b:2", "s", "cluster.yaml"),
        ),
        (
            "server: {internal: {tls: {enabled: false}}}",
            expect("a:1", "b:2", "s", "cluster.yaml"),
        ),
        // Replaced as a whole: the flag's address is lost.
        (
            "server: {public: {tls: {enabled: false}}}",
            expect("a:1", "0.0.0.0:6651", "s", "cluster.yaml"),
        ),
        (
            "metadata: {file: {dir: d}}",
            expect("a:1", "b:2", "d/cluster-status.json", "d/cluster.yaml"),
        ),
        (
            "metadata: {file: {configName: c}}",
            expect("a:1", "b:2", "cluster-status.json", "c"),
        ),
        (
            "metadata: {file: }\nserver: {public: }",
            expect("a:1", "b:2", "s", "cluster.yaml"),
        ),
        (
            "server: {internal: {bindAddress: ''}}",
            expect("0.0.0.0:6649", "b:2", "s", "cluster.yaml"),
        ),
    ];
    for (yaml, expected) in table {
        assert_eq!(row(&flags, yaml), expected, "{yaml}");
    }
}

#[test]
fn a_missing_provider_name_stays_the_flags() {
    let options = load(&["--metadata", "memory"], Some("metadata: {name: n}")).expect("valid");
    assert_eq!(options.provider, Provider::Memory);
    assert_eq!(options.name, "n");
}

#[test]
fn legacy_paths_are_mapped_for_the_file_provider() {
    let table: [(&[&str], &str, &str, &str); 8] = [
        (
            &["-f", "x/c.yaml"],
            "{}",
            "data/cluster-status.json",
            "x/c.yaml",
        ),
        (
            &["--conf=c.yaml"],
            "{}",
            "data/cluster-status.json",
            "c.yaml",
        ),
        (&["--cconfig", "c"], "{}", "data/cluster-status.json", "c"),
        (
            &["--cconfig", "c"],
            "cluster: {configPath: d}",
            "data/cluster-status.json",
            "d",
        ),
        (
            &[],
            "cluster: {configPath: d/c}\nmetadata: {file: {dir: ./d/}}",
            "./d/cluster-status.json",
            "./d/c",
        ),
        (&[], "metadata: {file: {path: d/s}}", "d/s", "cluster.yaml"),
        (
            &[],
            "metadata: {file: {path: d/s, dir: d}}",
            "d/s",
            "d/cluster.yaml",
        ),
        (
            &[],
            "metadata: {file: {path: d/../s, statusName: s}}",
            "s",
            "cluster.yaml",
        ),
    ];
    for (args, yaml, status, config) in table {
        let options = load(args, Some(yaml)).expect("valid");
        assert_eq!(
            paths(&options),
            (status.into(), config.into()),
            "{args:?} {yaml}"
        );
    }
}

#[test]
fn an_old_and_a_new_spelling_that_differ_are_refused() {
    for yaml in [
        "cluster: {configPath: 'configmap:a/b'}",
        "cluster: {configPath: c}\nmetadata: {file: {configName: d}}",
        "cluster: {configPath: x/c}\nmetadata: {file: {dir: d}}",
        "cluster: {configPath: d/c}\nmetadata: {file: {dir: d, configName: e}}",
        "metadata: {file: {path: d/s, dir: e}}",
        "metadata: {file: {path: d/s, dir: d, statusName: t}}",
        "metadata: {file: {path: s, statusName: t}}",
        "metadata: {kubernetes: {configMapName: a, statusName: b}}",
    ] {
        assert_eq!(problems(&[], Some(yaml)).len(), 1, "{yaml}");
    }
}

#[test]
fn a_configmap_path_fills_the_namespace_and_the_name_and_must_agree_with_them() {
    let configmap = ["--metadata=configmap", "--k8s-namespace="];
    let kubernetes = |yaml: &str| match load(&configmap, Some(yaml)).map(|it| it.provider) {
        Ok(Provider::ConfigMap(it)) => Some((it.namespace, it.config_name)),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    };
    let found = |namespace: &str, name: &str| Some((namespace.to_owned(), name.to_owned()));
    assert_eq!(
        kubernetes("cluster: {configPath: 'configmap:ns/name'}"),
        found("ns", "name")
    );
    assert_eq!(
        kubernetes(
            "cluster: {configPath: 'configmap:ns/name'}\nmetadata: {kubernetes: {namespace: ns, configName: name}}"
        ),
        found("ns", "name")
    );
    assert_eq!(
        kubernetes("cluster: {configPath: plain}\nmetadata: {kubernetes: {namespace: ns}}"),
        found("ns", "oxia-cluster-config")
    );
    for bad in [
        "cluster: {configPath: 'configmap:ns'}",
        "cluster: {configPath: 'configmap:/n'}",
        "cluster: {configPath: 'configmap:ns/n'}\nmetadata: {kubernetes: {namespace: other}}",
        "{}",
    ] {
        assert_eq!(kubernetes(bad), None, "{bad}");
    }
}

#[test]
fn the_raft_provider_has_its_address_from_a_flag_or_the_file() {
    let raft = |flags: &[&str], yaml| match load(flags, yaml).map(|options| options.provider) {
        Ok(Provider::Raft(options)) => options,
        other => panic!("not the raft provider: {other:?}"),
    };
    let flags = [
        "--metadata=raft",
        "--raft-address=a:1",
        "--raft-bootstrap-nodes=a:1,b:1",
    ];
    let options = raft(&flags, None);
    assert_eq!(options.address, "a:1");
    assert_eq!(options.bootstrap_nodes, ["a:1", "b:1"]);
    assert_eq!(options.data_dir, Path::new("data/raft"));
    let file = "metadata: {providerName: raft, raft: {address: 'c:1', dataDir: /d}}";
    let options = raft(&[], Some(file));
    assert_eq!(options.address, "c:1");
    assert_eq!(options.data_dir, Path::new("/d"));
    let all = problems(&["--metadata=raft"], None);
    assert!(
        all[0].contains("metadata.raft.address (--raft-address)"),
        "{all:?}"
    );
}

#[test]
fn a_provider_that_there_is_not_is_refused_by_name() {
    assert!(problems(&["--metadata=File"], None)[0].contains("memory, configmap, raft, file"));
}

#[test]
fn all_problems_are_told_at_once() {
    let error = load(
        &["--metadata", "etcd", "-i", "nowhere"],
        Some("server: {public: {tls: {enabled: true, minVersion: 770}}}"),
    )
    .expect_err("invalid");
    let text = error.to_string();
    for part in [
        "server.internal.bindAddress (--internal-addr) 'nowhere'",
        "server.public.tls.certFile",
        "server.public.tls.keyFile",
        "server.public.tls.minVersion 770",
        "'etcd' must be one of",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_port_that_should_ask_for_tokens_is_never_opened_without() {
    for (yaml, told) in [
        (
            "server: {public: {auth: {enabled: true, provider: oidc}}}",
            "server.public.auth.providerParams is missing",
        ),
        (
            "server: {internal: {auth: {provider: oidc, providerParams: '{}'}}}",
            "server.internal.auth.providerParams names no issuer",
        ),
        (
            "server: {internal: {auth: {enabled: true}}}",
            "server.internal.auth.provider is missing",
        ),
        (
            "server: {public: {auth: {providerParams: '{}'}}}",
            "server.public.auth.provider is missing",
        ),
        (
            "server: {public: {auth: {provider: ldap, providerParams: '{}'}}}",
            "server.public.auth.provider 'ldap' is unknown",
        ),
    ] {
        let all = problems(&[], Some(yaml));
        assert!(all.iter().any(|p| p.contains(told)), "{all:?}");
    }
    assert!(
        load(
            &[],
            Some("server: {public: {auth: {enabled: false, provider: oidc}}}")
        )
        .is_ok()
    );
}

const AUTH: &str = r#"auth: {provider: oidc, providerParams: '{"issuers": {"https://a": {"allowedAudiences": "x"}}}'}"#;
const TWO: &str = r#"auth: {provider: oidc, providerParams: '{"allowedIssueURLs": "https://a,https://b", "allowedAudiences": "x"}'}"#;
const TLS: &str = "tls: {certFile: c, keyFile: k, trustedCaFile: t}";

#[test]
fn a_port_asks_for_tokens_and_goes_by_rules_as_it_is_told() {
    let yaml = format!(
        "server: {{public: {{{AUTH}, {TLS}, authorization: [
            {{subjects: [{{claim: sub, value: alice}}, {{group: g, issuer: 'https://a'}}], verbs: [read, write]}},
            {{subjects: [{{certificate: operator}}], verbs: [delete], namespaces: [n]}}]}}}}"
    );
    let options = load(&[], Some(&yaml)).expect("valid");
    let auth = options.public.auth.expect("on");
    assert!(auth.issuers.contains_key("https://a"));
    let rules = options.public.authorization;
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].subjects.len(), 2);
    assert_eq!(rules[0].namespaces, None);
    assert_eq!(rules[1].namespaces, Some(["n".to_owned()].into()));
    assert_eq!(
        (options.internal.auth, options.internal.authorization),
        (None, vec![])
    );
}

#[test]
fn tokens_on_a_port_without_tls_deserve_a_warning() {
    let options = load(&[], Some(&format!("server: {{public: {{{AUTH}}}}}"))).expect("valid");
    let told = "server.public asks for tokens and has no TLS";
    assert!(
        options.notices.iter().any(|it| it.contains(told)),
        "{:?}",
        options.notices
    );
}

#[test]
fn a_rule_that_can_not_be_gone_by_is_named_with_what_to_do() {
    for (beside, rules, told) in [
        (AUTH, "", "server.public.authorization has no rule"),
        (AUTH, "[]", "server.public.authorization has no rule"),
        (AUTH, "[{}]", "authorization[0].subjects is empty"),
        (
            AUTH,
            "[{subjects: [{group: g}]}]",
            "authorization[0].verbs is empty",
        ),
        (
            AUTH,
            "[{subjects: [{group: g}], verbs: [read], namespaces: []}]",
            "authorization[0].namespaces is empty",
        ),
        (
            AUTH,
            "[{subjects: [{group: g}], verbs: [split]}]",
            "authorization[0].verbs: 'split' is none of read, write, delete",
        ),
        (
            AUTH,
            "[{subjects: [{group: g, certificate: c}], verbs: [read]}]",
            "authorization[0].subjects[0] is to be one of",
        ),
        (
            AUTH,
            "[{subjects: [{claim: sub}], verbs: [read]}]",
            "authorization[0].subjects[0] is to be one of",
        ),
        (
            AUTH,
            "[{subjects: [{group: g, issuer: 'https://b'}], verbs: [read]}]",
            "authorization[0].subjects[0].issuer is none of",
        ),
        (
            AUTH,
            "[{subjects: [{certificate: c}], verbs: [read]}]",
            "set tls.trustedCaFile beside authorization",
        ),
        (
            TLS,
            "[{subjects: [{group: g}], verbs: [read]}]",
            "set auth beside authorization",
        ),
        (
            TWO,
            "[{subjects: [{claim: sub, value: a}], verbs: [read]}]",
            "authorization[0].subjects[0].issuer is missing",
        ),
    ] {
        let yaml = format!("server: {{public: {{{beside}, authorization: {rules}}}}}");
        let all = problems(&[], Some(&yaml));
        assert!(all.iter().any(|p| p.contains(told)), "{rules}: {all:?}");
    }
}

#[test]
fn tls_is_on_when_enabled_or_when_a_certificate_is_named() {
    let tls = |yaml: &str| {
        load(&[], Some(&format!("server: {{internal: {{tls: {yaml}}}}}")))
            .expect("valid")
            .internal
            .tls
    };
    assert_eq!(tls("{}"), None);
    assert_eq!(tls("{enabled: false, certFile: c, keyFile: k}"), None);
    assert_eq!(tls("{enabled: false, keyFile: k}"), None);
    assert_eq!(tls("{minVersion: 772}"), None);
    let on = tls("{certFile: c, keyFile: k}").expect("on");
    assert_eq!(on.versions, TlsVersions::Both);
    let on = tls("{certFile: c, keyFile: k, minVersion: 772}").expect("on");
    assert_eq!(on.versions, TlsVersions::OnlyTls13);
    let on = tls("{certFile: c, keyFile: k, maxVersion: 771, cipherSuites: [49199]}").expect("on");
    assert_eq!(on.versions, TlsVersions::OnlyTls12);
    assert_eq!(on.cipher_suites, [49199]);
}

#[test]
fn what_was_revoked_needs_the_authorities_that_revoke() {
    let tls = "controller: {tls: {certFile: c, keyFile: k, crlFile: r";
    let all = problems(&[], Some(&format!("{tls}}}}}")));
    assert!(
        all[0].contains("controller.tls.trustedCaFile is missing"),
        "{all:?}"
    );
    let options = load(&[], Some(&format!("{tls}, trustedCaFile: a}}}}"))).expect("valid");
    let crl_file = options.controller_tls.expect("on").crl_file;
    assert_eq!(crl_file, Some(PathBuf::from("r")));
}

#[test]
fn tls_that_is_meant_and_names_no_certificate_is_not_silently_off() {
    for section in [
        "server: {internal: {tls: {keyFile: k}}}",
        "server: {public: {tls: {trustedCaFile: c}}}",
        "controller: {tls: {trustedCaFile: c}}",
        "controller: {tls: {crlFile: c}}",
        "observability: {metric: {tls: {clientAuth: true}}}",
    ] {
        let all = problems(&[], Some(section));
        assert!(all[0].contains(".tls.certFile is missing"), "{all:?}");
    }
}

#[test]
fn a_key_that_may_be_a_misspelt_word_about_who_may_connect_is_refused() {
    for (yaml, key) in [
        (
            "server: {public: {auth: {enabled: false, provder: oidc}}}",
            "server.public.auth.provder",
        ),
        (
            "server: {public: {tsl: {certFile: c}}}",
            "server.public.tsl",
        ),
        (
            "server: {internal: {tls: {trustedCAFile: c}}}",
            "server.internal.tls.trustedCAFile",
        ),
        ("controller: {TLS: {certFile: c}}", "controller.TLS"),
        (
            "observability: {metric: {tls: {Enabled: true}}}",
            "observability.metric.tls.Enabled",
        ),
        (
            "metadata: {raft: {tls: {clientAuthentication: true}}}",
            "metadata.raft.tls.clientAuthentication",
        ),
        (
            "server: {pubilc: {bindAddress: 'a:1', tls: {certFile: c}}}",
            "server.pubilc",
        ),
        ("sever: {public: {auth: {provider: oidc}}}", "sever"),
        (
            "server: {public: {authorization: [{subject: []}]}}",
            "server.public.authorization.0.subject",
        ),
        (
            "server: {public: {authorisation: []}}",
            "server.public.authorisation",
        ),
        (
            "server: {public: {authorization: [{subjects: [{grup: a}]}]}}",
            "server.public.authorization.0.subjects.0.grup",
        ),
        (
            "observability: {audit: {file: a}}",
            "observability.audit.file",
        ),
        ("observability: {Audit: {path: a}}", "observability.Audit"),
    ] {
        let all = problems(&[], Some(yaml));
        let (path, rest) = all[0].split_once(": the key ").expect("a file and a key");
        assert!(path.ends_with("coordinator.yaml"), "{path}");
        assert!(
            rest.starts_with(&format!("{key} is not an option;")),
            "{rest}"
        );
    }
}

#[test]
fn a_port_that_is_left_in_plaintext_beside_one_with_tls_is_told() {
    let notices = |more: &str| {
        let yaml = format!("server: {{internal: {{tls: {{certFile: c, keyFile: k}}}}{more}}}");
        load(&[], Some(&yaml)).expect("valid").notices
    };
    let told = notices("");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("the port of server.public.bindAddress has not"));
    assert!(told[1].contains("the port of observability.metric.bindAddress has not"));
    assert_eq!(
        notices(", public: {tls: {certFile: c, keyFile: k}}").len(),
        1
    );
    let flags = ["--tls-cert-file=c", "--tls-key-file=k"];
    let options = load(&flags, None).expect("valid");
    assert_eq!(options.notices.len(), 2);
}

#[test]
fn a_raft_port_that_is_left_in_plaintext_beside_one_with_tls_is_told() {
    let told = |tls: &str| {
        let yaml = format!(
            "server: {{internal: {{tls: {{certFile: c, keyFile: k}}}}}}\n\
             metadata: {{raft: {{address: 'a:1', bootstrapNodes: ['a:1']{tls}}}}}"
        );
        let notices = load(&["--metadata=raft"], Some(&yaml))
            .expect("valid")
            .notices;
        let is_it = |notice: &String| notice.contains("the port of metadata.raft.address has not");
        notices.iter().any(is_it)
    };
    assert!(told(""));
    assert!(!told(", tls: {certFile: c, keyFile: k, trustedCaFile: a}"));
}

#[test]
fn a_private_key_that_others_may_read_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let key = dir.path().join("key.pem");
    fs::write(&key, "").expect("a file");
    let told = |mode| {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("it is ours");
        let tls = format!("{{tls: {{certFile: c, keyFile: {}}}}}", key.display());
        let yaml =
            format!("server: {{public: {tls}, internal: {tls}}}\nobservability: {{metric: {tls}}}");
        load(&[], Some(&yaml)).expect("valid").notices
    };
    let notices = told(0o644);
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(
        notices[0].contains("(mode 0644): chmod 0600"),
        "{notices:?}"
    );
    assert!(told(0o600).is_empty());
}

#[test]
fn whoever_believes_any_data_server_is_told_so() {
    let yaml = "controller: {tls: {certFile: c, keyFile: k, insecureSkipVerify: true}}";
    let told = load(&[], Some(yaml)).expect("valid").notices;
    assert!(
        told[0].contains("controller.tls.insecureSkipVerify is on"),
        "{told:?}"
    );
}

#[test]
fn tls_flags_set_the_internal_server_and_the_controller() {
    let options = load(
        &[
            "--tls-cert-file=c",
            "--tls-key-file=k",
            "--tls-min-version=772",
            "--peer-tls-cert-file=pc",
            "--peer-tls-key-file=pk",
            "--peer-tls-server-name=n",
        ],
        Some("server: {internal: {tls: {keyFile: k2}}}"),
    )
    .expect("valid");
    let internal = options.internal.tls.expect("on");
    assert_eq!(internal.cert_file, Path::new("c"));
    assert_eq!(internal.key_file, Path::new("k2"));
    assert_eq!(internal.versions, TlsVersions::OnlyTls13);
    assert_eq!(options.public.tls, None);
    let controller = options.controller_tls.expect("on");
    assert_eq!(controller.server_name.as_deref(), Some("n"));
}

#[test]
fn metrics_can_be_switched_off() {
    let options = load(&[], Some("observability: {metric: {enabled: false}}")).expect("valid");
    assert_eq!(options.metrics, None);
    assert!(options.shard_histograms);
    let yaml = "observability: {metric: {shardHistograms: false}}";
    assert!(!load(&[], Some(yaml)).expect("valid").shard_histograms);
}

#[test]
fn what_deserves_a_warning_is_accepted_and_told() {
    let options = load(
        &["-f", "c"],
        Some("server: {admin: {bindAddress: 'a:1'}}\nobservability: {log: {level: loud}}"),
    )
    .expect("valid");
    let text = options.notices.join("\n");
    for part in ["server.admin", "deprecated", "unknown log level (loud)"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(options.log_level, None);
}

#[test]
fn a_missing_options_file_is_told_by_name() {
    let error = CoordinatorOptions::load(flags(&[]), Some("/nowhere/c.yaml".into()))
        .expect_err("there is none");
    assert!(error.to_string().contains("/nowhere/c.yaml (--sconfig)"));
}

#[test]
fn a_flag_that_messages_name_is_a_flag() {
    for key in [
        ClusterSettings::CONFIG_PATH,
        FileSettings::STATUS_NAME,
        KubernetesSettings::NAMESPACE,
        KubernetesSettings::STATUS_LAYOUT,
        KubernetesSettings::STATUS_NAME,
        MetadataSettings::PROVIDER_NAME,
        MetricSettings::BIND_ADDRESS,
        RaftSettings::ADDRESS,
        RaftSettings::BOOTSTRAP_NODES,
        ServersSettings::INTERNAL,
        ServersSettings::PUBLIC,
    ] {
        let name = key.to_string();
        let (_, listed) = name.split_once(" (").expect("it has a flag");
        for flag in listed.trim_end_matches(')').split(", ") {
            let word = format!("{flag}=x");
            assert!(CoordinatorArgs::from_words(&[&word]).is_ok(), "{name}");
        }
    }
}

#[test]
fn that_anybody_may_change_the_cluster_is_said_at_the_public_port_alone() {
    assert!(!load(&[], None).expect("valid").allow_unauthenticated_admin);
    let yaml = "server: {public: {allowUnauthenticatedAdmin: true}}";
    let options = load(&[], Some(yaml)).expect("valid");
    assert!(options.allow_unauthenticated_admin);
    assert_eq!(options.notices, Vec::<String>::new());
    let yaml = "server: {internal: {allowUnauthenticatedAdmin: true}}";
    let options = load(&[], Some(yaml)).expect("valid");
    assert!(!options.allow_unauthenticated_admin);
    let [notice] = options.notices.as_slice() else {
        panic!("{:?}", options.notices);
    };
    assert!(notice.contains("server.internal.allowUnauthenticatedAdmin has no effect"));
}

#[test]
fn people_reach_the_public_port_where_it_says_or_at_the_one_address_that_it_is_bound_to() {
    for (public, reached) in [
        ("{}", None),
        ("{bindAddress: '0.0.0.0:6651'}", None),
        ("{bindAddress: '10.0.0.1:6651'}", Some("10.0.0.1:6651")),
        (
            "{bindAddress: '10.0.0.1:6651', advertisedAddress: 'a.example:443'}",
            Some("a.example:443"),
        ),
    ] {
        let options = load(&[], Some(&format!("server: {{public: {public}}}"))).expect("valid");
        assert_eq!(options.advertised_address.as_deref(), reached, "{public}");
    }
    let flag = &["--public-advertised-addr=b.example:443"];
    for (public, reached) in [
        ("{bindAddress: '10.0.0.1:6651'}", "b.example:443"),
        ("{advertisedAddress: ''}", "b.example:443"),
        ("{advertisedAddress: 'a.example:443'}", "a.example:443"),
    ] {
        let options = load(flag, Some(&format!("server: {{public: {public}}}"))).expect("valid");
        assert_eq!(
            options.advertised_address.as_deref(),
            Some(reached),
            "{public}"
        );
    }
    let yaml =
        "server: {public: {advertisedAddress: '0.0.0.0:1'}, internal: {advertisedAddress: x}}";
    let error = load(&[], Some(yaml))
        .expect_err("it is every address")
        .to_string();
    assert!(
        error.contains("server.public.advertisedAddress (--public-advertised-addr) '0.0.0.0:1'"),
        "{error}"
    );
}
