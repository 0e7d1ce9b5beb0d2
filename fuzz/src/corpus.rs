//! The inputs that are kept of a target, and those that are made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::input::Input;
use crate::mutate::mutate;

/// Numbers that changes are drawn from, at most: enough for six or so.
const CHOICES: usize = 32;
/// Bytes of an input that is made of nothing.
const FRESH: usize = 1_024;

/// What is kept in `corpus/TARGET`.
pub(crate) struct Corpus {
    target: &'static str,
    inputs: Arc<Vec<(PathBuf, Vec<u8>)>>,
}

impl Corpus {
    /// Reads it.
    #[expect(
        clippy::panic,
        reason = "a target without a corpus is a mistake in its test"
    )]
    pub(crate) fn of(target: &'static str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target);
        let inputs = match read(&directory) {
            Ok(inputs) if !inputs.is_empty() => Arc::new(inputs),
            Ok(_) => panic!("{} is empty: keep an input in it", directory.display()),
            Err(error) => panic!("{}: {error}", directory.display()),
        };
        Self { target, inputs }
    }

    /// Feeds each of them.
    pub(crate) fn replay(&self, check: impl Fn(&[u8])) {
        for (path, bytes) in self.inputs.iter() {
            let _named = Named(path);
            check(bytes);
        }
    }

    /// Mostly one of them with some changes; now and then something new. The fewer choices are left in
    /// shrinking, the fewer changes there are.
    pub(crate) fn made(&self) -> impl Strategy<Value = Input> + use<> {
        let (target, inputs) = (self.target, self.inputs.clone());
        let changed = (0..inputs.len(), vec(any::<u16>(), 0..CHOICES));
        let changed = changed.prop_map(move |(index, choices)| {
            let mut choices = choices.into_iter();
            let mut bytes = inputs.get(index).map_or_else(Vec::new, |it| it.1.clone());
            let others: Vec<&[u8]> = inputs.iter().map(|(_, it)| it.as_slice()).collect();
            while mutate(&mut choices, &mut bytes, &others).is_some() {}
            Input { target, bytes }
        });
        let fresh = vec(any::<u8>(), 0..FRESH).prop_map(move |bytes| Input { target, bytes });
        prop_oneof![9 => changed, 1 => fresh]
    }
}

fn read(directory: &Path) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        paths.push(entry?.path());
    }
    paths.sort();
    let read = |path: PathBuf| fs::read(&path).map(|bytes| (path, bytes));
    paths.into_iter().map(read).collect()
}

/// Names the file whose input a target fails at.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this input fails: {}", self.0.display());
        }
    }
}
