//! Sets of shard ids, as few words.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Shard ids, as ranges with both ends in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids(Vec<(i64, i64)>);

impl Ids {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, id: i64) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&id))
    }

    /// Those that are not present. However many ids a range has, it takes no longer than there are present.
    pub(crate) fn without(&self, present: &BTreeSet<i64>) -> Self {
        let mut left = Vec::new();
        for (first, last) in self.0.iter().filter(|(first, last)| first <= last) {
            let mut next = Some(*first);
            for id in present.range(*first..=*last) {
                left.extend(
                    next.zip(id.checked_sub(1))
                        .filter(|(next, end)| next <= end),
                );
                next = id.checked_add(1);
            }
            left.extend(
                next.map(|next| (next, *last))
                    .filter(|(next, end)| next <= end),
            );
        }
        Self(left)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// From ids in order.
impl FromIterator<i64> for Ids {
    fn from_iter<T: IntoIterator<Item = i64>>(ids: T) -> Self {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for id in ids {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
                Some(_) | None => ranges.push((id, id)),
            }
        }
        Self(ranges)
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_as_ranges_and_come_out_as_they_went_in() {
        for (ids, shown) in [
            (&[][..], ""),
            (&[4], "4"),
            (&[0, 1, 2, 3, 7, 9, 10], "0-3,7,9-10"),
            (
                &[i64::MAX - 1, i64::MAX],
                "9223372036854775806-9223372036854775807",
            ),
        ] {
            let set: Ids = ids.iter().copied().collect();
            assert_eq!(set.to_string(), shown);
            assert_eq!(set.iter().collect::<Vec<_>>(), ids);
            assert_eq!(set.is_empty(), ids.is_empty());
            assert!(ids.iter().all(|id| set.contains(*id)) && !set.contains(5));
        }
    }

    #[test]
    fn a_range_of_more_ids_than_can_be_counted_is_compared_at_once() {
        let all = Ids(vec![(i64::MIN, i64::MAX), (7, 3), (4, 4)]);
        let present = BTreeSet::from([i64::MIN, 3, 4, i64::MAX]);
        let left = all.without(&present).to_string();
        let expected = format!("{}-2,5-{}", i64::MIN + 1, i64::MAX - 1);
        assert_eq!(left, expected);
        let few: Ids = (0..5).collect();
        assert_eq!(few.without(&[1, 3].into()).to_string(), "0,2,4");
        assert!(few.without(&(0..9).collect()).is_empty());
    }
}
