//! Nodes over sockets, administered.
