//! Where the documents and the leadership live.
