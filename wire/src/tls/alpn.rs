//! The names by which protocols are agreed upon in a handshake.

/// HTTP/2.
pub const HTTP2: &[u8] = b"h2";
/// HTTP/1.1.
pub const HTTP1: &[u8] = b"http/1.1";
