//! What data servers say.

use stepdown::fuzzing;
use stepdown_fuzz::feed;

#[test]
fn every_answer_of_a_data_server_is_understood_or_refused() {
    feed("server_answer", |bytes| {
        if let Some((kind, message)) = bytes.split_first() {
            fuzzing::response(*kind, message);
        }
        fuzzing::made(&bytes[..bytes.len().min(64)]);
    });
}

#[test]
fn every_failure_of_a_call_has_a_meaning_whatever_its_details() {
    feed("server_failure", |bytes| {
        fuzzing::failure(bytes);
        fuzzing::made_failures(&bytes[..bytes.len().min(2)]);
    });
}
