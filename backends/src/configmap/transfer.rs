//! Asking the leader to hand over to another coordinator, by an annotation on the Lease.

use std::time::Duration;

use stepdown_core::lease::LeaseRecord;
use tokio::time::{Instant, sleep};

use super::clients::Clients;
use super::error::ConfigMapError;
use super::lease::{LeaseClient, TRANSFER_REQUESTED, decode};
use super::object_name::ObjectName;
use super::request::Failure;

const LOOK: Duration = Duration::from_millis(200);
/// The Lease is renewed every few seconds, so a write of it may come second a few times.
const TRIES: u32 = 20;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name, which is that of the status ConfigMap.
    pub name: String,
    /// The name of the coordinator that is to lead.
    pub to: String,
    /// How long to wait for it to lead.
    pub patience: Duration,
}

/// What has come of it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferStep {
    /// The leader was asked.
    Asked {
        /// Its name.
        leader: String,
    },
    /// The leader has given the Lease back, for the other to take.
    GivenBack,
    /// The other leads.
    Done,
    /// It has led all along.
    LedAlready,
}

/// Why another coordinator does not lead now.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The API server can't be asked.
    #[error(transparent)]
    Open(#[from] ConfigMapError),
    /// The Lease can't be read or written.
    #[error("Lease {lease}: {reason}")]
    Lease {
        /// Which.
        lease: String,
        /// Why, in the API server's words.
        reason: String,
    },
    /// There is nobody to hand over.
    #[error("Lease {lease} is held by nobody, so nobody can hand over; is a coordinator running?")]
    NobodyLeads {
        /// Which.
        lease: String,
    },
    /// The leader is another program.
    #[error(
        "{leader} leads, but it is no Stepdown coordinator and can't be asked to hand over; end it, and another will lead"
    )]
    Foreign {
        /// Its name.
        leader: String,
    },
    /// Others are quicker all the time.
    #[error("Lease {lease} is being written too often; try again")]
    Busy {
        /// Which.
        lease: String,
    },
    /// Another one leads now.
    #[error("{to} does not lead after {} s: {holder} does; is {to} running, and is that its name in the Lease?", .patience.as_secs())]
    NotTaken {
        /// Who was to lead.
        to: String,
        /// Who does.
        holder: String,
        /// How long it was waited for.
        patience: Duration,
    },
}

/// Asks the leader, and waits until the other leads. `tell` hears of every step.
pub async fn transfer(
    transfer: &Transfer,
    mut tell: impl FnMut(TransferStep),
) -> Result<(), TransferError> {
    let place = ObjectName {
        namespace: transfer.namespace.clone(),
        name: transfer.name.clone(),
    };
    let client = LeaseClient::new(Clients::infer().await?.lease, place.clone());
    let lease = place.to_string();
    let failed = |failure: Failure| TransferError::Lease {
        lease: lease.clone(),
        reason: failure.to_string(),
    };
    let Some(leader) = ask(&client, transfer, &lease).await? else {
        tell(TransferStep::LedAlready);
        return Ok(());
    };
    tell(TransferStep::Asked {
        leader: leader.to_string(),
    });
    let until = Instant::now() + transfer.patience;
    let mut was_told = false;
    loop {
        sleep(LOOK).await;
        let holder = match client.get().await {
            Ok(object) => object.map_or_else(String::new, |object| {
                decode(&object).record.holder.to_string()
            }),
            // The request is placed; whoever leads does not hang on this connection.
            Err(failure) if Instant::now() >= until => return Err(failed(failure)),
            Err(_) => continue,
        };
        if holder == transfer.to {
            tell(TransferStep::Done);
            return Ok(());
        }
        if holder.is_empty() && !was_told {
            was_told = true;
            tell(TransferStep::GivenBack);
        }
        if Instant::now() >= until {
            return Err(TransferError::NotTaken {
                to: transfer.to.clone(),
                holder: if holder.is_empty() {
                    "nobody".to_owned()
                } else {
                    holder
                },
                patience: transfer.patience,
            });
        }
    }
}

/// Puts the request into the Lease; returns whom it was put to, or nothing if it is led already.
async fn ask(
    client: &LeaseClient,
    transfer: &Transfer,
    lease: &str,
) -> Result<Option<String>, TransferError> {
    let failed = |failure: Failure| TransferError::Lease {
        lease: lease.to_owned(),
        reason: failure.to_string(),
    };
    let nobody = || TransferError::NobodyLeads {
        lease: lease.to_owned(),
    };
    for _ in 0..TRIES {
        let mut object = client.get().await.map_err(failed)?.ok_or_else(nobody)?;
        let LeaseRecord {
            holder, process, ..
        } = decode(&object).record;
        if holder.is_empty() {
            return Err(nobody());
        }
        if *holder == *transfer.to {
            return Ok(None);
        }
        if process.is_none() {
            let leader = holder.to_string();
            return Err(TransferError::Foreign { leader });
        }
        let annotations = object.metadata.annotations.get_or_insert_default();
        annotations.insert(TRANSFER_REQUESTED.to_owned(), transfer.to.clone());
        match client.put(&object).await {
            Ok(_) => return Ok(Some(holder.to_string())),
            // The leader has just renewed it.
            Err(Failure::Refused(refusal)) if refusal.code == 409 => {}
            Err(failure) => return Err(failed(failure)),
        }
    }
    Err(TransferError::Busy {
        lease: lease.to_owned(),
    })
}
