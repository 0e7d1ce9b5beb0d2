mod reading;
mod writing;

use stepdown_core::Version;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};

use super::documents::ConfigMapDocuments;
use super::fake_api::{FakeApi, options};
use super::{ConfigMapError, ConfigMapOptions};

async fn store(
    documents: &ConfigMapDocuments,
    expected: Option<&Version>,
    document: StatusDocument,
) -> Version {
    let outcome = documents.store().store(expected.cloned(), document).await;
    let StoreOutcome::Stored(version) = outcome else {
        panic!("{outcome:?}");
    };
    version
}

async fn found(documents: &ConfigMapDocuments) -> LoadedStatus {
    let outcome = documents.store().load().await;
    let LoadOutcome::Found(found) = outcome else {
        panic!("{outcome:?}");
    };
    found
}

async fn head(documents: &ConfigMapDocuments) -> Head {
    let outcome = documents.store().head().await;
    let HeadOutcome::Found(head) = outcome else {
        panic!("{outcome:?}");
    };
    head
}

async fn corrupt(documents: &ConfigMapDocuments) -> String {
    let outcome = documents.store().load().await;
    let LoadOutcome::Corrupt(reason) = outcome else {
        panic!("{outcome:?}");
    };
    let outcome = documents.store().head().await;
    assert!(
        matches!(outcome, HeadOutcome::Corrupt(_) | HeadOutcome::Absent),
        "{outcome:?}"
    );
    reason
}

#[tokio::test]
async fn what_is_no_name_of_an_object_is_refused() {
    let api = FakeApi::new().await;
    let open = |options: ConfigMapOptions| ConfigMapDocuments::open(&options, &api.clients());
    let long = "a".repeat(254);
    for name in ["", "-a", "a.", "A", "a/b", "a?b", "a b", "ü", "..", &long] {
        let mut wrong = [options(), options(), options()];
        let [namespace, status, config] = &mut wrong;
        name.clone_into(&mut namespace.namespace);
        name.clone_into(&mut status.status_name);
        name.clone_into(&mut config.config_name);
        for options in wrong {
            let opened = open(options).err();
            assert!(
                matches!(opened, Some(ConfigMapError::Name { .. })),
                "{name}: {opened:?}"
            );
        }
    }
    assert!(open(options()).is_ok());
}
