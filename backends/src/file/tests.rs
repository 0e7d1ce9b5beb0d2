use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::lease::LeaseTiming;
use stepdown_core::store::{LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome};
use stepdown_core::{ConfigurationText, Epoch, ProcessId, RequestId, Version, WriteId};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::notes::{self, Holder, Notes};
use super::status_file::{self, AdoptError, StatusFileContent};
use super::{FileError, FileOptions, open};
use crate::backend::{Backend, LeadershipReport};
use crate::candidate::Candidate;
use crate::public_address::PublicAddress;

const LIMIT: Duration = Duration::from_secs(20);
const WON: LeadershipReport = LeadershipReport::Won { authority: None };

fn backend(status: &Path) -> Result<Backend, FileError> {
    backend_of("tester", None, status)
}

fn backend_of(
    name: &str,
    public_address: Option<&str>,
    status: &Path,
) -> Result<Backend, FileError> {
    let options = FileOptions {
        status: status.to_path_buf(),
        configuration: status.with_file_name("cluster.yaml"),
        initialize_empty_status: false,
        // Containers may have an unusual directory for temporary files.
        allow_network_filesystem: true,
    };
    let candidate = Candidate {
        name: name.into(),
        process: ProcessId(1),
        pod: None,
        public_address: public_address.and_then(PublicAddress::parse),
        seed: 1,
        timing: LeaseTiming::SHORT,
    };
    open(&options, &candidate)
}

async fn leader(status: &Path) -> (Backend, mpsc::Receiver<LeadershipReport>) {
    let backend = backend(status).unwrap();
    let mut reports = campaign(&backend);
    assert_eq!(next(&mut reports).await, WON);
    (backend, reports)
}

fn campaign(backend: &Backend) -> mpsc::Receiver<LeadershipReport> {
    let (sender, receiver) = mpsc::channel(4);
    let leadership = backend.leadership.clone();
    tokio::spawn(async move { leadership.lead(sender).await });
    receiver
}

async fn next(reports: &mut mpsc::Receiver<LeadershipReport>) -> LeadershipReport {
    timeout(LIMIT, reports.recv()).await.unwrap().unwrap()
}

fn document(number: u64) -> StatusDocument {
    StatusDocument {
        admits: false,
        epoch: Epoch(number),
        write_id: WriteId {
            epoch: Epoch(number),
            request: RequestId(number),
            process: ProcessId(1),
        },
        status: Arc::new(ClusterStatus {
            instance_id: "theirs".into(),
            shard_id_generator: i64::try_from(number).unwrap(),
            ..ClusterStatus::default()
        }),
    }
}

async fn store(backend: &Backend, expected: Option<Version>, number: u64) -> Version {
    let outcome = backend.store.store(expected, document(number)).await;
    let StoreOutcome::Stored(version) = outcome else {
        panic!("{outcome:?}");
    };
    version
}

async fn found(backend: &Backend) -> LoadedStatus {
    let outcome = backend.store.load().await;
    let LoadOutcome::Found(found) = outcome else {
        panic!("{outcome:?}");
    };
    found
}

