//! Feeds decoders and machines what nobody would send. The targets are in `tests/fuzz`; here is what they have
//! in common: the inputs that are kept, and how others are made of them.

mod corpus;
mod feed;
mod input;
mod mutate;
mod quiet;
mod shrink;
mod variables;
mod watchdog;

pub use feed::feed;
