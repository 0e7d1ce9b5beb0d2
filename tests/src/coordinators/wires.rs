//! A network of their own for coordinators: a network namespace each, and a wire between any two of
//! them, of which each direction can be cut. What is sent over a cut wire is lost without a word.
//!
//! It needs Linux, and somebody who may make namespaces. A test that wants one runs itself again,
//! within a namespace, where it is another host on the wires; everything ends with it.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::processes::stepdown;
use crate::skipped::skip;

/// Set in a test that was run again.
const WITHIN: &str = "STEPDOWN_WITHIN_NAMESPACE";
/// Nobody's.
const NOBODY: &str = "02:00:00:00:00:99";
/// A namespace with processes of its own, that end with the first of them.
const UNSHARE: [&str; 6] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// Says whether this test is within a namespace; runs it again in one if it is not. It is skipped,
/// loudly, where that can't be.
#[must_use]
pub fn is_within(test: &str) -> bool {
    if env::var_os(WITHIN).is_some() {
        return true;
    }
    let Some(unshare) = unshare() else {
        skip(
            "STEPDOWN_FAULTS",
            "Coordinators whose network is cut one way are",
            "it needs\n  root (or unprivileged namespaces), unshare, nsenter and ip (iproute2)",
        );
        return false;
    };
    let own = env::current_exe().expect("a test knows its own file");
    let status = Command::new("unshare")
        .args(unshare)
        .arg("--")
        .arg(own)
        .args(["--exact", test, "--nocapture"])
        .env(WITHIN, "1")
        .status()
        .expect("it was run just now");
    assert!(status.success(), "within a namespace: {status}");
    false
}

/// The words that make a namespace here, if there are any.
fn unshare() -> Option<Vec<&'static str>> {
    let of_user = ["--user", "--map-root-user"];
    let probe = "ip link add probe-a type veth peer name probe-b && command -v nsenter";
    let makes = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(words).args(["--", "sh", "-c", probe]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|it| it.success())
    };
    let all = [UNSHARE.to_vec(), [&of_user[..], &UNSHARE[..]].concat()];
    all.into_iter().find(|words| makes(words))
}

/// Hosts with a wire between any two of them.
#[derive(Debug)]
pub struct Wires {
    /// Each sleeps in its namespace, and keeps it.
    keepers: Vec<Child>,
}

impl Wires {
    /// So many hosts, and the one that the test is on.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let keeper = |_| {
            Command::new("unshare")
                .args(["--net", "sleep", "infinity"])
                .spawn()
                .expect("it can be run: is_within has looked")
        };
        let wires = Self {
            keepers: (0..count).map(keeper).collect(),
        };
        for index in 0..count {
            wires.await_namespace(index);
        }
        let own = std::process::id();
        wires.name_host(own, count);
        for (index, keeper) in wires.keepers.iter().enumerate() {
            wires.name_host(keeper.id(), index);
        }
        for a in 0..=count {
            for b in 0..a {
                wires.connect(a, b);
            }
        }
        wires
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, index: usize) -> String {
        format!("10.77.0.{}", index + 1)
    }

    /// A program in this directory that is `stepdown`, on a host.
    #[must_use]
    pub fn program(&self, dir: &Path, index: usize) -> PathBuf {
        let path = dir.join(format!("stepdown-{index}"));
        let text = format!(
            "#!/bin/sh\nexec nsenter --net=/proc/{}/ns/net -- '{}' \"$@\"\n",
            self.pid(index),
            stepdown().display()
        );
        fs::write(&path, text).expect("the directory is there");
        let permissions = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, permissions).expect("it was written");
        path
    }

    /// From now on nothing that the one sends arrives at the other.
    pub fn cut(&self, from: usize, to: usize) {
        self.address_to(from, to, NOBODY);
    }

    /// It arrives again.
    pub fn mend(&self, from: usize, to: usize) {
        self.address_to(from, to, &mac(to, from));
    }

    fn pid(&self, index: usize) -> u32 {
        self.keepers
            .get(index)
            .map_or_else(std::process::id, Child::id)
    }

    /// Waits until its keeper is in a namespace of its own.
    fn await_namespace(&self, index: usize) {
        let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = namespace(std::process::id());
        let theirs = || namespace(self.pid(index)).filter(|it| Some(it) != own.as_ref());
        while theirs().is_none() {
            std::thread::yield_now();
        }
    }

    fn name_host(&self, pid: u32, index: usize) {
        let address = self.address(index);
        ip(
            pid,
            &format!("link set lo up\naddr add {address}/32 dev lo\n"),
        );
    }

    fn connect(&self, a: usize, b: usize) {
        let (to_b, to_a) = (wire(b), wire(a));
        ip(
            self.pid(a),
            &format!(
                "link add {to_b} address {} type veth peer name {to_a} address {} netns {}\n",
                mac(a, b),
                mac(b, a),
                self.pid(b)
            ),
        );
        for (from, to) in [(a, b), (b, a)] {
            let (own, other, wire) = (self.address(from), self.address(to), wire(to));
            let text = format!("link set {wire} up\nroute add {other} dev {wire} src {own}\n");
            ip(self.pid(from), &text);
            self.mend(from, to);
        }
    }

    /// Everything from one host to another is sent to this network interface.
    fn address_to(&self, from: usize, to: usize, mac: &str) {
        let (address, wire) = (self.address(to), wire(to));
        let text = format!("neigh replace {address} lladdr {mac} dev {wire} nud permanent\n");
        ip(self.pid(from), &text);
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        for keeper in &mut self.keepers {
            // It may have ended.
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

/// The interface of the wire to a host.
fn wire(to: usize) -> String {
    format!("to-{to}")
}

/// The interface of one host on the wire to another.
fn mac(of: usize, to: usize) -> String {
    format!("02:00:00:00:{of:02x}:{to:02x}")
}

/// Carries out commands of `ip` where that process is.
fn ip(pid: u32, commands: &str) {
    let mut child = Command::new("nsenter")
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .args(["--", "ip", "-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it can be run: is_within has looked");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(commands.as_bytes()).expect("it reads all");
    drop(stdin);
    let status = child.wait().expect("it was started");
    assert!(status.success(), "ip: {status}: {commands}");
}
