//! The manifests in `deploy/`, put to a real API server by their own check.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::path::Path;

use stepdown_tests::kubernetes::ApiServer;
use stepdown_tests::processes::run_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_the_manifests_is_taken_by_an_api_server_and_grants_what_is_needed() {
    let Some(api) = ApiServer::start().await else {
        // It has been said that it is skipped.
        return;
    };
    let access = api.admin_access();
    let token = access.token.clone().expect("an administrator has a token");
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/check");
    let path = stepdown_tests::kubernetes::path_with_kubectl();
    let server = access.server.clone();
    let ran = tokio::task::spawn_blocking(move || {
        let words = [OsStr::new(&server), OsStr::new(&token)];
        run_with(&check, &words, &[("PATH", &path)])
    });
    let ran = ran.await.expect("it can be run");
    assert_eq!(ran.code, Some(0), "{}", ran.text);
}
