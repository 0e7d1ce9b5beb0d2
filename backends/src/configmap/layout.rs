//! The two ways to write the status document.

/// The key of the text.
pub(crate) const PLAIN: &str = "status";
/// The key of the compressed text, which Oxia does not know.
pub(crate) const COMPRESSED: &str = "status.gz";

/// How the status document is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// As text, which upstream's coordinator reads, too.
    #[default]
    Plain,
    /// Compressed, for some twenty times as many shards. Upstream's coordinator can't read it.
    Compressed,
}

impl Layout {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compressed => "gzip",
        }
    }

    /// What to do where there is no more room.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Plain => "store it compressed, or use fewer shards",
            Self::Compressed => "use fewer shards",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Plain, Self::Compressed]
            .into_iter()
            .find(|layout| layout.name() == name)
    }
}
