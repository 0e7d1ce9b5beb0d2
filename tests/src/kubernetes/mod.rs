//! A real Kubernetes API server for tests, and a proxy in front of it that makes trouble.

// What is awaited and does not come fails a test, and this is where it is awaited.
#![allow(clippy::expect_used, clippy::panic)]

mod access;
mod grants;
mod namespace;
mod programs;
pub mod proxy;
mod server;
mod words;

use std::time::Duration;

pub use access::Access;
pub use grants::Grants;
pub use namespace::Namespace;
pub use programs::path_with_kubectl;
pub use proxy::FaultProxy;
pub use server::{ApiServer, Stop};

/// How long anything may take before it counts as hung. Nothing waits for it otherwise.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
