//! A coordinator of either kind.

use stepdown_sandbox::cluster::{CoordinatorProcess, Process, leads};

use super::OxiaCoordinator;

/// A coordinator of either kind.
#[derive(Debug)]
pub enum Member {
    /// Upstream's.
    Oxia(OxiaCoordinator),
    /// Ours.
    Stepdown(CoordinatorProcess),
}

impl Member {
    pub(super) fn process(&self) -> &Process {
        match self {
            Self::Oxia(it) => it.process(),
            Self::Stepdown(it) => it.process(),
        }
    }

    pub(super) fn process_mut(&mut self) -> &mut Process {
        match self {
            Self::Oxia(it) => it.process_mut(),
            Self::Stepdown(it) => it.process_mut(),
        }
    }

    /// Whether it says that it leads.
    pub(super) async fn leads(&self) -> bool {
        match self {
            Self::Oxia(it) => it.leads().await,
            Self::Stepdown(it) => it.scrape().await.is_ok_and(|it| leads(&it)),
        }
    }

    /// Whether it has read the documents, and waits to be elected.
    pub(super) async fn stands_by(&self) -> bool {
        match self {
            // It listens there once it has read them.
            Self::Oxia(it) => tokio::net::TcpStream::connect(it.public()).await.is_ok(),
            Self::Stepdown(it) => it
                .scrape()
                .await
                .is_ok_and(|it| it.sum("stepdown_role", &[("role", "candidate")]) > 0.0),
        }
    }
}
