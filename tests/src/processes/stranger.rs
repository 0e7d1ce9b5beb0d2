//! A stranger that writes the status file and knows nothing of the lock. Around its write every
//! coordinator is paused: between the last look of a store and its rename nobody can notice a
//! foreign write, so that moment is waited for and left out.

use std::fs;
use std::path::Path;

use stepdown_core::Epoch;
use stepdown_core::cluster::ClusterStatus;

use super::{FirstLine, Rig};

/// What becomes of the coordinator's own first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLineIs {
    /// It stays, and no longer matches.
    Kept,
    /// It goes.
    Removed,
}

/// What a stranger has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The epoch of the document that it replaced.
    pub epoch: Epoch,
    /// The next free shard id, greater than it was.
    pub generator: i64,
}

impl Rig {
    /// Writes the status file as a stranger.
    pub async fn write_as_stranger(&mut self, line: FirstLineIs, skipped: i64) -> Written {
        let mut generator = 0;
        let before = self
            .overwrite(|text| {
                let mut status = ClusterStatus::decode(text).expect("it is a status document");
                status.shard_id_generator += skipped;
                generator = status.shard_id_generator;
                match (line, text.split_once('\n')) {
                    (FirstLineIs::Kept, Some((first, _))) => {
                        format!("{first}\n{}# end\n", status.encode())
                    }
                    (FirstLineIs::Kept | FirstLineIs::Removed, _) => status.encode(),
                }
            })
            .await;
        let line = FirstLine::of(&before);
        Written {
            epoch: line.map_or_else(|| self.onlooker.epoch(), |line| line.epoch),
            generator,
        }
    }

    /// Puts another document in place, made of the present one, so that it can be noticed; returns
    /// the one before.
    pub async fn overwrite(&mut self, mut edit: impl FnMut(&str) -> String) -> String {
        self.until("a stranger to find no store under way", async |rig| {
            rig.pause_coordinators().await;
            let before = (!rig.has_store_under_way()).then(|| {
                let path = rig.cluster.status_path();
                let before = fs::read_to_string(path).expect("there is a status file");
                replace(path, &edit(&before));
                before
            });
            rig.resume_coordinators();
            before
        })
        .await
    }

    /// Whether a coordinator that runs has made the file that is to become the status file.
    fn has_store_under_way(&self) -> bool {
        let path = self.cluster.status_path();
        let directory = path.parent().expect("a file is in a directory");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ours: Vec<_> = self
            .cluster
            .coordinators
            .iter()
            .filter_map(|it| it.process().pid())
            .map(|pid| format!(".{name}.tmp.{pid}."))
            .collect();
        fs::read_dir(directory)
            .expect("the directory can be read")
            .flatten()
            .any(|entry| {
                let name = entry.file_name();
                ours.iter().any(|it| name.to_string_lossy().starts_with(it))
            })
    }
}

/// Puts a document in place whole.
fn replace(path: &Path, document: &str) {
    let foreign = path.with_extension("stranger");
    fs::write(&foreign, document).expect("a stranger can write");
    fs::rename(&foreign, path).expect("a stranger can rename");
}
