//! What a document can grow to without anybody asking for it.
//!
//! A namespace is created without leaders, and a led shard takes up more room than one that is not.
//! A document that fits only as long as its shards are not led would end all fail-over: no term and
//! no leader of any shard could be stored any more. So whoever stores a namespace for the first time
//! says so ([`StatusDocument::admits`]), and a store that has a limit looks whether what the document
//! grows to fits as well. It is the store that looks, since it alone knows its limit, what else is
//! kept there, and what a document takes up as it writes it (compressed, say). Documents without new
//! namespaces are stored as long as they fit: they are what the room was kept for.
//!
//! [`StatusDocument::admits`]: crate::store::StatusDocument::admits

use std::sync::Arc;

use super::beginnings::{self, Beginning, Beginnings};
use super::document::{ClusterStatus, ShardMetadata, ShardStatus};
use super::size::of_server;
use crate::call::EntryId;
use crate::id::Term;

/// As wide as a term gets.
const TERM: Term = Term(9_999_999_999);
/// So many shards have a server swapped at the same time.
const SWAPS: usize = 64;

impl ClusterStatus {
    /// The document at its largest: every shard is led, in a term of ten digits, after several others,
    /// and some have a server swapped out whose data is still to be deleted. Only its size means
    /// anything.
    #[must_use]
    pub fn grown(&self) -> Self {
        let mut grown = self.clone();
        let shards = grown.shards_mut();
        let kept = shards.filter(|shard| shard.status != ShardStatus::Deleting);
        for (index, shard) in kept.enumerate() {
            let shard = Arc::make_mut(shard);
            shard.beginnings = beginnings(index);
            grow(shard, index < SWAPS);
        }
        grown
    }
}

fn grow(shard: &mut ShardMetadata, swapped: bool) {
    shard.term = shard.term.max(TERM);
    let members = shard.leader.iter().chain(&shard.ensemble);
    let Some(largest) = members.max_by_key(|server| of_server(server)) else {
        return;
    };
    let largest = largest.named();
    if swapped {
        for servers in [
            &mut shard.removed_nodes,
            &mut shard.pending_delete_shard_nodes,
        ] {
            if servers.is_empty() {
                servers.push(largest.clone());
            }
        }
    }
    shard.leader = Some(largest);
}

/// As many as are kept, others for every shard: none that a store could compress to little.
fn beginnings(shard: usize) -> Beginnings {
    let mut mixed = u64::try_from(shard).unwrap_or(0).wrapping_add(1);
    let mut next = |most: u64| {
        // The step of Knuth's MMIX; its high bits are as good as any here.
        mixed = mixed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((mixed >> 33) % most).unwrap_or(0)
    };
    let mut term: i64 = 1_000;
    let all = std::iter::repeat_with(|| {
        let head = Some(EntryId {
            term: Term(term),
            offset: next(1_000_000),
        });
        let first = term.saturating_add(1).saturating_add(next(9));
        let last = first.saturating_add(next(9));
        term = last;
        let (first, last) = (Term(first), Term(last));
        Beginning { first, last, head }
    });
    Beginnings::of_last(all.take(beginnings::MOST / 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    const DOCUMENT: &str = "
namespaces:
  some:
    shards:
      0: {status: 2, term: 0, ensemble: [{public: a, internal: a}, {name: longest, public: b, internal: b}]}
      1: {status: 1, term: 99999999999, leader: {internal: c}, ensemble: [{internal: c}], removedNodes: [{internal: d}]}
      2: {status: 3}
";

    #[test]
    fn every_shard_that_stays_is_led_by_the_largest_of_its_members_in_a_wide_term() {
        let status = ClusterStatus::decode(DOCUMENT).unwrap();
        let grown = status.grown();
        let shards: Vec<_> = grown.shards().map(|(_, _, shard)| shard).collect();
        let leader = |index: usize| {
            shards[index]
                .leader
                .as_ref()
                .map(|it| it.id().0.to_string())
        };
        assert_eq!(leader(0).as_deref(), Some("longest"));
        assert_eq!(leader(1).as_deref(), Some("c"));
        assert_eq!(leader(2), None);
        assert_eq!(
            (shards[0].term, shards[1].term),
            (TERM, Term(99_999_999_999))
        );
        let swapped = |index: usize| {
            let shard = &shards[index];
            (
                shard.removed_nodes.len(),
                shard.pending_delete_shard_nodes.len(),
            )
        };
        assert_eq!(
            (swapped(0), swapped(1), swapped(2)),
            ((1, 1), (1, 1), (0, 0))
        );
        assert!(grown.encode().len() > status.encode().len());
        let beginnings = shards[0].beginnings.to_string();
        assert!(beginnings.len() > beginnings::MOST - 24, "{beginnings}");
        assert_ne!(beginnings, shards[1].beginnings.to_string());
        assert!(shards[2].beginnings.is_empty());
    }

    #[test]
    fn few_servers_are_swapped_at_a_time() {
        let mut status = ClusterStatus::decode(DOCUMENT).unwrap();
        let namespace = status.namespaces.get_mut("some").unwrap();
        let shard = namespace.shards.values().next().unwrap().clone();
        namespace.shards = (0..100)
            .map(|id| (crate::ShardId(id), shard.clone()))
            .collect();
        let grown = status.grown();
        let swapped = grown
            .shards()
            .filter(|(_, _, it)| !it.removed_nodes.is_empty());
        assert_eq!(swapped.count(), SWAPS);
        assert!(grown.shards().all(|(_, _, shard)| shard.leader.is_some()));
    }
}
