//! `oxia perf`: upstream's own client, at a steady rate.

use std::fs;
use std::path::Path;

use serde_json::Value;
use stepdown_sandbox::cluster::{Process, ProcessOptions};

use super::OxiaServer;
use crate::processes::stepdown;

/// Operations a second.
const RATE: &str = "400";
/// Writes tell whether a shard is led by a majority, and reads whether it is led at all.
const READ_PERCENT: &str = "25";

/// A running `oxia perf`.
#[derive(Debug)]
pub struct Perf(Process);

/// What it says of 10 seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    /// Operations a second that were done.
    pub done: f64,
    /// Operations a second that failed.
    pub failed: f64,
    /// The slowest write, in milliseconds.
    pub slowest_write: f64,
    /// The slowest read, in milliseconds.
    pub slowest_read: f64,
}

impl Perf {
    /// Starts it; it finds the others by this data server.
    pub fn start(oxia: &Path, server: &OxiaServer, dir: &Path) -> Self {
        let process = Process::start(ProcessOptions {
            name: "perf".to_owned(),
            starter: stepdown(),
            program: oxia.to_owned(),
            words: vec![
                "perf".into(),
                "--log-json".into(),
                format!("--service-address={}", server.identity().public).into(),
                format!("--rate={RATE}").into(),
                format!("--read-write-percent={READ_PERCENT}").into(),
            ],
            environment: Vec::new(),
            log: dir.join("perf.log"),
        });
        Self(process.expect("the process can be started"))
    }

    /// The process.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }

    /// What it has said so far.
    pub fn stats(&self) -> Vec<Stats> {
        self.text().lines().filter_map(read).collect()
    }

    /// How many operations have failed so far.
    pub fn failures(&self) -> usize {
        self.text().matches(" operation has failed\"").count()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.log()).unwrap_or_default()
    }
}

fn read(line: &str) -> Option<Stats> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = line.get("message")?.as_str()?;
    let (writes, reads) = text.split_once("Read ")?;
    Some(Stats {
        done: number_after(writes, "Total ops:")?,
        failed: number_after(writes, "Failed ops:")?,
        slowest_write: number_after(writes, "max")?,
        slowest_read: number_after(reads, "max")?,
    })
}

fn number_after(text: &str, word: &str) -> Option<f64> {
    let (_, after) = text.split_once(word)?;
    after.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_ten_seconds_are_read() {
        let line = r#"{"level":"info","message":"Stats - Total ops:  329.7 ops/s - Failed ops:    0.5 ops/s\n\t\t\tWrite ops   65.9 w/s  Latency ms: 50%  23.1 - max  203.4\n\t\t\tRead  ops  263.8 r/s  Latency ms: 50%   6.1 - max   78.9"}"#;
        let stats = Stats {
            done: 329.7,
            failed: 0.5,
            slowest_write: 203.4,
            slowest_read: 78.9,
        };
        assert_eq!(read(line), Some(stats));
        assert_eq!(read(r#"{"message":"Starting Oxia perf client"}"#), None);
    }
}