fn status_in(directory: &TempDir) -> PathBuf {
    directory.path().join("status")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn directories_are_created_and_a_new_document_is_private() {
    let directory = TempDir::new().unwrap();
    let status = directory.path().join("a/b/status");
    let (backend, _reports) = leader(&status).await;
    store(&backend, None, 1).await;
    assert_eq!(mode(&status), 0o600);
    assert_eq!(fs::read_dir(status.parent().unwrap()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_document_keeps_its_mode() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    fs::write(&status, "instanceId: theirs\n").unwrap();
    fs::set_permissions(&status, fs::Permissions::from_mode(0o664)).unwrap();
    let (backend, _reports) = leader(&status).await;
    let theirs = found(&backend).await;
    assert!(!theirs.intact);
    store(&backend, Some(theirs.version), 1).await;
    assert_eq!(mode(&status), 0o664);
}

#[tokio::test]
async fn a_link_stays_a_link_and_its_target_is_written() {
    let directory = TempDir::new().unwrap();
    let (link, status) = (directory.path().join("link"), status_in(&directory));
    symlink("status", &link).unwrap();
    let (backend, _reports) = leader(&link).await;
    store(&backend, None, 1).await;
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        fs::read_to_string(&status)
            .unwrap()
            .starts_with("# oxia v1 version=1 epoch=1 ")
    );
    assert!(status_in(&directory).with_extension("lock").exists());
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_a_conflict() {
    let directory = TempDir::new().unwrap();
    let link = directory.path().join("link");
    symlink("status", &link).unwrap();
    let (backend, _reports) = leader(&link).await;
    let version = store(&backend, None, 1).await;
    fs::remove_file(&link).unwrap();
    symlink("other", &link).unwrap();
    let outcome = backend.store.store(Some(version), document(2)).await;
    assert!(matches!(outcome, StoreOutcome::Conflict(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_conflict_says_who_has_written_the_file() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let (backend, _reports) = leader(&status).await;
    let first = store(&backend, None, 1).await;
    let second = store(&backend, Some(first), 2).await;
    let text = fs::read_to_string(&status).unwrap();
    fs::write(&status, format!("{text}# by hand\n")).unwrap();
    let outcome = backend.store.store(Some(second), document(3)).await;
    let StoreOutcome::Conflict(reason) = &outcome else {
        panic!("{outcome:?}");
    };
    let writer = "written by no coordinator of this kind: upstream's, or a person";
    assert!(reason.contains(writer), "{reason}");
}

#[tokio::test]
async fn a_replaced_lock_file_ends_leadership_and_refuses_stores() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let (backend, mut reports) = leader(&status).await;
    let version = store(&backend, None, 1).await;
    fs::remove_file(status.with_extension("lock")).unwrap();
    let outcome = backend.store.store(Some(version), document(2)).await;
    assert!(matches!(outcome, StoreOutcome::Conflict(_)), "{outcome:?}");
    let lost = next(&mut reports).await;
    assert!(matches!(lost, LeadershipReport::Lost { .. }), "{lost:?}");
}

#[tokio::test]
async fn a_release_whose_future_is_dropped_gives_the_lock_back_and_another_campaign_wins_it() {
    let directory = TempDir::new().unwrap();
    let (backend, reports) = leader(&status_in(&directory)).await;
    drop(reports);
    let mut release = backend.leadership.release();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = release.as_mut().poll(&mut context);
    drop(release);
    let mut reports = campaign(&backend);
    assert_eq!(next(&mut reports).await, WON);
    store(&backend, None, 1).await;
}

#[tokio::test]
async fn leftovers_of_the_killed_are_removed_under_the_lock_only() {
    let directory = TempDir::new().unwrap();
    let leftover = directory.path().join(".status.tmp.1.0");
    let other = directory.path().join(".status2.tmp.1.0");
    let (first, _reports) = leader(&status_in(&directory)).await;
    fs::write(&leftover, "half").unwrap();
    fs::write(&other, "theirs").unwrap();
    let second = backend(&status_in(&directory)).unwrap();
    let mut reports = campaign(&second);
    store(&first, None, 1).await;
    assert!(leftover.exists());
    first.leadership.release().await;
    assert_eq!(next(&mut reports).await, WON);
    assert!(!leftover.exists() && other.exists());
}

#[tokio::test]
async fn an_oxia_coordinator_that_has_locked_the_document_is_waited_for() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let oxia = File::create(&status).unwrap();
    oxia.lock().unwrap();
    fs::write(&status, "instanceId: theirs\n").unwrap();
    let backend = backend(&status).unwrap();
    let mut reports = campaign(&backend);
    assert!(
        timeout(Duration::from_millis(300), reports.recv())
            .await
            .is_err()
    );
    drop(oxia);
    assert_eq!(next(&mut reports).await, WON);
}

#[tokio::test]
async fn a_lock_that_can_not_be_tried_is_an_obstacle_until_it_can() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let lock = status.with_extension("lock");
    let backend = backend(&status).unwrap();
    // Nobody may open it, not even root.
    let _ = fs::remove_file(&lock);
    fs::create_dir(&lock).unwrap();
    let mut obstacle = backend.leadership.obstacle();
    let mut reports = campaign(&backend);
    let said = timeout(LIMIT, obstacle.wait_for(Option::is_some)).await;
    let said = said.unwrap().unwrap().clone().unwrap();
    assert!(said.contains("status.lock can't be locked"), "{said}");
    fs::remove_dir(&lock).unwrap();
    assert_eq!(next(&mut reports).await, WON);
    assert_eq!(*obstacle.borrow(), None);
}

#[tokio::test]
async fn that_another_leads_is_no_obstacle() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let (_leader, _reports) = leader(&status).await;
    let standby = backend(&status).unwrap();
    let _campaign = campaign(&standby);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(*standby.leadership.obstacle().borrow(), None);
}

#[tokio::test]
async fn an_old_copy_is_refused_until_it_is_adopted() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let (backend, _reports) = leader(&status).await;
    let first = store(&backend, None, 1).await;
    let copy = fs::read(&status).unwrap();
    store(&backend, Some(first), 2).await;
    fs::write(&status, copy).unwrap();
    let LoadOutcome::Corrupt(reason) = backend.store.load().await else {
        panic!("an old copy was taken");
    };
    assert!(reason.contains("stepdown status-file adopt"), "{reason}");
    let in_use = status_file::adopt(&status, &[]).unwrap_err();
    assert!(in_use.to_string().contains("tester (process "), "{in_use}");
    backend.leadership.release().await;
    status_file::adopt(&status, &[]).unwrap();
    let loaded = found(&backend).await;
    assert_eq!((loaded.epoch, loaded.intact), (Epoch(2), true));
    assert_eq!(loaded.status.shard_id_generator, 1);
}

#[tokio::test]
async fn check_tells_what_is_there_and_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let absent = status_file::check(&status).unwrap();
    assert_eq!(absent.content, StatusFileContent::Absent);
    assert!(!absent.is_usable(), "{absent}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let (backend, _reports) = leader(&status).await;
    store(&backend, None, 1).await;
    let report = status_file::check(&status).unwrap();
    assert!(report.is_held && report.is_usable());
    let shown = report.to_string();
    for told in [
        "write id: 1.1.0000",
        "in use: yes, by tester (process ",
        "instance id: theirs",
    ] {
        assert!(shown.contains(told), "{shown}");
    }
    let edited = fs::read_to_string(&status)
        .unwrap()
        .replace("shardIdGenerator: 1", "shardIdGenerator: 7");
    fs::write(&status, edited).unwrap();
    let StatusFileContent::Document { is_intact, .. } =
        status_file::check(&status).unwrap().content
    else {
        panic!("an edit was refused");
    };
    assert!(!is_intact);
}

#[tokio::test]
async fn what_is_no_document_is_not_adopted() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let absent = status_file::adopt(&status, &[]);
    assert!(matches!(absent, Err(AdoptError::Absent(_))), "{absent:?}");
    fs::write(&status, "").unwrap();
    let empty = status_file::adopt(&status, &[]);
    assert!(
        matches!(empty, Err(AdoptError::Undecodable { .. })),
        "{empty:?}"
    );
    fs::write(&status, [0xff, 0xfe]).unwrap();
    let binary = status_file::adopt(&status, &[]);
    assert!(matches!(binary, Err(AdoptError::NotText(_))), "{binary:?}");
}

