//! What an answer can't say. A server that says it all the same is mistaken, or is not the one that it is
//! taken for: nobody follows from such an answer who leads, or what is committed.

use stepdown_core::Term;
use stepdown_core::call::{CallError, EntryId, ReplicaStatus};

use super::failure::implausible;

/// No log and no term comes near: with a million entries a second it takes 36,000 years.
const MOST: i64 = 1 << 60;

/// The end of the log of a replica that was just put into the term `asked`.
pub(super) fn head(call: &str, asked: Term, head: EntryId) -> Result<EntryId, CallError> {
    let is_entry = (0..=asked.0).contains(&head.term.0) && (0..=MOST).contains(&head.offset);
    if is_entry || head == EntryId::NONE {
        return Ok(head);
    }
    let EntryId { term, offset } = head;
    Err(implausible(format!(
        "{call}: a log in term {asked} can't end with offset {offset} of term {term}"
    )))
}

/// A replica's view of itself.
pub(super) fn status(status: ReplicaStatus) -> Result<ReplicaStatus, CallError> {
    let ReplicaStatus {
        term,
        head_offset,
        commit_offset,
        ..
    } = status;
    let is_offset = |offset| (-1..=MOST).contains(&offset);
    if term >= Term::NEVER && is_offset(head_offset) && is_offset(commit_offset) {
        return Ok(status);
    }
    Err(implausible(format!(
        "GetStatus: no replica is in term {term} with offsets up to {head_offset}, committed up to {commit_offset}"
    )))
}

#[cfg(test)]
mod tests {
    use stepdown_core::call::ReplicaRole;

    use super::*;

    #[test]
    fn a_log_ends_with_an_entry_of_the_asked_term_at_most_or_is_empty() {
        for (asked, term, offset, can_be) in [
            (4, 3, 14, true),
            (4, 4, 0, true),
            (4, 0, 0, true),
            (4, -1, -1, true),
            (-1, -1, -1, true),
            (4, 5, 14, false),
            (4, 3, -1, false),
            (4, -1, 3, false),
            (4, 3, -2, false),
            (4, -2, -2, false),
            (-1, 0, 0, false),
            (4, i64::MAX, i64::MAX, false),
            (4, 3, i64::MAX, false),
            (4, i64::MIN, i64::MIN, false),
        ] {
            let end = EntryId {
                term: Term(term),
                offset,
            };
            let seen = head("NewTerm", Term(asked), end);
            assert_eq!(seen.is_ok(), can_be, "{asked}: {end:?}");
        }
    }

    #[test]
    fn a_replica_has_no_offsets_below_none_or_beyond_all_counting() {
        for (term, head_offset, commit_offset, can_be) in [
            (-1, -1, -1, true),
            (5, 7, 6, true),
            // After a snapshot.
            (5, -1, 6, true),
            (-2, -1, -1, false),
            (5, -2, -1, false),
            (5, 7, -2, false),
            (5, i64::MAX, 6, false),
            (5, i64::MAX, i64::MAX, false),
            (5, i64::MIN, i64::MIN, false),
        ] {
            let seen = status(ReplicaStatus {
                term: Term(term),
                role: ReplicaRole::Leader,
                head_offset,
                commit_offset,
            });
            assert_eq!(seen.is_ok(), can_be, "{term} {head_offset} {commit_offset}");
        }
    }
}
