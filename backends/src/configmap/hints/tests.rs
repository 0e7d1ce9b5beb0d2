use std::time::Duration;

use tokio::time::timeout;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

struct Telling {
    own: OwnStores,
    sightings: watch::Sender<Option<Sighting>>,
    hints: watch::Receiver<u64>,
    handovers: watch::Receiver<u64>,
    /// Every sighting that was judged gives one of these.
    task: JoinHandle<()>,
}

impl Telling {
    fn new() -> Self {
        let own = OwnStores::default();
        let (hint, hints) = watch::channel(0);
        let (handover, handovers) = watch::channel(0);
        let (sightings, sighting) = watch::channel(None);
        let task = tokio::spawn(tell(sighting, own.clone(), hint, handover));
        Self {
            own,
            sightings,
            hints,
            handovers,
            task,
        }
    }

    fn see(&self, version: Option<&str>, handover: Option<&str>) {
        self.sightings.send_replace(Some(Sighting {
            version: version.map(Version::new),
            handover: handover.map(str::to_owned),
        }));
    }

    async fn hinted(&mut self) {
        timeout(LIMIT, self.hints.changed()).await.unwrap().unwrap();
    }

    /// Ends, after everything that was seen was told of; returns the counts.
    async fn counts(self) -> (u64, u64) {
        drop(self.sightings);
        timeout(LIMIT, self.task).await.unwrap().unwrap();
        (*self.hints.borrow(), *self.handovers.borrow())
    }
}

#[tokio::test]
async fn every_change_of_somebody_elses_is_hinted() {
    let mut telling = Telling::new();
    for version in [Some("1@u"), Some("2@u"), None, Some("3@v"), None] {
        telling.see(version, None);
        telling.hinted().await;
    }
    assert_eq!(telling.counts().await, (5, 0));
}

#[tokio::test]
async fn a_document_that_never_was_and_one_seen_twice_are_no_news() {
    let mut telling = Telling::new();
    telling.see(None, None);
    tokio::task::yield_now().await;
    telling.see(Some("1@u"), None);
    telling.hinted().await;
    telling.see(Some("1@u"), None);
    assert_eq!(telling.counts().await, (1, 0));
}

#[tokio::test]
async fn what_this_process_wrote_is_not_hinted() {
    let telling = Telling::new();
    telling.own.begin().accepted(Version::new("1@u"));
    telling.see(Some("1@u"), None);
    assert_eq!(telling.counts().await, (0, 0));
}

#[tokio::test]
async fn what_is_seen_before_its_answer_came_is_not_hinted_either() {
    let telling = Telling::new();
    let store = telling.own.begin();
    telling.see(Some("1@u"), None);
    tokio::task::yield_now().await;
    store.accepted(Version::new("1@u"));
    assert_eq!(telling.counts().await, (0, 0));
}

#[tokio::test]
async fn a_foreign_write_during_a_store_is_hinted_once_the_store_is_answered() {
    let mut telling = Telling::new();
    let store = telling.own.begin();
    telling.see(Some("1@u"), None);
    tokio::task::yield_now().await;
    assert!(!telling.hints.has_changed().unwrap());
    drop(store);
    telling.hinted().await;
    assert_eq!(telling.counts().await, (1, 0));
}

#[tokio::test]
async fn a_hand_over_is_told_of_while_a_store_is_under_way() {
    let mut telling = Telling::new();
    telling.see(Some("1@u"), Some("a"));
    telling.hinted().await;
    let _store = telling.own.begin();
    telling.see(Some("2@u"), Some("b"));
    timeout(LIMIT, telling.handovers.changed())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn only_another_hand_over_is_news() {
    let mut telling = Telling::new();
    for (version, handover) in [
        ("1@u", Some("a")),
        ("2@u", Some("a")),
        ("3@u", None),
        ("4@u", None),
    ] {
        telling.see(Some(version), handover);
        telling.hinted().await;
    }
    telling.see(Some("5@u"), Some("b"));
    assert_eq!(telling.counts().await, (5, 1));
}
