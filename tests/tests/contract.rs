//! The contract suite, for each backend.

stepdown_tests::contract!(
    memory,
    stepdown_tests::contract::memory::Memory::default(),
    not_applicable: {
        a_document_cut_short_is_never_taken_for_a_smaller_one: "documents have no bytes",
        a_standbys_store_changes_nothing: "stores are guarded by versions alone",
        an_edit_that_keeps_our_record_is_a_foreign_write: "documents have no bytes",
        an_empty_document_is_never_taken_for_an_empty_cluster: "documents have no bytes",
        whoever_stands_comes_to_know_where_people_reach_the_leader: "all are in one process",
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

stepdown_tests::contract!(
    raft_of_one,
    stepdown_tests::contract::raft::Rafts::new(1).await,
    not_applicable: {
        // Disks that fail, and that lose power, are simulated beside the backend.
        a_deleted_document_does_not_lower_the_epoch: "nothing deletes a document",
        a_deleted_document_is_not_stored_again_by_its_leader: "nothing deletes a document",
        a_document_cut_short_is_never_taken_for_a_smaller_one: "a disk is damaged in its tests alone",
        a_document_that_is_too_large_is_refused_and_changes_nothing: "its limit is far above any document's size",
        a_failed_read_says_so_and_the_next_one_finds_the_document: "a node fails in its tests alone",
        a_late_store_is_applied_where_nothing_came_between: "an entry can't be held back from outside",
        a_late_store_is_refused_after_another_store: "an entry can't be held back from outside",
        a_late_store_of_an_old_leader_is_refused_after_the_fencing_write: "an entry can't be held back from outside",
        a_refusal_says_what_it_is_and_changes_nothing: "a node fails in its tests alone",
        a_store_sent_again_and_the_late_first_one_are_applied_once: "an entry can't be held back from outside",
        an_ambiguous_store_may_be_followed_by_a_foreign_write: "a node fails in its tests alone",
        an_ambiguous_store_that_was_applied_is_known_by_its_head: "a node fails in its tests alone",
        an_ambiguous_store_that_was_lost_leaves_the_version_and_may_be_sent_again: "a node fails in its tests alone",
        an_edit_that_keeps_our_record_is_a_foreign_write: "documents are not edited in place",
        an_empty_document_is_never_taken_for_an_empty_cluster: "a disk is damaged in its tests alone",
        an_unreadable_document_is_never_taken_for_an_empty_cluster: "a disk is damaged in its tests alone",
        an_unreadable_document_is_not_overwritten: "a disk is damaged in its tests alone",
        an_unreadable_document_put_right_is_found: "a disk is damaged in its tests alone",
        a_leader_that_lost_office_stores_no_more_after_the_fencing_write: "one node alone can't be cut off",
        leadership_taken_away_is_reported_and_ends_the_campaign: "one node alone can't be cut off",
        release_waits_for_a_store_whose_future_was_dropped: "an entry can't be held back from outside",
        whoever_stands_comes_to_know_where_people_reach_the_leader: "one node alone tells nobody",
    }
);

stepdown_tests::contract!(
    raft_of_three,
    stepdown_tests::contract::raft::Rafts::new(3).await,
    not_applicable: {
        // Disks that fail, and that lose power, are simulated beside the backend.
        a_deleted_document_does_not_lower_the_epoch: "nothing deletes a document",
        a_deleted_document_is_not_stored_again_by_its_leader: "nothing deletes a document",
        a_document_cut_short_is_never_taken_for_a_smaller_one: "a disk is damaged in its tests alone",
        a_document_that_is_too_large_is_refused_and_changes_nothing: "its limit is far above any document's size",
        a_failed_read_says_so_and_the_next_one_finds_the_document: "a node fails in its tests alone",
        a_late_store_is_applied_where_nothing_came_between: "an entry can't be held back from outside",
        a_late_store_is_refused_after_another_store: "an entry can't be held back from outside",
        a_late_store_of_an_old_leader_is_refused_after_the_fencing_write: "an entry can't be held back from outside",
        a_refusal_says_what_it_is_and_changes_nothing: "a node fails in its tests alone",
        a_store_sent_again_and_the_late_first_one_are_applied_once: "an entry can't be held back from outside",
        an_ambiguous_store_may_be_followed_by_a_foreign_write: "a node fails in its tests alone",
        an_ambiguous_store_that_was_applied_is_known_by_its_head: "a node fails in its tests alone",
        an_ambiguous_store_that_was_lost_leaves_the_version_and_may_be_sent_again: "a node fails in its tests alone",
        an_edit_that_keeps_our_record_is_a_foreign_write: "documents are not edited in place",
        an_empty_document_is_never_taken_for_an_empty_cluster: "a disk is damaged in its tests alone",
        an_unreadable_document_is_never_taken_for_an_empty_cluster: "a disk is damaged in its tests alone",
        an_unreadable_document_is_not_overwritten: "a disk is damaged in its tests alone",
        an_unreadable_document_put_right_is_found: "a disk is damaged in its tests alone",
        release_waits_for_a_store_whose_future_was_dropped: "an entry can't be held back from outside",
    }
);
