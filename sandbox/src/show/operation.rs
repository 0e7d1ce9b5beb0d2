//! What an operator does to a cluster: servers and namespaces that come and go.

use std::fmt;

/// One thing that an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Start one more data server, and list it.
    AddDataServer,
    /// List a data server no more, and end it once nothing is on it.
    DrainDataServer,
    /// Make a second namespace.
    AddNamespace,
    /// Delete it.
    DeleteNamespace,
}

impl Operation {
    const ALL: [Self; 4] = [
        Self::AddDataServer,
        Self::DrainDataServer,
        Self::AddNamespace,
        Self::DeleteNamespace,
    ];

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::AddDataServer => "add-data-server",
            Self::DrainDataServer => "drain-data-server",
            Self::AddNamespace => "add-namespace",
            Self::DeleteNamespace => "delete-namespace",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
