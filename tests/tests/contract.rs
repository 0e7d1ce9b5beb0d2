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
