//! The targets, each a test: what strangers write is decoded, and what may happen in any order happens.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "what does not hold ends the test that found it; a rule picks out what it looks for"
)]

mod addresses;
mod choices;
mod configuration;
mod coordinator;
mod kubernetes;
mod lease;
mod options;
mod raft;
mod servers;
mod status;
mod status_file;
mod words;
mod written;

/// The text of an input, for what only reads text.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// An input of two parts, with a line of five `=` between them.
fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    const BETWEEN: &[u8] = b"=====\n";
    let at = bytes.windows(BETWEEN.len()).position(|it| it == BETWEEN);
    match at {
        Some(at) => (&bytes[..at], &bytes[at + BETWEEN.len()..]),
        None => (bytes, &[]),
    }
}
