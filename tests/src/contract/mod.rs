//! What every backend must do: one suite, instantiated for each by [`contract!`](crate::contract).
//!
//! A case that a backend can't be put to is stated where the suite is instantiated, with the
//! reason; one that is neither stated nor applicable fails, and so does one that is stated and
//! applicable after all.

// A case fails by panicking, as tests do; its helpers live in a library, where that is refused.
#![allow(clippy::expect_used, clippy::panic)]
// The cases are public for the macro alone, and their names are sentences.
#![allow(missing_docs)]

pub mod administration;
pub mod ambiguity;
pub mod configmap;
pub mod configuration;
pub mod file;
pub mod foreign;
pub mod hints;
pub mod leadership;
pub mod memory;
pub mod raft;
pub mod store;
mod support;
pub mod takeover;
pub mod unreadable;

use std::time::Duration;

use async_trait::async_trait;
use stepdown_backends::Backend;
use stepdown_core::cluster::ClusterStatus;

/// How long a case may take before it counts as hung. Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// A backend under test, and what can be done to it from outside. What is not overridden can't be
/// done.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// What one more coordinator sees of it, as if in a process of its own.
    async fn coordinator(&self, name: &str) -> Backend;

    /// Writes the status document as a stranger does, who keeps no record of it.
    async fn overwrite(&self, status: ClusterStatus);

    /// Writes something in place of the status document that is none.
    async fn corrupt(&self) -> Outcome {
        Err(NotApplicable("its document can't be damaged"))
    }

    /// Deletes the status document.
    async fn delete(&self) -> Outcome {
        Err(NotApplicable("its document can't be deleted"))
    }

    /// Writes or deletes the configuration document, as a person does.
    async fn configure(&self, text: Option<&str>);

    /// Whether its "no" to a version is never definite.
    fn is_over_a_network(&self) -> bool {
        false
    }

    /// How many stores a case of many may make in all.
    fn many(&self) -> usize {
        1_000
    }

    /// Makes the next store go wrong.
    async fn fail_store(&self, _failure: Failure) -> Outcome {
        Err(NotApplicable("its stores can't be made to fail"))
    }

    /// Lets a store that is [late](Failure::Late) arrive, and waits until it has.
    async fn deliver_late(&self) -> Outcome {
        Err(NotApplicable("it has no late stores"))
    }

    /// Makes the next read fail.
    async fn fail_read(&self) -> Outcome {
        Err(NotApplicable("its reads can't be made to fail"))
    }

    /// Lets stores wait, before they do anything, until [`resume_stores`](Self::resume_stores).
    async fn hold_stores(&self) -> Outcome {
        Err(NotApplicable("its stores can't be held"))
    }

    /// Waits until a store is held.
    async fn store_held(&self) -> Outcome {
        Err(NotApplicable("its stores can't be held"))
    }

    /// Lets held stores go on.
    async fn resume_stores(&self) -> Outcome {
        Err(NotApplicable("its stores can't be held"))
    }

    /// Refuses every document from now on that is larger than an empty one.
    async fn limit_size(&self) -> Outcome {
        Err(NotApplicable("its documents may have any size"))
    }

    /// Takes leadership away from whoever has it.
    async fn take_away(&self) -> Outcome {
        Err(NotApplicable("its leadership can't be taken away"))
    }

    /// Ends a coordinator's process, without any notice to it.
    async fn kill(&self, coordinator: Backend);

    /// Fails unless a store needs leadership, besides the right version.
    fn stores_need_leadership(&self) -> Outcome {
        Err(NotApplicable("its stores are guarded by versions alone"))
    }

    /// Fails unless a coordinator that stands is told where people reach the one that leads.
    fn leader_has_an_address(&self) -> Outcome {
        Ok(())
    }

    /// Makes the status document zero bytes long.
    async fn empty(&self) -> Outcome {
        Err(NotApplicable("its documents have no bytes"))
    }

    /// Cuts the status document short, to so many thousandths of its length.
    async fn cut(&self, _thousandths: usize) -> Outcome {
        Err(NotApplicable("its documents have no bytes"))
    }

    /// Replaces a part of the status document's text by another, as a person does.
    async fn edit(&self, _from: &str, _to: &str) -> Outcome {
        Err(NotApplicable("its documents have no bytes"))
    }
}

/// How a case ends if it does not fail.
pub type Outcome = Result<(), NotApplicable>;

/// Why a case can't be put to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotApplicable(pub &'static str);

/// How a store is to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Applied, and the answer is lost.
    Applied,
    /// Refused as being in conflict, though nobody else has written.
    Conflict,
    /// Refused because what is stored can't be read.
    Corrupt,
    /// Refused for want of permission.
    Forbidden,
    /// Refused as malformed.
    Invalid,
    /// The answer is lost, and the store is still on its way.
    Late,
    /// Lost on the way, and so is the answer.
    Lost,
    /// Refused as too large.
    TooLarge,
    /// Refused for now.
    Unavailable,
}

/// Runs one case, within its limit, and holds what was stated of it against how it ended.
pub async fn run(case: &str, not_applicable: &[(&str, &str)], body: impl Future<Output = Outcome>) {
    let Ok(outcome) = tokio::time::timeout(LIMIT, body).await else {
        panic!("{case} hangs");
    };
    let stated = not_applicable.iter().any(|(name, _)| *name == case);
    match outcome {
        Ok(()) => assert!(!stated, "{case} is applicable, though stated not to be"),
        Err(NotApplicable(reason)) => {
            assert!(stated, "{case} is not applicable ({reason}): state it");
        }
    }
}

