//! Somebody who writes one configuration after another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stepdown_backends::raft::admin::AdminClient;
use stepdown_wire::raft::ImportConfigurationRequest;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::Coordinators;

const PAUSE: Duration = Duration::from_millis(20);

/// Writes one configuration after another, each of a greater number, until it is dropped.
#[derive(Debug)]
pub struct Writer {
    sent: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
    /// The greatest version of the status that was there.
    status: AtomicU64,
    task: AbortHandle,
}

impl Writer {
    /// It tries again where it is refused.
    #[must_use]
    pub fn start(client: AdminClient) -> Self {
        let (sent, acknowledged) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let numbers = (sent.clone(), acknowledged.clone());
        let task = tokio::spawn(async move {
            for number in 1.. {
                numbers.0.store(number, Ordering::SeqCst);
                let text = configuration(number);
                let request = ImportConfigurationRequest { text };
                match client.import_configuration(request).await {
                    Ok(_) => numbers.1.store(number, Ordering::SeqCst),
                    Err(_) => sleep(PAUSE).await,
                }
            }
        });
        Self {
            sent,
            acknowledged,
            status: AtomicU64::new(0),
            task: task.abort_handle(),
        }
    }

    /// The last number that was acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until so many more were acknowledged that are sent from now on.
    pub async fn goes_on(&self, them: &mut Coordinators, more: u64) {
        let at = self.sent.load(Ordering::SeqCst);
        them.until("new configurations to be acknowledged", async |_| {
            (self.acknowledged() >= at + more).then_some(())
        })
        .await;
    }

    /// Fails unless the configuration that is there is the last one acknowledged, or sent since, and
    /// the status no older than it was.
    pub async fn nothing_is_lost(&self, them: &mut Coordinators) {
        let acknowledged = self.acknowledged();
        let client = them.client();
        let exported = them
            .until("an export", async |_| client.export().await.ok())
            .await;
        let sent = self.sent.load(Ordering::SeqCst);
        let found = number(&exported.configuration_text);
        assert!(
            (acknowledged..=sent).contains(&found),
            "{acknowledged} was acknowledged, {sent} was sent last, and {found} is there"
        );
        let status = exported.status.and_then(|status| status.version);
        let status = status.map_or(0, |it| it.version);
        let before = self.status.fetch_max(status, Ordering::SeqCst);
        assert!(before <= status, "the status was {before}, and is {status}");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn configuration(number: u64) -> String {
    format!(
        "# {number}\nnamespaces:\n- name: default\n  initialShardCount: 1\n  replicationFactor: 1\n\
         servers:\n- public: 127.0.0.1:1\n  internal: 127.0.0.1:2\n"
    )
}

/// The number of the configuration that is there.
fn number(text: &str) -> u64 {
    let first = text.lines().next().and_then(|it| it.strip_prefix("# "));
    first.and_then(|it| it.parse().ok()).unwrap_or_default()
}
