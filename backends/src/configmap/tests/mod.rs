mod reading;
mod writing;

use stepdown_core::Version;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};

use super::ConfigMapDocuments;

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
