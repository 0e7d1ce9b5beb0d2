//! Where the documents and the leadership live. A backend does what it is told and says what
//! happened; what that means is decided in `stepdown-core`.

mod backend;
mod clock;
pub mod configmap;
pub mod file;
pub mod memory;
mod under_way;

pub use backend::{
    Backend, ConfigurationSource, Leadership, LeadershipReport, StatusHints, StatusStore,
};
pub use clock::boottime;
pub use file::status_file;
