use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{DataServer, DataServerPatch, EditError, NamespaceRequest};
use crate::cluster::{ClusterConfiguration, DataServerIdentity};

const TEXT: &str = "\
namespaces: [{name: default, initialShardCount: 2, replicationFactor: 2}]
servers:
- {name: s1, public: 'a:1', internal: 'a:2'}
- {name: s2, public: 'b:1', internal: 'b:2'}
- {public: 'c:1', internal: 'c:2'}
serverMetadata: {s1: {labels: {zone: a}}}
";

fn document() -> ClusterConfiguration {
    ClusterConfiguration::decode(TEXT).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
    let pair = |(label, text): &(&str, &str)| (Arc::from(*label), Arc::from(*text));
    pairs.iter().map(pair).collect()
}

fn server(name: &str, public: &str, internal: &str) -> DataServer {
    DataServer {
        identity: DataServerIdentity {
            name: Some(name.into()),
            public: public.into(),
            internal: internal.into(),
        },
        labels: labels(&[("zone", "b")]),
    }
}

fn namespace(name: &str) -> NamespaceRequest {
    NamespaceRequest {
        name: name.to_owned(),
        initial_shard_count: 4,
        replication_factor: 2,
        notifications_enabled: None,
        key_sorting: "natural".to_owned(),
        has_anti_affinities: false,
    }
}

/// The words of what is refused, where the document stays as it was.
fn refused<T>(
    document: &mut ClusterConfiguration,
    edit: impl FnOnce(&mut ClusterConfiguration) -> Result<T, EditError>,
) -> String {
    let before = document.clone();
    let error = edit(document).err().unwrap();
    assert_eq!(*document, before);
    error.to_string()
}

#[test]
fn a_data_server_comes_changes_and_goes_with_its_labels() {
    let mut document = document();
    let new = server("s4", "d:1", "d:2");
    assert_eq!(document.create_data_server(new.clone()), Ok(new.clone()));
    assert_eq!(document.data_server("s4"), Some(new));
    let patched = document.patch_data_server(&DataServerPatch {
        id: "s4".to_owned(),
        internal: "d:3".to_owned(),
        ..DataServerPatch::default()
    });
    assert_eq!(patched, Ok(server("s4", "d:1", "d:3")));
    let patched = document.patch_data_server(&DataServerPatch {
        id: "s4".to_owned(),
        labels: labels(&[("rack", "7")]),
        ..DataServerPatch::default()
    });
    assert_eq!(patched.as_ref().unwrap().labels, labels(&[("rack", "7")]));
    assert_eq!(document.delete_data_server("s4"), patched);
    assert_eq!(document, self::document());
}

#[test]
fn a_data_server_without_a_name_goes_by_its_internal_address_and_keeps_it() {
    let mut document = document();
    let found = document.data_server("c:2").unwrap();
    assert_eq!(found.identity.name.as_deref(), Some("c:2"));
    let moved = DataServerPatch {
        id: "c:2".to_owned(),
        internal: "c:9".to_owned(),
        ..DataServerPatch::default()
    };
    let told = refused(&mut document, |it| it.patch_data_server(&moved));
    assert!(told.contains("it has no name"), "{told}");
    let same = DataServerPatch {
        public: "c:8".to_owned(),
        internal: "c:2".to_owned(),
        ..moved
    };
    let patched = document.patch_data_server(&same).unwrap();
    assert_eq!(&*patched.identity.public, "c:8");
    assert_eq!(document.servers[2].name, None);
    assert!(document.delete_data_server("c:2").is_ok());
}

#[test]
fn a_data_server_that_can_not_be_is_refused_with_its_field() {
    let long = "x".repeat(129);
    for (server, told) in [
        (
            server("", "d:1", "d:2"),
            "data server name must not be empty",
        ),
        (
            server("s4", " ", "d:2"),
            "data server public address must not be empty",
        ),
        (
            server("s4", "d:1", ""),
            "data server internal address must not be empty",
        ),
        (
            server("s\n4", "d:1", "d:2"),
            "data server name \"s\\n4\" contains a control character",
        ),
        (
            server(&long, "d:1", "d:2"),
            "data server name is 129 bytes long, and may have 128",
        ),
        (
            server("s1", "d:1", "d:2"),
            "data server \"s1\" already exists",
        ),
        (
            server("c:2", "d:1", "d:2"),
            "data server \"c:2\" already exists",
        ),
    ] {
        assert_eq!(
            refused(&mut document(), |it| it.create_data_server(server)),
            told
        );
    }
    let many = (0..33).map(|n| (format!("l{n}").into(), "".into()));
    let mut labelled = server("s4", "d:1", "d:2");
    labelled.labels = many.collect();
    let told = refused(&mut document(), |it| it.create_data_server(labelled));
    assert!(told.contains("more than the 32"), "{told}");
    let mut document = document();
    while document.servers.len() < 4_096 {
        document.servers.push(document.servers[2].clone());
    }
    let told = refused(&mut document, |it| {
        it.create_data_server(server("s4", "d:1", "d:2"))
    });
    assert!(told.contains("there are 4096 data servers"), "{told}");
}

#[test]
fn a_data_server_that_is_needed_stays() {
    let mut document = document();
    document.delete_data_server("s2").unwrap();
    assert_eq!(
        refused(&mut document, |it| it.delete_data_server("s1")),
        "failed to delete data server \"s1\": metadata failed precondition: cannot delete data server \"s1\" \
         because namespace \"default\" replicationFactor=2 exceeds remaining data servers=1"
    );
    document.delete_namespace("default").unwrap();
    document.delete_data_server("s1").unwrap();
    let told = refused(&mut document, |it| it.delete_data_server("c:2"));
    assert!(told.contains("it is the last one"), "{told}");
    assert_eq!(
        refused(&mut document, |it| it.delete_data_server("s1")),
        "data server \"s1\" not found"
    );
}

