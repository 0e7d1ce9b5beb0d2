//! How a data server is named and reached.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::yaml::{Cursor, DecodeError, Emitter, Strings};
use crate::id::ServerId;

/// A data server's name and its two addresses, as written in either document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DataServerIdentity {
    /// Its name, if it has one; an empty name counts as none.
    pub name: Option<Arc<str>>,
    /// The address clients use, `host:port`, verbatim.
    pub public: Arc<str>,
    /// The address the coordinator and other data servers use, `host:port`, verbatim.
    pub internal: Arc<str>,
}

impl DataServerIdentity {
    /// The server's id: its name, or its internal address where it has none.
    #[must_use]
    pub fn id(&self) -> ServerId {
        match &self.name {
            Some(name) if !name.is_empty() => ServerId(name.clone()),
            _ => ServerId(self.internal.clone()),
        }
    }

    /// The same server with its id for a name, as it is kept in ensembles.
    #[must_use]
    pub fn named(&self) -> Self {
        Self {
            name: Some(self.id().0),
            ..self.clone()
        }
    }

    /// Whether this is the same data server as `other`: by its id, or under another one at the same internal
    /// address, where the same replicas are.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.id() == other.id() || self.internal == other.internal
    }

    /// Whether both addresses are the same as `other`'s.
    #[must_use]
    pub fn same_addresses(&self, other: &Self) -> bool {
        self.public == other.public && self.internal == other.internal
    }
}

impl DataServerIdentity {
    pub(super) fn read(at: Cursor<'_>, strings: &mut Strings) -> Result<Self, DecodeError> {
        let mut name = None;
        let mut public = None;
        let mut internal = None;
        for (field, at) in at.fields()? {
            match field {
                "name" => name = Some(strings.share(at.text()?)),
                "public" => public = Some(strings.share(at.text()?)),
                "internal" => internal = Some(strings.share(at.text()?)),
                _ => {}
            }
        }
        let mut or_empty = |text: Option<Arc<str>>| text.unwrap_or_else(|| strings.share(""));
        Ok(Self {
            name,
            public: or_empty(public),
            internal: or_empty(internal),
        })
    }

    pub(super) fn write(&self, yaml: &mut Emitter) {
        if let Some(name) = &self.name {
            yaml.text("name", name);
        }
        yaml.text("public", &self.public);
        yaml.text("internal", &self.internal);
    }
}
