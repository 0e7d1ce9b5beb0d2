//! How much a request may bring into a document that everybody has to read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::EditError;
use crate::cluster::ClusterConfiguration;

/// The longest name or label, in bytes.
const NAME: usize = 128;
/// The longest address, in bytes: the longest name of a host, a colon, and a port.
const ADDRESS: usize = 261;
/// The most labels of one data server.
const LABELS: usize = 32;
/// The most data servers.
const SERVERS: usize = 4_096;
/// The most namespaces.
const NAMESPACES: usize = 4_096;

pub(super) fn check_name(field: &str, text: &str) -> Result<(), EditError> {
    check_text(field, text, NAME)
}

pub(super) fn check_address(field: &str, text: &str) -> Result<(), EditError> {
    check_text(field, text, ADDRESS)
}

pub(super) fn check_labels(labels: &BTreeMap<Arc<str>, Arc<str>>) -> Result<(), EditError> {
    if labels.len() > LABELS {
        let count = labels.len();
        return Err(EditError::Invalid(format!(
            "metadata.labels: are {count}, more than the {LABELS} that a data server may have"
        )));
    }
    for (label, text) in labels {
        if label.trim().is_empty() {
            return Err(EditError::Invalid(
                "metadata.labels: has a label without a name".to_owned(),
            ));
        }
        check_name("metadata.labels: a label's name", label)?;
        check_name("metadata.labels: a label's text", text)?;
    }
    Ok(())
}

pub(super) fn check_room_for_server(count: usize) -> Result<(), String> {
    check_count("data servers", count, SERVERS)
}

pub(super) fn check_room_for_namespace(count: usize) -> Result<(), String> {
    check_count("namespaces", count, NAMESPACES)
}

impl ClusterConfiguration {
    /// Looks whether there are no more data servers and namespaces than requests may bring into a document.
    ///
    /// # Errors
    ///
    /// [`EditError::Invalid`] where there are more.
    pub fn check_counts(&self) -> Result<(), EditError> {
        check_count(
            "data servers",
            self.servers.len().saturating_sub(1),
            SERVERS,
        )
        .and_then(|()| {
            check_count(
                "namespaces",
                self.namespaces.len().saturating_sub(1),
                NAMESPACES,
            )
        })
        .map_err(EditError::Invalid)
    }
}

fn check_count(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count < most {
        return Ok(());
    }
    Err(format!(
        "there are {count} {what}, and more than {most} are not taken"
    ))
}

fn check_text(field: &str, text: &str, most: usize) -> Result<(), EditError> {
    if text.len() > most {
        let bytes = text.len();
        return Err(EditError::Invalid(format!(
            "{field} is {bytes} bytes long, and may have {most}"
        )));
    }
    if text.contains(char::is_control) {
        return Err(EditError::Invalid(format!(
            "{field} {text:?} contains a control character"
        )));
    }
    Ok(())
}
