//! Disks that are soon full.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A small disk in memory, in a test's own namespace, with which it ends.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    const MEGABYTES: usize = 32;

    /// Nothing is there yet.
    #[must_use]
    pub fn at(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).expect("nobody else is there");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={}m", Self::MEGABYTES))
            .arg("none")
            .arg(&dir)
            .status();
        assert!(mounted.is_ok_and(|it| it.success()), "{}", dir.display());
        Self(dir)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Nothing fits any more.
    pub fn fill(&self) {
        let all = vec![1; (Self::MEGABYTES + 1) << 20];
        fs::write(self.filler(), all).expect_err("there is less room than that");
    }

    /// There is room again.
    pub fn empty(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }
}
