//! The tokio driver of the coordinator machine.
