//! The `stepdown` command.
fn main() {}
