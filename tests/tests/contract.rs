//! The contract suite, for each backend.

stepdown_tests::contract!(
    memory,
    stepdown_tests::contract::memory::Memory::default(),
    not_applicable: {
        a_document_cut_short_is_never_taken_for_a_smaller_one: "documents have no bytes",
        a_standbys_store_changes_nothing: "stores are guarded by versions alone",
        an_edit_that_keeps_our_record_is_a_foreign_write: "documents have no bytes",
        an_empty_document_is_never_taken_for_an_empty_cluster: "documents have no bytes",
    }
);

stepdown_tests::contract!(
    file,
    stepdown_tests::contract::file::Files::new(),
    not_applicable: {
        // Disks that fail, and that lose power, are simulated beside the backend.
        a_document_that_is_too_large_is_refused_and_changes_nothing: "documents may have any size",
        a_failed_read_says_so_and_the_next_one_finds_the_document: "a disk fails in its tests alone",
        a_late_store_is_applied_where_nothing_came_between: "stores end before the lock does",
        a_late_store_is_refused_after_another_store: "stores end before the lock does",
        a_late_store_of_an_old_leader_is_refused_after_the_fencing_write: "stores end before the lock does",
        a_leader_that_lost_office_stores_no_more_after_the_fencing_write: "a lock can't be taken away",
        a_refusal_says_what_it_is_and_changes_nothing: "a disk fails in its tests alone",
        a_store_sent_again_and_the_late_first_one_are_applied_once: "stores end before the lock does",
        an_ambiguous_store_may_be_followed_by_a_foreign_write: "a disk fails in its tests alone",
        an_ambiguous_store_that_was_applied_is_known_by_its_head: "a disk fails in its tests alone",
        an_ambiguous_store_that_was_lost_leaves_the_version_and_may_be_sent_again: "a disk fails in its tests alone",
        leadership_taken_away_is_reported_and_ends_the_campaign: "a lock can't be taken away",
        release_waits_for_a_store_whose_future_was_dropped: "a disk stalls in its tests alone",
    }
);
