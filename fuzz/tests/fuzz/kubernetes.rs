//! What an API server says.

use stepdown_backends::fuzzing;
use stepdown_fuzz::feed;

use crate::parts;

#[test]
fn a_config_map_is_judged_and_what_is_written_in_its_place_is_read_as_it_was_meant() {
    feed("config_map", fuzzing::config_map);
}

#[test]
fn a_lease_says_again_what_it_has_said() {
    feed("lease_object", fuzzing::lease);
}

/// The code in two bytes, the header that says when to come again, and the body.
#[test]
fn every_answer_of_an_api_server_has_a_meaning() {
    feed("api_answer", |bytes| {
        let (head, body) = parts(bytes);
        let (code, after) = head.split_at(head.len().min(3));
        let code = std::str::from_utf8(code)
            .ok()
            .and_then(|it| it.parse().ok());
        fuzzing::answer(code.unwrap_or(500), after.trim_ascii(), body);
    });
}
