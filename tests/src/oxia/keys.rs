//! Keys that upstream's own client puts all the time, and reads back at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stepdown_sandbox::workload::Entries;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// A client that says nothing for so long is ended, and the next one asks another data server.
const WITHIN: Duration = Duration::from_secs(6);
const PUT_TIMEOUT: &str = "--request-timeout=5s";
const SCAN_TIMEOUT: &str = "--request-timeout=60s";
const AGAIN: Duration = Duration::from_millis(200);

/// How keys are put.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two puts.
    pub pause: Duration,
    /// About how long a value is.
    pub bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(5),
            bytes: 100,
        }
    }
}

/// One client for each namespace, which puts one key after the other.
#[derive(Debug)]
pub struct Keys {
    oxia: PathBuf,
    /// Of data servers, for clients.
    addresses: Vec<String>,
    namespaces: BTreeMap<String, Arc<Mutex<Written>>>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Written {
    next: u64,
    acknowledged: Vec<u64>,
    /// When the last put that was acknowledged was sent.
    last: Option<Instant>,
}

impl Written {
    fn unanswered(&self) -> u64 {
        let acknowledged = u64::try_from(self.acknowledged.len()).unwrap_or(u64::MAX);
        self.next.saturating_sub(acknowledged)
    }
}

impl Keys {
    /// Begins to put, by upstream's program.
    pub fn start(oxia: &Path, addresses: Vec<String>, namespaces: &[String], pace: Pace) -> Self {
        let mut keys = Self {
            oxia: oxia.to_owned(),
            addresses,
            namespaces: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        for namespace in namespaces {
            let written = Arc::<Mutex<Written>>::default();
            keys.tasks.spawn(put(
                keys.oxia.clone(),
                keys.addresses.clone(),
                namespace.clone(),
                pace,
                Arc::clone(&written),
            ));
            keys.namespaces.insert(namespace.clone(), written);
        }
        keys
    }

    /// The namespaces that have acknowledged nothing that was sent after `since`.
    pub(crate) fn silent_since(&self, since: Instant) -> Vec<String> {
        let silent = self
            .namespaces
            .iter()
            .filter(|(_, it)| locked(it).last.is_none_or(|last| last < since));
        silent.map(|(name, _)| name.clone()).collect()
    }

    /// Keys acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        let written = self.namespaces.values();
        written.map(|it| locked(it).acknowledged.len()).sum()
    }

    /// Puts that were sent and not acknowledged, those among them that wait for an answer still.
    pub(crate) fn unanswered(&self) -> u64 {
        let written = self.namespaces.values();
        written.map(|it| locked(it).unanswered()).sum()
    }

    /// Ends the clients; what was acknowledged stays known.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Reads every acknowledged key back; asks again where no answer comes, until `deadline`.
    pub(crate) async fn verify(&self, deadline: Instant) -> Entries {
        let mut entries = Entries::default();
        for (namespace, written) in &self.namespaces {
            let acknowledged = locked(written).acknowledged.clone();
            entries.acknowledged += u64::try_from(acknowledged.len()).unwrap_or(u64::MAX);
            let Some(found) = self.read_back(namespace, deadline).await else {
                continue;
            };
            let (there, lost): (Vec<_>, Vec<_>) =
                acknowledged.into_iter().partition(|it| found.contains(it));
            if !lost.is_empty() {
                eprintln!("{namespace} has lost {lost:?}");
            }
            entries.verified += u64::try_from(there.len()).unwrap_or(u64::MAX);
            entries.lost += u64::try_from(lost.len()).unwrap_or(u64::MAX);
        }
        entries
    }

    async fn read_back(&self, namespace: &str, deadline: Instant) -> Option<BTreeSet<u64>> {
        for address in self.addresses.iter().cycle() {
            let scanned = async {
                let mut client = Client::start(&self.oxia, address, namespace, SCAN_TIMEOUT)?;
                client.scan().await
            };
            match timeout(deadline.duration_since(Instant::now()), scanned).await {
                Ok(Ok(found)) => return Some(found),
                Ok(Err(_)) => sleep(AGAIN).await,
                Err(_) => return None,
            }
        }
        None
    }
}

async fn put(
    oxia: PathBuf,
    addresses: Vec<String>,
    namespace: String,
    pace: Pace,
    written: Arc<Mutex<Written>>,
) {
    for address in addresses.iter().cycle() {
        if let Ok(mut client) = Client::start(&oxia, address, &namespace, PUT_TIMEOUT) {
            while client.put(pace.bytes, &written).await.is_ok() {
                sleep(pace.pause).await;
            }
        }
        sleep(AGAIN).await;
    }
}

/// A running `oxia shell`, which does one line after the other, and ends at the first that fails.
struct Client {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(oxia: &Path, address: &str, namespace: &str, within: &str) -> io::Result<Self> {
        let mut child = Command::new(oxia)
            .args(["shell", within, "-a", address, "-n", namespace])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or_else(closed)?;
        let output = child.stdout.take().ok_or_else(closed)?;
        Ok(Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    async fn put(&mut self, bytes: usize, written: &Mutex<Written>) -> io::Result<()> {
        let number = {
            let mut written = locked(written);
            written.next += 1;
            written.next
        };
        let sent = Instant::now();
        let line = format!("put {} {}\n", key(number), value(number, bytes));
        let answer = format!("{{\"key\":\"{}\"", key(number));
        let acknowledged = async {
            self.input.write_all(line.as_bytes()).await?;
            // What it logs goes the same way.
            while !self.line().await?.starts_with(&answer) {}
            Ok::<_, io::Error>(())
        };
        timeout(WITHIN, acknowledged).await??;
        let mut written = locked(written);
        written.acknowledged.push(number);
        written.last = Some(sent);
        Ok(())
    }

    /// The numbers of all keys that are there, with their values.
    async fn scan(&mut self) -> io::Result<BTreeSet<u64>> {
        self.input.write_all(b"range-scan\nput end end\n").await?;
        let mut found = BTreeSet::new();
        loop {
            let line = self.line().await?;
            if line.starts_with("{\"key\":\"end\"") {
                return Ok(found);
            }
            found.extend(number_of(&line));
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        self.output.next_line().await?.ok_or_else(closed)
    }
}

fn closed() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn key(number: u64) -> String {
    format!("key-{number:08}")
}

/// A value like no other, which can't be compressed much.
fn value(number: u64, bytes: usize) -> String {
    let mut random = fastrand::Rng::with_seed(number);
    (0..bytes).map(|_| random.alphanumeric()).collect()
}

/// The number of a scanned record whose value is that of its key.
fn number_of(line: &str) -> Option<u64> {
    let (key, value) = line.split_once('\t')?;
    let number = key.strip_prefix("key-")?.parse().ok()?;
    (value == self::value(number, value.len())).then_some(number)
}

fn locked(written: &Mutex<Written>) -> MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_only_with_the_value_of_its_key() {
        let record = |it, of| format!("{}\t{}", key(it), value(of, 3));
        assert_eq!(number_of(&record(7, 7)), Some(7));
        assert_eq!(number_of(&record(7, 8)), None);
        assert_eq!(number_of("{\"key\":\"key-00000007\"}"), None);
    }
}
