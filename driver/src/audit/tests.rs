//! What is written, when, and what becomes of changes that can't be.

use std::fs;
use std::sync::{Mutex, PoisonError, mpsc};

use serde_json::{Value, json};
use stepdown_wire::port::Peer;

use super::*;
use crate::auth::{Caller, Identity};

/// A log that is looked at.
#[derive(Clone, Default)]
pub(crate) struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    /// An audit that is written to it.
    pub(crate) fn audit(&self) -> Audit {
        Audit::with_log(Box::new(self.clone()), LogFormat::Json, None).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::str::from_utf8(&text).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes nothing until it is told to.
struct Slow(mpsc::Receiver<()>, Text);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes nothing.
pub(crate) struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn alice() -> Caller {
    let identity = Identity {
        issuer: "https://issuer".into(),
        subject: "alice".to_owned(),
        groups: Vec::new(),
        claims: serde_json::Map::new(),
    };
    let peer = Peer {
        remote: "10.0.0.1:5000".parse().ok(),
        ..Peer::default()
    };
    Caller::of_token(identity, peer)
}

fn change(caller: &Caller) -> Change<'_> {
    Change {
        caller,
        action: "PatchNamespace",
        target: "namespace a",
        before: json!({"replicationFactor": 1}),
        after: json!({"replicationFactor": 3}),
        epoch: Some(7),
    }
}

fn said<'a>(line: &'a Value, key: &str) -> &'a Value {
    line.get(key).unwrap_or(&Value::Null)
}

/// What an audit with this file has written into it.
fn in_file(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_change_has_a_line_before_it_is_made_and_one_after() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit");
    let log = Text::default();
    let audit = Audit::with_log(Box::new(log.clone()), LogFormat::Json, Some(&path)).unwrap();
    let caller = alice();
    let record = audit.begin(change(&caller)).await.unwrap();
    let request = record.request().to_owned();
    for lines in [log.lines(), in_file(&path)] {
        assert_eq!(lines.len(), 1);
        assert_eq!(said(&lines[0], "phase"), "begin");
    }
    record
        .end(Outcome::Failed("in conflict".into()))
        .await
        .unwrap();
    for lines in [log.lines(), in_file(&path)] {
        assert_eq!(lines.len(), 2);
        for line in &lines {
            for (key, expected) in [
                ("component", json!("audit")),
                ("request", json!(request)),
                ("who", json!("alice")),
                ("how", json!("token")),
                ("issuer", json!("https://issuer")),
                ("from", json!("10.0.0.1:5000")),
                ("action", json!("PatchNamespace")),
                ("target", json!("namespace a")),
                ("before", json!({"replicationFactor": 1})),
                ("after", json!({"replicationFactor": 3})),
                ("epoch", json!(7)),
            ] {
                assert_eq!(said(line, key), &expected, "{key}");
            }
        }
        assert_eq!(said(&lines[1], "phase"), "end");
        assert_eq!(said(&lines[1], "outcome"), "failed");
        assert_eq!(said(&lines[1], "reason"), "in conflict");
    }
    assert_eq!(said(&log.lines()[0], "level"), "info");
}

#[tokio::test]
async fn changes_are_written_down_by_whichever_thread_they_are_made_on() {
    let log = Text::default();
    let audit = Audit::with_log(Box::new(log.clone()), LogFormat::Json, None).unwrap();
    let tasks = (0..20).map(|_| {
        let audit = audit.clone();
        tokio::spawn(async move {
            let record = audit.begin(change(&alice())).await.unwrap();
            record.end(Outcome::Done).await.unwrap();
        })
    });
    for ended in futures_util::future::join_all(tasks).await {
        ended.unwrap();
    }
    assert_eq!(log.lines().len(), 40);
}

#[tokio::test]
async fn what_came_of_a_change_that_is_broken_off_is_said_to_be_unknown() {
    let log = Text::default();
    let audit = Audit::with_log(Box::new(log.clone()), LogFormat::Json, None).unwrap();
    drop(audit.begin(change(&alice())).await.unwrap());
    // The end waits for what was ordered.
    drop(audit);
    let lines = log.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(said(&lines[1], "outcome"), "unknown");
    assert_eq!(said(&lines[0], "request"), said(&lines[1], "request"));
}

#[tokio::test]
async fn a_change_that_can_not_be_written_to_the_log_is_refused() {
    let audit = Audit::with_log(Box::new(Broken), LogFormat::Json, None).unwrap();
    let refused = audit.begin(change(&alice())).await.unwrap_err();
    assert!(matches!(refused, AuditError::Log(_)), "{refused}");
}

#[tokio::test]
async fn a_change_whose_line_takes_too_long_is_refused_and_nothing_is_lost() {
    let (takes, taken) = mpsc::channel();
    let log = Text::default();
    let slow = Slow(taken, log.clone());
    let mut audit = Audit::with_log(Box::new(slow), LogFormat::Json, None).unwrap();
    audit.within = Duration::from_millis(20);
    let refused = audit.begin(change(&alice())).await.unwrap_err();
    assert!(matches!(refused, AuditError::Slow(_)), "{refused}");
    drop(takes);
    drop(audit);
    let lines = log.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(said(&lines[1], "outcome"), "failed");
    let reason = said(&lines[1], "reason").as_str().unwrap();
    assert!(reason.starts_with("not begun: "), "{reason}");
}

#[tokio::test]
async fn no_more_changes_are_under_way_than_may_be() {
    let log = Text::default();
    let audit = Audit::with_log(Box::new(log.clone()), LogFormat::Json, None).unwrap();
    let caller = alice();
    let mut under_way = Vec::new();
    for _ in 0..MOST {
        under_way.push(audit.begin(change(&caller)).await.unwrap());
    }
    let refused = audit.begin(change(&caller)).await.unwrap_err();
    assert!(matches!(refused, AuditError::Busy), "{refused}");
    under_way.pop().unwrap().end(Outcome::Done).await.unwrap();
    assert!(audit.begin(change(&caller)).await.is_ok());
}

#[tokio::test]
async fn a_file_that_was_renamed_is_opened_anew_when_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let log = Text::default();
    let audit = Audit::with_log(Box::new(log), LogFormat::Json, Some(&at("audit"))).unwrap();
    let caller = alice();
    let record = audit.begin(change(&caller)).await.unwrap();
    fs::rename(at("audit"), at("older")).unwrap();
    audit.reopen();
    record.end(Outcome::Done).await.unwrap();
    assert_eq!(in_file(&at("older")).len(), 1);
    assert_eq!(in_file(&at("audit")).len(), 1);
}

#[test]
fn a_file_that_can_not_be_opened_is_an_error_that_names_its_key() {
    let error = Audit::with_log(
        Box::new(io::sink()),
        LogFormat::Json,
        Some(Path::new("/nonexistent/audit")),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("can't write /nonexistent/audit, set by observability.audit.path: "),
        "{error}"
    );
}
