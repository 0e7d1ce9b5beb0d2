//! A configuration document that somebody has at hand.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::AdminCommandError;

/// The largest one, in bytes: coordinators take no larger requests.
const MOST: u64 = 1 << 20;

/// Reads it; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<String, AdminCommandError> {
    let failed = |error: io::Error| AdminCommandError::Document {
        path: path.to_owned(),
        error,
    };
    let mut text = String::new();
    let within = MOST + 1;
    let read = if path.as_os_str() == "-" {
        io::stdin().take(within).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(within).read_to_string(&mut text))
    };
    read.map_err(failed)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MOST {
        return Err(failed(io::Error::other("it is larger than 1 MiB")));
    }
    Ok(text)
}
