//! The file backend under the suite, on the file system of the directory for temporary files.

use std::fs;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use stepdown_backends::file::FileOptions;
use stepdown_backends::{Backend, Provider};
use stepdown_core::cluster::ClusterStatus;
use tempfile::TempDir;

use super::support::candidate;
use super::{Cluster, Outcome};

/// Two files in a directory of their own.
pub struct Files {
    directory: TempDir,
}

impl Files {
    /// Empty directory, new cluster.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        Self { directory }
    }

    fn status(&self) -> PathBuf {
        self.directory.path().join("status.yaml")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("cluster.yaml")
    }

    fn write(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.status(), bytes).expect("the status file can be written");
    }

    fn read(&self) -> String {
        fs::read_to_string(self.status()).expect("the status file can be read")
    }
}

impl Default for Files {
    fn default() -> Self {
        Self::new()
    }
}

fn delete(path: PathBuf) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
        Ok(()) | Err(_) => {}
    }
}

#[async_trait]
impl Cluster for Files {
    async fn coordinator(&self, name: &str) -> Backend {
        let options = FileOptions {
            status: self.status(),
            configuration: self.configuration(),
            initialize_empty_status: false,
            // Wherever the tests run, all coordinators are on one machine.
            allow_network_filesystem: true,
        };
        let opened = Provider::File(options).open(&candidate(name)).await;
        opened.expect("the files can be opened")
    }

    async fn overwrite(&self, status: ClusterStatus) {
        self.write(status.encode());
    }

    async fn corrupt(&self) -> Outcome {
        self.write("namespaces: [\n");
        Ok(())
    }

    async fn delete(&self) -> Outcome {
        delete(self.status());
        Ok(())
    }

    async fn configure(&self, text: Option<&str>) {
        match text {
            Some(text) => {
                fs::write(self.configuration(), text).expect("the file can be written");
            }
            None => delete(self.configuration()),
        }
    }

    fn many(&self) -> usize {
        200
    }

    async fn kill(&self, coordinator: Backend) {
        // The lock goes with the last of the open file, as it does with a process.
        drop(coordinator);
    }

    fn stores_need_leadership(&self) -> Outcome {
        Ok(())
    }

    async fn empty(&self) -> Outcome {
        self.write("");
        Ok(())
    }

    async fn cut(&self, thousandths: usize) -> Outcome {
        let mut bytes = self.read().into_bytes();
        bytes.truncate(bytes.len() * thousandths / 1_000);
        self.write(bytes);
        Ok(())
    }

    async fn edit(&self, from: &str, to: &str) -> Outcome {
        self.write(self.read().replace(from, to));
        Ok(())
    }
}
