//! Why a text is not the document that it should be.

/// A text that is not the document that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nothing is written there, or nothing but comments.
    #[error("the document is empty")]
    Empty,
    /// It is not YAML, or more than is read of it.
    #[error("line {line}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong, and how to put it right.
        problem: String,
    },
    /// A key has a value that it can't have.
    #[error("line {line}: {key}: {problem}")]
    Key {
        /// The line, from 1.
        line: usize,
        /// The path of the key, such as `namespaces[1].name`.
        key: String,
        /// What is wrong, and how to put it right.
        problem: String,
    },
}
