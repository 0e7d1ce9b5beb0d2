//! Nodes over sockets, administered.

mod documents;
mod leading;
mod members;
mod support;
