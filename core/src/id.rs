//! Identifiers, clocks and counters that every event and effect is named by.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds of a boot-time clock, one that goes on while the machine is suspended.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This instant plus `delay`, saturating at the end of time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// How long after `earlier` this is; zero when it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The next value of the counter, saturating.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counter!(
    /// From the start of one campaign until Candidate is entered again, counted per process.
    /// Every event and effect of that time carries it.
    Tenure,
    u64
);
counter!(
    /// Raised inside the status document by every fencing write; it never goes back.
    Epoch,
    u64
);
counter!(
    /// Names one request of this process; never reused.
    RequestId,
    u64
);
counter!(
    /// A shard's number, unique in the cluster and never used twice.
    ShardId,
    i64
);
counter!(
    /// A shard's election term; -1 before its first election.
    Term,
    i64
);

impl Term {
    /// The term of a shard that has never been elected.
    pub const NEVER: Self = Self(-1);
}

/// A coordinator process, unique to one start of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ProcessId(pub u128);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Names one write of the status document: `<epoch>.<request>.<process>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteId {
    /// The writer's epoch.
    pub epoch: Epoch,
    /// The request that wrote.
    pub request: RequestId,
    /// The process that wrote.
    pub process: ProcessId,
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.epoch, self.request, self.process)
    }
}

/// A text that is no write id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a write id of the form <epoch>.<request>.<process>")]
pub struct ParseWriteIdError(String);

impl std::str::FromStr for WriteId {
    type Err = ParseWriteIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let write_id = Self {
                epoch: Epoch(parts.next()?.parse().ok()?),
                request: RequestId(parts.next()?.parse().ok()?),
                process: ProcessId(u128::from_str_radix(parts.next()?, 16).ok()?),
            };
            parts.next().is_none().then_some(write_id)
        };
        parse().ok_or_else(|| ParseWriteIdError(text.to_owned()))
    }
}

/// A document's version as its store names it. Only equality means anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub Arc<str>);

impl Version {
    /// A version from the store's own text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A data server's id: its name, or its internal address where it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub Arc<str>);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_id_survives_its_text_form() {
        let id = WriteId {
            epoch: Epoch(7),
            request: RequestId(9),
            process: ProcessId(0xabc),
        };
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_text_with_too_many_or_too_few_parts_is_no_write_id() {
        for text in ["", "1", "1.2", "1.2.xyz", "1.2.3.4", "-1.2.3"] {
            assert!(text.parse::<WriteId>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(
            Timestamp(u64::MAX).after(Duration::from_secs(1)),
            Timestamp(u64::MAX)
        );
        assert_eq!(Timestamp(1).since(Timestamp(5)), Duration::ZERO);
    }
}
