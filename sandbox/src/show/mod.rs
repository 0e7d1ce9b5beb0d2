//! `stepdown sandbox`: a cluster on this machine, made of real processes, to watch and to hurt.

mod hurt;
mod input;
mod line;
mod news;
mod output;
mod place;
mod play;
mod run;
mod script;
mod seen;
mod state;
mod steps;
mod summary;
mod tally;
mod view;
mod watch;

pub use place::Place;
pub use run::run;
pub use script::{ParseScriptError, Script};
pub use state::ShowOptions;
pub use summary::Summary;
