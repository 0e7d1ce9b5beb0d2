use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

const WRITTEN: &str = "# By hand.\nservers: [{name: s1, public: 'a:1', internal: 'a:2'}]\n";
const NEW: &str = "servers:\n    - name: s1\n      public: a:1\n      internal: a:3\n";

struct Files {
    directory: TempDir,
    store: FileConfigurationStore,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = FileConfigurationStore::new(directory.path().join("cluster.yaml"));
        Self { directory, store }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, text: &str) {
        fs::write(self.at("cluster.yaml"), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// The names in the directory, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn what_people_wrote_is_kept_once_and_named_in_the_first_line() {
    let files = Files::new();
    files.write(WRITTEN);
    let found = files.store.load().await.unwrap();
    assert_eq!(found.text.as_deref(), Some(WRITTEN));
    let stored = files.store.store(&found.version, NEW.to_owned()).await;
    let text = files.text("cluster.yaml");
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(
        first.starts_with("# ") && first.ends_with("cluster.yaml.before-admin"),
        "{first}"
    );
    assert_eq!(rest, NEW);
    assert_eq!(files.text("cluster.yaml.before-admin"), WRITTEN);
    let found = files.store.load().await.unwrap();
    assert_eq!(Ok(found.version.clone()), stored);
    let twice = NEW.replace("a:3", "a:4");
    files.store.store(&found.version, twice).await.unwrap();
    assert_eq!(files.text("cluster.yaml.before-admin"), WRITTEN);
    assert_eq!(
        files.names(),
        [
            "cluster.yaml",
            "cluster.yaml.before-admin",
            "cluster.yaml.lock"
        ]
    );
}

#[tokio::test]
async fn what_has_nothing_to_lose_is_not_kept() {
    let files = Files::new();
    let found = files.store.load().await.unwrap();
    assert_eq!(found.text, None);
    let stored = files.store.store(&found.version, NEW.to_owned()).await;
    let twice = NEW.replace("a:3", "a:4");
    files
        .store
        .store(&stored.unwrap(), twice.clone())
        .await
        .unwrap();
    assert!(files.text("cluster.yaml").ends_with(&format!("\n{twice}")));
    assert_eq!(files.names(), ["cluster.yaml", "cluster.yaml.lock"]);
}

#[tokio::test]
async fn an_edit_by_hand_in_between_is_a_conflict_and_stays() {
    let files = Files::new();
    files.write(WRITTEN);
    let found = files.store.load().await.unwrap();
    let edited = WRITTEN.replace("a:1", "a:9");
    files.write(&edited);
    let conflict = files.store.store(&found.version, NEW.to_owned()).await;
    assert!(
        matches!(conflict, Err(ConfigurationStoreError::Conflict(_))),
        "{conflict:?}"
    );
    assert_eq!(files.text("cluster.yaml"), edited);
    assert_eq!(files.names(), ["cluster.yaml", "cluster.yaml.lock"]);
}

#[tokio::test]
async fn the_new_file_and_the_kept_one_have_the_mode_and_owner_of_the_old() {
    let files = Files::new();
    files.write(WRITTEN);
    fs::set_permissions(files.at("cluster.yaml"), Permissions::from_mode(0o640)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(files.at("cluster.yaml"), Some(4_711), Some(4_712)).unwrap();
    }
    let before = fs::metadata(files.at("cluster.yaml")).unwrap();
    let found = files.store.load().await.unwrap();
    files
        .store
        .store(&found.version, NEW.to_owned())
        .await
        .unwrap();
    for name in ["cluster.yaml", "cluster.yaml.before-admin"] {
        let after = fs::metadata(files.at(name)).unwrap();
        assert_eq!(after.mode(), before.mode(), "{name}");
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    }
}

#[tokio::test]
async fn nothing_is_read_or_written_through_a_link() {
    let files = Files::new();
    fs::write(files.at("elsewhere"), WRITTEN).unwrap();
    symlink("elsewhere", files.at("cluster.yaml")).unwrap();
    let refused = files.store.load().await.unwrap_err();
    assert!(refused.to_string().contains("symbolic link"), "{refused}");
    let version = Version::new("absent");
    let refused = files.store.store(&version, NEW.to_owned()).await;
    assert!(
        matches!(refused, Err(ConfigurationStoreError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(files.text("elsewhere"), WRITTEN);
    fs::remove_file(files.at("cluster.yaml")).unwrap();
    // Nor is what was there before kept in somebody else's file.
    files.write(WRITTEN);
    symlink("elsewhere", files.at("cluster.yaml.before-admin")).unwrap();
    let found = files.store.load().await.unwrap();
    files
        .store
        .store(&found.version, NEW.to_owned())
        .await
        .unwrap();
    assert_eq!(files.text("elsewhere"), WRITTEN);
}

#[tokio::test]
async fn while_another_holds_the_lock_nothing_is_written() {
    let files = Files::new();
    files.write(WRITTEN);
    let found = files.store.load().await.unwrap();
    let lock = regular::open_lock(&files.at("cluster.yaml.lock")).unwrap();
    lock.lock().unwrap();
    let waits = files.store.store(&found.version, NEW.to_owned()).await;
    assert!(
        matches!(waits, Err(ConfigurationStoreError::Unavailable(_))),
        "{waits:?}"
    );
    assert_eq!(files.text("cluster.yaml"), WRITTEN);
    drop(lock);
    files
        .store
        .store(&found.version, NEW.to_owned())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_a_killed_process_left_behind_is_deleted() {
    let files = Files::new();
    files.write(WRITTEN);
    fs::write(files.at(".cluster.yaml.tmp.1.0"), "half").unwrap();
    let found = files.store.load().await.unwrap();
    files
        .store
        .store(&found.version, NEW.to_owned())
        .await
        .unwrap();
    assert!(!files.names().contains(&".cluster.yaml.tmp.1.0".to_owned()));
}
