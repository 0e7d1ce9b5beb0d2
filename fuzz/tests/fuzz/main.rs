//! The targets, each a test: what strangers write is decoded, and what may happen in any order happens.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "what does not hold ends the test that found it; a rule picks out what it looks for"
)]

mod choices;
mod coordinator;
mod documents;
mod lease;
mod words;

/// The text of an input, for what only reads text.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
