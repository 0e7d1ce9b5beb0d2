//! The contract suite, for the Kubernetes backend on a real API server.
#![cfg(target_os = "linux")]

macro_rules! on_an_api_server {
    ($grants:ident, $layout:ident) => {{
        use stepdown_backends::configmap::Layout;
        use stepdown_tests::contract::configmap::ConfigMaps;
        use stepdown_tests::kubernetes::Grants;
        match ConfigMaps::new(Grants::$grants, Layout::$layout).await {
            Some(cluster) => cluster,
            // It has been said that it is skipped.
            None => return,
        }
    }};
}

stepdown_tests::contract!(
    configmap,
    on_an_api_server!(Chart, Plain),
    not_applicable: {
        a_document_cut_short_is_never_taken_for_a_smaller_one: "objects are written whole",
        a_document_that_is_too_large_is_refused_and_changes_nothing: "its limit can't be lowered; it is put to it elsewhere",
        a_refusal_says_what_it_is_and_changes_nothing: "over a network a conflict is never definite",
        a_standbys_store_changes_nothing: "stores are guarded by versions alone",
    }
);

stepdown_tests::contract!(
    compressed,
    on_an_api_server!(Ours, Compressed),
    not_applicable: {
        a_document_cut_short_is_never_taken_for_a_smaller_one: "objects are written whole",
        a_document_that_is_too_large_is_refused_and_changes_nothing: "its limit can't be lowered; it is put to it elsewhere",
        a_refusal_says_what_it_is_and_changes_nothing: "over a network a conflict is never definite",
        a_standbys_store_changes_nothing: "stores are guarded by versions alone",
        an_edit_that_keeps_our_record_is_a_foreign_write: "what is compressed is not edited",
    }
);