#[tokio::test]
async fn a_configuration_behind_swapped_links_is_followed() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    for version in ["v1", "v2"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("cluster.yaml"), version).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/cluster.yaml", at("cluster.yaml")).unwrap();
    let backend = backend(&status_in(&directory)).unwrap();
    let mut configuration = backend.configuration.watch();
    for version in ["v1", "v2"] {
        let read = configuration
            .wait_for(|it| it.as_ref().and_then(|it| it.text.as_deref()) == Some(version));
        timeout(LIMIT, read).await.unwrap().unwrap();
        symlink("v2", at("..data_new")).unwrap();
        fs::rename(at("..data_new"), at("..data")).unwrap();
    }
}

#[tokio::test]
async fn a_configuration_is_not_read_before_whoever_writes_it_has_closed_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("cluster.yaml");
    fs::write(&path, "one").unwrap();
    let backend = backend(&status_in(&directory)).unwrap();
    let mut configuration = backend.configuration.watch();
    let is = |text: &'static str| {
        move |it: &Option<ConfigurationText>| {
            it.as_ref().and_then(|it| it.text.as_deref()) == Some(text)
        }
    };
    let read = timeout(LIMIT, configuration.wait_for(is("one")));
    read.await.unwrap().unwrap();
    let mut writer = File::create(&path).unwrap();
    writer.write_all(b"shards: 1").unwrap();
    // So long that it would be believed.
    let half = timeout(
        Duration::from_secs(4),
        configuration.wait_for(is("shards: 1")),
    );
    assert!(half.await.is_err());
    writer.write_all(b"6").unwrap();
    drop(writer);
    let whole = timeout(LIMIT, configuration.wait_for(is("shards: 16")));
    whole.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_status_of_others_is_not_read_while_they_write_it() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let whole = "instanceId: theirs\nshardIdGenerator: 16\n";
    fs::write(&status, &whole[..whole.len() - 2]).unwrap();
    let backend = backend(&status).unwrap();
    let write = async {
        sleep(Duration::from_millis(500)).await;
        fs::write(&status, whole).unwrap();
    };
    let (outcome, ()) = tokio::join!(backend.store.load(), write);
    let LoadOutcome::Unavailable { reason, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("is being written"), "{reason}");
    assert_eq!(found(&backend).await.status.shard_id_generator, 16);
}

