//! `stepdown sandbox`: a cluster on this machine, made of real processes, to watch and to hurt.

mod hurt;
mod input;
mod keys;
mod line;
mod namespaces;
mod news;
mod operate;
mod operation;
mod output;
mod place;
mod play;
mod run;
mod script;
mod seen;
mod servers;
mod shards;
mod state;
mod steps;
mod summary;
mod tally;
mod undertaking;
mod view;
mod watch;

pub use place::Place;
pub use run::run;
pub use script::{ParseScriptError, Script};
pub use state::ShowOptions;
pub use summary::Summary;
