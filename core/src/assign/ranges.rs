//! The hash ranges of a new namespace's shards.

use crate::cluster::{HashRange, MAX_SHARDS};

/// The ranges of `shards` shards, in order: together they are every hash, once. None for 0 or for
/// more than [`MAX_SHARDS`]. Oxia's formula, which clients and tests of its rely on.
pub(crate) fn hash_ranges(shards: u32) -> Option<Vec<HashRange>> {
    if !(1..=MAX_SHARDS).contains(&shards) {
        return None;
    }
    // At most 2^32, and `shards - 1` of it at most 2^32 - 1: nothing below is cut off.
    let size = u64::from(u32::MAX / shards) + 1;
    let bound = |index: u32| u32::try_from(u64::from(index) * size).unwrap_or(u32::MAX);
    let ranges = (0..shards).map(|index| HashRange {
        min: bound(index),
        max: if index + 1 == shards {
            u32::MAX
        } else {
            bound(index + 1) - 1
        },
    });
    Some(ranges.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_partition(shards: u32) {
        let ranges = hash_ranges(shards).unwrap();
        assert_eq!(ranges.len(), shards as usize);
        let mut next = 0_u64;
        for range in ranges {
            assert_eq!(u64::from(range.min), next, "{shards} shards");
            assert!(range.max >= range.min, "{shards} shards");
            next = u64::from(range.max) + 1;
        }
        assert_eq!(next, 1 << 32, "{shards} shards");
    }

    #[test]
    fn three_shards_have_the_ranges_that_oxia_gives_them() {
        let range = |min, max| HashRange { min, max };
        assert_eq!(
            hash_ranges(3).unwrap(),
            [
                range(0, 1_431_655_765),
                range(1_431_655_766, 2_863_311_531),
                range(2_863_311_532, u32::MAX),
            ]
        );
        assert_eq!(hash_ranges(1).unwrap(), [range(0, u32::MAX)]);
    }

    #[test]
    fn no_shards_and_too_many_are_refused() {
        assert_eq!(hash_ranges(0), None);
        assert_eq!(hash_ranges(MAX_SHARDS + 1), None);
        assert_eq!(hash_ranges(u32::MAX), None);
    }

    #[test]
    fn the_most_and_the_fewest_shards_partition_the_hashes() {
        for shards in (1..=300).chain(MAX_SHARDS - 3..=MAX_SHARDS) {
            assert_partition(shards);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_number_of_shards_partitions_the_hashes(shards in 1..=MAX_SHARDS) {
            assert_partition(shards);
        }
    }
}
