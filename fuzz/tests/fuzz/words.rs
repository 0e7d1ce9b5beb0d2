//! The small texts in documents and flags.

use std::fmt::Display;
use std::str::FromStr;

use stepdown_core::WriteId;
use stepdown_core::cluster::{Beginnings, parse_duration};
use stepdown_fuzz::feed;

use crate::text;

#[test]
fn a_word_that_is_understood_is_said_again_so_that_it_is() {
    feed("words", |bytes| {
        for line in text(bytes).lines() {
            said_again::<WriteId>(line);
            said_again::<Beginnings>(line);
            if let Ok(duration) = parse_duration(line) {
                let nanos = format!("{}ns", duration.as_nanos());
                assert_eq!(parse_duration(&nanos), Ok(duration), "{line}");
            }
        }
    });
}

fn said_again<T: FromStr + Display + PartialEq + std::fmt::Debug>(word: &str) {
    if let Ok(first) = word.parse::<T>() {
        let again = first.to_string().parse::<T>().ok();
        assert_eq!(again, Some(first), "{word}");
    }
}