/// Instantiates the suite for a backend: one test for each case.
///
/// `contract!(name, cluster, not_applicable: { case: "reason", … });` where `cluster` makes a new
/// [`Cluster`](crate::contract::Cluster) for each case.
#[macro_export]
macro_rules! contract {
    ($backend:ident, $cluster:expr, not_applicable: { $($case:ident: $reason:literal),* $(,)? }) => {
        mod $backend {
            const NOT_APPLICABLE: &[(&str, &str)] = &[$((stringify!($case), $reason)),*];
            $crate::contract_cases!($cluster);
        }
    };
}

/// The table of cases, by what they are about.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($cluster:expr) => {
        $crate::contract_tests! {
            $cluster,
            store: [
                a_new_cluster_has_no_document,
                the_first_store_makes_the_document,
                a_store_is_found_whole,
                a_store_replaces_the_document_at_its_version,
                a_store_at_an_old_version_is_a_conflict,
                a_store_at_an_unknown_version_is_a_conflict,
                a_store_that_expects_no_document_is_a_conflict_where_there_is_one,
                a_store_that_expects_a_document_is_refused_where_there_is_none,
                a_refused_store_changes_nothing,
                no_version_comes_twice,
                reading_does_not_change_the_version,
                store_load_and_head_name_the_same_version,
                the_same_write_sent_twice_is_applied_once,
                eight_writers_lose_no_update,
                a_large_document_is_found_whole,
                a_document_that_is_too_large_is_refused_and_changes_nothing,
                readers_never_see_half_a_store,
                everybody_reads_what_the_leader_stored,
            ],
            ambiguity: [
                an_ambiguous_store_that_was_applied_is_known_by_its_head,
                an_ambiguous_store_that_was_lost_leaves_the_version_and_may_be_sent_again,
                an_ambiguous_store_may_be_followed_by_a_foreign_write,
                a_late_store_is_applied_where_nothing_came_between,
                a_late_store_is_refused_after_another_store,
                a_late_store_of_an_old_leader_is_refused_after_the_fencing_write,
                a_store_sent_again_and_the_late_first_one_are_applied_once,
                a_refusal_says_what_it_is_and_changes_nothing,
                a_failed_read_says_so_and_the_next_one_finds_the_document,
            ],
            foreign: [
                a_document_of_upstreams_is_found,
                a_document_of_upstreams_is_taken_over,
                a_foreign_write_is_found_and_is_not_intact,
                a_foreign_write_changes_the_version,
                a_foreign_write_makes_the_leaders_next_store_a_conflict,
                a_foreign_write_of_the_same_status_is_a_foreign_write,
                a_foreign_write_is_adopted_by_a_store_at_its_version,
                a_foreign_write_does_not_lower_the_epoch,
                foreign_writes_one_after_another_have_versions_of_their_own,
                an_edit_that_keeps_our_record_is_a_foreign_write,
            ],
            unreadable: [
                an_unreadable_document_is_never_taken_for_an_empty_cluster,
                an_unreadable_document_is_not_overwritten,
                an_unreadable_document_put_right_is_found,
                a_deleted_document_does_not_lower_the_epoch,
                a_deleted_document_is_not_stored_again_by_its_leader,
                an_empty_document_is_never_taken_for_an_empty_cluster,
                a_document_cut_short_is_never_taken_for_a_smaller_one,
            ],
            leadership: [
                a_lone_candidate_wins,
                one_of_eight_candidates_leads_at_a_time,
                a_released_leader_is_followed_by_another,
                a_leader_whose_future_is_dropped_leads_until_it_releases,
                a_candidate_whose_future_is_dropped_does_not_win,
                releasing_what_is_not_held_does_nothing,
                releasing_twice_does_nothing,
                a_former_leader_may_win_again,
                a_killed_leader_is_followed_by_another,
                a_leader_that_is_not_listened_to_leads_until_it_releases,
                leadership_taken_away_is_reported_and_ends_the_campaign,
                the_leader_is_known_by_name_or_not_at_all,
                whoever_stands_comes_to_know_where_people_reach_the_leader,
                release_waits_for_a_store_whose_future_was_dropped,
            ],
            takeover: [
                a_standby_that_read_early_reads_again_and_loses_nothing,
                a_standbys_store_at_an_old_version_is_a_conflict,
                a_standby_reads_while_another_leads,
                a_standbys_store_changes_nothing,
                an_old_leaders_store_is_refused_after_the_fencing_write,
                a_leader_that_lost_office_stores_no_more_after_the_fencing_write,
                the_epoch_is_found_by_the_next_leader,
                coordinators_that_take_turns_lose_no_update,
                a_new_process_finds_the_document_of_a_killed_one,
            ],
            hints: [
                a_foreign_write_is_hinted,
                a_foreign_write_is_hinted_again,
                every_coordinator_gets_the_hint,
            ],
            configuration: [
                an_absent_configuration_has_no_text,
                the_configuration_is_read_at_the_start,
                a_changed_configuration_is_read,
                the_last_of_many_changes_is_read,
                a_deleted_configuration_has_no_text_and_comes_back,
                every_coordinator_reads_the_configuration,
                the_configuration_is_not_interpreted,
            ],
            administration: [
                a_configuration_stored_at_its_version_is_read_by_every_coordinator,
                a_configuration_that_is_absent_can_be_made,
                a_configuration_stored_at_an_old_version_is_a_conflict,
                eight_admins_lose_no_edit,
            ],
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($cluster:expr, $($module:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        const CASES: &[&str] = &[$($(stringify!($case)),*),*];

        #[test]
        fn every_case_stated_not_to_be_applicable_exists() {
            for (case, _) in NOT_APPLICABLE {
                assert!(CASES.contains(case), "{case}");
            }
        }

        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let cluster = $cluster;
                let body = $crate::contract::$module::$case(&cluster);
                $crate::contract::run(stringify!($case), NOT_APPLICABLE, body).await;
            }
        )*)*
    };
}
