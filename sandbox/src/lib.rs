//! Data servers for trying things out: the whole coordination service, in memory.
