//! Who makes a call on a gRPC port, and what they may do: tokens, certificates, rules.

mod caller;
mod fetch;
mod identity;
mod issuer;
mod keys;
mod layer;
mod pem_keys;
mod policy;
mod signatures;
mod verifier;

pub use caller::{Caller, How};
pub use identity::Identity;
pub use issuer::NoKeys;
pub use layer::{Door, Guarded};
pub use policy::{Denied, Policy, Rule, Subject, Verb};
pub use verifier::{Unauthenticated, Verifier};

#[cfg(test)]
pub(crate) mod tests;