#[tokio::test]
async fn a_lock_file_that_others_could_open_and_lock_is_put_back_to_being_private() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let lock = status.with_extension("lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o666)).unwrap();
    let (_backend, _reports) = leader(&status).await;
    assert_eq!(mode(&lock), 0o600);
}

#[tokio::test]
async fn a_lock_file_that_is_a_link_is_refused_and_its_target_stays_as_it_was() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let lock = status.with_extension("lock");
    let target = directory.path().join("theirs");
    fs::write(&target, "").unwrap();
    symlink("theirs", &lock).unwrap();
    let refused = backend(&status).err().unwrap();
    assert!(matches!(refused, FileError::Lock { .. }), "{refused}");
    assert!(refused.to_string().contains("symbolic link"), "{refused}");
    fs::remove_file(&lock).unwrap();

    // It is no better if it becomes one later.
    let (backend, reports) = leader(&status).await;
    let version = store(&backend, None, 1).await;
    backend.leadership.release().await;
    drop(reports);
    fs::remove_file(&lock).unwrap();
    symlink("theirs", &lock).unwrap();
    let mut reports = campaign(&backend);
    let won = timeout(Duration::from_millis(300), reports.recv()).await;
    assert!(won.is_err());
    let outcome = backend.store.store(Some(version), document(2)).await;
    assert!(!matches!(outcome, StoreOutcome::Stored(_)), "{outcome:?}");
    assert_eq!(fs::read(&target).unwrap(), b"");
}

#[tokio::test]
async fn a_pipe_in_the_place_of_the_status_is_refused() {
    let directory = TempDir::new().unwrap();
    let status = status_in(&directory);
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &status, FileType::Fifo, mode, 0).unwrap();
    let refused = backend(&status).err().unwrap();
    assert!(matches!(refused, FileError::Path { .. }), "{refused}");
    assert!(refused.to_string().contains("a pipe"), "{refused}");
}

#[tokio::test]
async fn a_directory_is_no_status_file() {
    let directory = TempDir::new().unwrap();
    let opened = backend(directory.path());
    assert!(matches!(opened, Err(FileError::Path { .. })));
}

#[tokio::test]
async fn what_is_no_address_in_the_lock_file_is_not_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let status = directory.path().join("status.json");
    let (_leader, _reports) = leader(&status).await;
    let notes = Notes {
        holder: Some(Holder {
            name: "a".to_owned(),
            process: 7,
            public_address: Some("0.0.0.0:6651".to_owned()),
        }),
        document: None,
    };
    let lock = File::options()
        .write(true)
        .open(status.with_file_name("status.json.lock"));
    let at = u64::try_from(notes::AT).unwrap();
    lock.unwrap().write_all_at(&notes.encode(), at).unwrap();
    let other = backend_of("b", None, &status).unwrap();
    let _waiting = campaign(&other);
    knows(&other, "a").await;
    assert_eq!(other.leadership.leader_address("a"), None);
}

/// Returns once it knows that this one leads.
async fn knows(backend: &Backend, leader: &str) {
    let known = async {
        while backend.leadership.leader().as_deref() != Some(leader) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, known).await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_the_lock_knows_who_has_it_and_where_people_reach_them() {
    let directory = tempfile::tempdir().unwrap();
    let status = directory.path().join("status.json");
    let leader = backend_of("a", Some("a.example:6651"), &status).unwrap();
    let mut reports = campaign(&leader);
    assert_eq!(next(&mut reports).await, WON);
    let other = backend_of("b", None, &status).unwrap();
    let mut waiting = campaign(&other);
    knows(&other, "a").await;
    let address = |name| other.leadership.leader_address(name);
    assert_eq!(address("a").as_deref(), Some("a.example:6651"));
    assert_eq!(address("c"), None);
    leader.leadership.release().await;
    assert_eq!(next(&mut waiting).await, WON);
    assert_eq!(other.leadership.leader().as_deref(), Some("b"));
    assert_eq!(address("a"), None);
}