#[test]
fn a_namespace_comes_changes_and_goes() {
    let mut document = document();
    let created = document.create_namespace(&namespace("n")).unwrap();
    assert_eq!(document.namespace("n"), Some(&created));
    let patch = NamespaceRequest {
        name: "n".to_owned(),
        replication_factor: 3,
        ..NamespaceRequest::default()
    };
    assert_eq!(
        document.patch_namespace(&patch).unwrap().replication_factor,
        3
    );
    let patch = NamespaceRequest {
        name: "n".to_owned(),
        notifications_enabled: Some(false),
        ..NamespaceRequest::default()
    };
    let patched = document.patch_namespace(&patch).unwrap();
    assert_eq!(
        (patched.replication_factor, patched.notifications_enabled),
        (3, Some(false))
    );
    assert_eq!(document.delete_namespace("n"), Ok(patched));
    assert_eq!(document, self::document());
}

#[test]
fn a_namespace_that_can_not_be_is_refused_with_its_field() {
    let with = |change: fn(&mut NamespaceRequest)| {
        let mut asked = namespace("n");
        change(&mut asked);
        asked
    };
    for (asked, told) in [
        (with(|it| it.name.clear()), "namespace must not be empty"),
        (
            with(|it| it.name = "a/b".to_owned()),
            "namespace \"a/b\" contains invalid path separator",
        ),
        (
            with(|it| it.key_sorting.clear()),
            "key sorting must be one of \"natural\" or \"hierarchical\"",
        ),
        (
            with(|it| it.initial_shard_count = 0),
            "namespace initial shard count must be greater than 0",
        ),
        (
            with(|it| it.initial_shard_count = 65_537),
            "namespace initial shard count must be 65536 at most",
        ),
        (
            with(|it| it.replication_factor = 0),
            "namespace replication factor must be greater than 0",
        ),
        (
            with(|it| it.name = "default".to_owned()),
            "namespace \"default\" already exists",
        ),
        (
            with(|it| it.replication_factor = 9),
            "failed to create namespace \"n\": metadata failed precondition: namespace \"n\" has \
             replicationFactor=9 but only 3 servers are configured",
        ),
    ] {
        assert_eq!(
            refused(&mut document(), |it| it.create_namespace(&asked)),
            told
        );
    }
    for bad in ["..", "a..b", "-a", ".a", "a b", "\u{fc}"] {
        let told = refused(&mut document(), |it| it.delete_namespace(bad));
        assert!(told.contains("is not a name"), "{told}");
    }
}

#[test]
fn how_keys_are_sorted_is_taken_in_any_case() {
    for asked in ["natural", "NATURAL", "Hierarchical"] {
        let request = NamespaceRequest {
            key_sorting: asked.to_owned(),
            ..namespace("more")
        };
        assert!(document().create_namespace(&request).is_ok(), "{asked}");
    }
}

#[test]
fn a_namespace_of_any_name_that_a_document_has_is_changed_and_taken_out() {
    let mut document = document();
    let long = "n".repeat(129);
    document.namespaces[0].name = long.as_str().into();
    let patch = NamespaceRequest {
        name: long.clone(),
        replication_factor: 1,
        ..NamespaceRequest::default()
    };
    let patched = document.patch_namespace(&patch).unwrap();
    assert_eq!(patched.replication_factor, 1);
    assert!(document.delete_namespace(&long).is_ok());
    assert!(document.delete_namespace(&long).is_err());
}

#[test]
fn of_a_namespace_nothing_is_patched_that_is_fixed_when_it_is_made() {
    let patch = NamespaceRequest {
        name: "default".to_owned(),
        ..NamespaceRequest::default()
    };
    for (patch, told) in [
        (
            NamespaceRequest {
                initial_shard_count: 2,
                ..patch.clone()
            },
            "namespace initial shard count cannot be patched",
        ),
        (
            NamespaceRequest {
                key_sorting: "natural".to_owned(),
                ..patch.clone()
            },
            "namespace key sorting cannot be patched",
        ),
        (
            NamespaceRequest {
                has_anti_affinities: true,
                ..patch.clone()
            },
            "namespace anti affinities cannot be patched",
        ),
        (
            NamespaceRequest {
                replication_factor: 9,
                ..patch.clone()
            },
            "failed to patch namespace \"default\": metadata failed precondition: namespace \"default\" has \
             replicationFactor=9 but only 3 servers are configured",
        ),
        (
            NamespaceRequest {
                name: "nope".to_owned(),
                ..patch.clone()
            },
            "namespace \"nope\" not found",
        ),
    ] {
        assert_eq!(
            refused(&mut document(), |it| it.patch_namespace(&patch)),
            told
        );
    }
}

proptest! {
    /// However it is asked for; the bounds are those of the document, too.
    #[test]
    fn what_is_accepted_can_be_put_in_force(
        name in "[a-c./-]{0,4}",
        shards in prop_oneof![0_u32..4, Just(65_536), Just(u32::MAX)],
        factor in 0_u32..5,
        sorting in prop_oneof![Just("natural"), Just("hierarchical"), Just("")],
    ) {
        let mut document = document();
        let asked = NamespaceRequest {
            name,
            initial_shard_count: shards,
            replication_factor: factor,
            key_sorting: sorting.to_owned(),
            ..NamespaceRequest::default()
        };
        if document.create_namespace(&asked).is_ok() {
            prop_assert_eq!(document.validate(), Ok(()));
            prop_assert_eq!(ClusterConfiguration::decode(&document.encode()), Ok(document));
        }
    }
}
