//! Where something is said to be.

use stepdown::fuzzing;
use stepdown_fuzz::feed;

use crate::text;

#[test]
fn an_address_that_is_taken_can_be_dialled() {
    feed("address", |bytes| {
        thread_local! {
            static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
        }
        let text = text(bytes);
        fuzzing::address(&text);
        RUNTIME.with(|runtime| {
            let _entered = runtime.enter();
            fuzzing::raft_address(&text);
        });
    });
}
