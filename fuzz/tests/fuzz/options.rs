//! What an operator tells a coordinator.

use stepdown::fuzzing;
use stepdown_fuzz::feed;

use crate::text;

#[test]
fn options_are_taken_or_refused_with_their_problems() {
    feed("options", |bytes| fuzzing::options(&text(bytes)));
}
