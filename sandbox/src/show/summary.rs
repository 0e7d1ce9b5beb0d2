//! How a run went.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::workload::{Entries, Gap};

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How long it ran.
    pub(super) ran: Duration,
    /// Conflicts that coordinators met in office.
    pub(super) conflicts: u64,
    /// How often a coordinator left office by stepping down.
    pub(super) step_downs: u64,
    /// How often a coordinator took office.
    pub(super) offices: u64,
    /// Elections of shards: the first of each, and those after it.
    pub(super) elections: Elections,
    /// The longest time that a shard acknowledged nothing, and which one.
    pub(super) longest_gap: Option<Gap>,
    /// What became of the entries written.
    pub(super) entries: Entries,
    /// Processes killed by the sandbox.
    pub(super) killed: u32,
    /// Processes that ended though nobody asked them to: name, status and log.
    pub(super) unasked: Vec<String>,
    /// Why the run ended early.
    pub(super) failure: Option<String>,
    /// Where the files are, if they are kept.
    pub(super) kept: Option<PathBuf>,
}

/// Elections of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Elections {
    /// The first of each shard.
    pub(super) first: u64,
    /// All others.
    pub(super) later: u64,
}

impl Summary {
    /// Whether nothing was lost, nothing crashed, and all went on in time.
    pub fn is_good(&self) -> bool {
        self.failure.is_none()
            && self.unasked.is_empty()
            && self.entries.verified == self.entries.acknowledged
            && self.entries.lost == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entries {
            acknowledged,
            verified,
            lost,
        } = self.entries;
        writeln!(f, "Summary of {:.1} s", self.ran.as_secs_f64())?;
        writeln!(f, "  conflicts             {}", self.conflicts)?;
        writeln!(f, "  step-downs            {}", self.step_downs)?;
        writeln!(f, "  terms of office       {}", self.offices)?;
        let Elections { first, later } = self.elections;
        writeln!(
            f,
            "  elections             {first} when the shards were made, {later} later"
        )?;
        match &self.longest_gap {
            Some(Gap { shard, time }) => {
                let seconds = time.as_secs_f64();
                writeln!(f, "  longest without lead  {seconds:.3} s (shard {shard})")?;
            }
            None => writeln!(f, "  longest without lead  unknown: no shard took a write")?,
        }
        write!(
            f,
            "  entries               {acknowledged} acknowledged, {verified} verified, {lost} lost"
        )?;
        match self.entries.unread() {
            0 => writeln!(f)?,
            unread => writeln!(f, ", {unread} not read back")?,
        }
        let unasked = self.unasked.len();
        writeln!(
            f,
            "  processes             {} killed by us, {unasked} ended unasked",
            self.killed
        )?;
        for ended in &self.unasked {
            writeln!(f, "    {ended}")?;
        }
        if let Some(failure) = &self.failure {
            writeln!(f, "  failure               {failure}")?;
        }
        if let Some(kept) = &self.kept {
            writeln!(f, "  files                 {}", kept.display())?;
        }
        writeln!(
            f,
            "{}",
            if self.is_good() {
                "All is well."
            } else {
                "Not all is well."
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Summary {
        Summary {
            ran: Duration::from_millis(12_340),
            conflicts: 1,
            step_downs: 1,
            offices: 3,
            elections: Elections { first: 4, later: 2 },
            longest_gap: Some(Gap {
                shard: "default/3".to_owned(),
                time: Duration::from_millis(215),
            }),
            entries: Entries {
                acknowledged: 70,
                verified: 70,
                lost: 0,
            },
            killed: 2,
            ..Summary::default()
        }
    }

    #[test]
    fn a_good_run_reads_well() {
        let summary = good();
        assert!(summary.is_good());
        assert_eq!(
            summary.to_string(),
            "Summary of 12.3 s
  conflicts             1
  step-downs            1
  terms of office       3
  elections             4 when the shards were made, 2 later
  longest without lead  0.215 s (shard default/3)
  entries               70 acknowledged, 70 verified, 0 lost
  processes             2 killed by us, 0 ended unasked
All is well.
"
        );
    }

    #[test]
    fn each_thing_that_must_not_be_is_told_and_makes_the_run_bad() {
        let lost = Entries {
            acknowledged: 70,
            verified: 67,
            lost: 2,
        };
        for (bad, told) in [
            (
                Summary {
                    entries: lost,
                    ..good()
                },
                "70 acknowledged, 67 verified, 2 lost, 1 not read back",
            ),
            (
                Summary {
                    failure: Some("waited 120 s for a leader".to_owned()),
                    ..good()
                },
                "waited 120 s for a leader",
            ),
            (
                Summary {
                    unasked: vec!["server-1 (exit status: 101)".to_owned()],
                    ..good()
                },
                "1 ended unasked\n    server-1 (exit status: 101)\n",
            ),
        ] {
            assert!(!bad.is_good());
            let text = bad.to_string();
            assert!(text.contains(told), "{text}");
            assert!(text.ends_with("Not all is well.\n"), "{text}");
        }
    }
}
