//! The whole of the lock file, as it was read.

use super::notes::{self, Notes};
use super::sidecar::Sidecar;

/// What the lock file remembers.
#[derive(Clone, Debug)]
pub(crate) struct LockFile {
    pub(crate) sidecar: Sidecar,
    /// For whoever asks: they are long where there are many namespaces.
    bytes: Vec<u8>,
}

impl LockFile {
    pub(crate) fn parse(bytes: Vec<u8>) -> Self {
        let records = bytes.get(..notes::AT).unwrap_or(&bytes);
        Self {
            sidecar: Sidecar::parse(records),
            bytes,
        }
    }

    pub(crate) fn notes(&self) -> Notes {
        Notes::parse(&self.bytes)
    }
}

#[cfg(test)]
impl From<Sidecar> for LockFile {
    fn from(sidecar: Sidecar) -> Self {
        let bytes = Vec::new();
        Self { sidecar, bytes }
    }
}
