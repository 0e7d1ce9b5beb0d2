//! What has to hold of an options file, whatever is in it.

use super::coordinator::resolve;
use super::error::OptionsError;
use super::provider::{RaftSettings, check_raft_address};
use super::sconfig::parse;
use super::settings::Settings;

/// The text of a file: it is understood or refused, and if it can't be gone by, all that is wrong is named.
pub fn options(text: &str) {
    let mut unknown = Vec::new();
    let Ok(file) = parse(text, &mut unknown) else {
        return;
    };
    assert_eq!(parse(text, &mut Vec::new()).ok().as_ref(), Some(&file));
    let settings = || super::said::Overlay::overlaid_by(Settings::default(), file.clone());
    assert_eq!(settings(), file, "flags that say nothing change nothing");
    match resolve(settings(), Vec::new()) {
        Ok(options) => {
            assert!(!options.name.trim().is_empty());
            let again = resolve(settings(), Vec::new());
            assert_eq!(again.ok(), Some(options));
        }
        Err(OptionsError::Invalid { problems }) => {
            assert!(!problems.is_empty() && problems.iter().all(|it| !it.is_empty()));
        }
        Err(error @ (OptionsError::Unreadable { .. } | OptionsError::Malformed { .. })) => {
            panic!("it was read: {error}");
        }
    }
}

/// An address of a raft node: one that is taken can be dialled. Needs a runtime.
pub fn raft_address(text: &str) {
    let mut problems = Vec::new();
    check_raft_address(RaftSettings::ADDRESS, text, &mut problems);
    if problems.is_empty() {
        assert!(stepdown_backends::fuzzing::node_address(text), "{text}");
    }
}
