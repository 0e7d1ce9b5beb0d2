use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use stepdown_wire::tls::TlsOptions;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::raft::command::{Applied, Command};
use crate::raft::fixtures::alone;
use crate::raft::network::Greeting;
use crate::raft::network::tests::tls::certificate;
use crate::raft::storage::OpenError;

const LIMIT: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(20);

/// Hosts with an address and a directory each; whose node runs is up to the test.
struct Hosts {
    dir: TempDir,
    addresses: Vec<String>,
    running: Vec<Option<Running>>,
    tls: Option<TlsOptions>,
}

impl Hosts {
    fn new(count: usize) -> Self {
        let ports: Vec<_> = (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let mut addresses: Vec<_> = ports
            .iter()
            .map(|it| it.local_addr().unwrap().to_string())
            .collect();
        addresses.sort();
        Self {
            dir: tempfile::tempdir().unwrap(),
            addresses,
            running: (0..count).map(|_| None).collect(),
            tls: None,
        }
    }

    fn data_dir(&self, host: usize) -> PathBuf {
        self.dir.path().join(host.to_string())
    }

    fn options(&self, host: usize) -> RaftOptions {
        RaftOptions {
            address: self.addresses[host].clone(),
            bootstrap_nodes: self.addresses.clone(),
            data_dir: self.data_dir(host),
            tls: self.tls.clone(),
        }
    }

    /// Once a node that was here before has let go of its directory and its port.
    async fn start(&mut self, host: usize) {
        let options = self.options(host);
        let started = async {
            loop {
                match start(&options, &format!("node-{host}"), RaftTiming::default()).await {
                    Err(StartError::Open(OpenError::InUse(_)) | StartError::Listen { .. }) => {
                        sleep(SOON).await;
                    }
                    started => return started.unwrap(),
                }
            }
        };
        self.running[host] = Some(timeout(LIMIT, started).await.unwrap());
    }

    fn stop(&mut self, host: usize) {
        self.running[host] = None;
    }

    fn node(&self, host: usize) -> &Arc<Node> {
        &self.running[host].as_ref().unwrap().node
    }

    async fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let so = async {
            while !is_so(self) {
                sleep(SOON).await;
            }
        };
        assert!(timeout(LIMIT, so).await.is_ok(), "waited for {what}");
    }

    /// The one cluster that all of these hosts are of, once that is so.
    async fn formed(&self, hosts: &[usize]) -> ClusterId {
        let known = |it: &Self| {
            let held = hosts.iter().map(|host| it.node(*host).held());
            held.map(|held| held.machine.cluster)
                .collect::<BTreeSet<_>>()
        };
        self.until("one cluster", |it| {
            let known = known(it);
            known.len() == 1 && !known.contains(&None)
        })
        .await;
        known(self).into_iter().next().flatten().unwrap()
    }

    /// What the node there says of itself, once `is_so`.
    async fn said(&self, host: usize, is_so: impl Fn(&Greeting) -> bool) -> Greeting {
        let identity = Identity::new(1, None);
        let bootstrap = self.addresses.iter().cloned().collect();
        let asks = Introduction::new(identity.clone(), Member::default(), bootstrap);
        let connections = Connections::new(identity, None, Deadlines::default());
        let greeter = connections.greeter(&self.addresses[host]);
        let said = async {
            loop {
                match greeter.greet(asks.greeting(false)).await {
                    Ok(greeting) if is_so(&greeting) => return greeting,
                    Ok(_) | Err(_) => sleep(SOON).await,
                }
            }
        };
        timeout(LIMIT, said).await.unwrap()
    }

    async fn write(&self, hosts: &[usize], version: u64) {
        let written = async {
            loop {
                for host in hosts {
                    let command = Command::Configure {
                        expected: version - 1,
                        text: None,
                    };
                    if let Ok(Applied::Configured(_)) = self.node(*host).write(command).await {
                        return;
                    }
                }
                sleep(SOON).await;
            }
        };
        timeout(LIMIT, written).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_that_are_started_one_by_one_form_one_cluster_once_all_are_there() {
    let _alone = alone().await;
    let mut hosts = Hosts::new(3);
    hosts.start(0).await;
    hosts.start(1).await;
    hosts.said(0, |it| it.reached.len() == 1).await;
    hosts.said(1, |it| it.reached.len() == 1).await;
    assert!(!hosts.node(0).is_formed().await.unwrap());
    hosts.start(2).await;
    let cluster = hosts.formed(&[0, 1, 2]).await;
    let id = hosts.node(2).id();
    assert!(hosts.node(0).has_member(id));

    hosts.said(2, |it| it.cluster == Some(cluster)).await;
    hosts.stop(2);
    hosts.write(&[0, 1], 1).await;
    hosts.start(2).await;
    assert_eq!(hosts.node(2).id(), id, "the disk has kept its number");
    hosts
        .until("what was written meanwhile", |it| {
            it.node(2).held().machine.configuration.version == 1
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_disk_was_emptied_is_somebody_else_and_is_not_taken_in_by_itself() {
    let _alone = alone().await;
    let mut hosts = Hosts::new(3);
    for host in 0..3 {
        hosts.start(host).await;
    }
    hosts.formed(&[0, 1, 2]).await;
    let before = hosts.node(0).id();
    hosts.stop(0);
    hosts.write(&[1, 2], 1).await;
    let emptied = hosts.data_dir(0);
    fs::rename(&emptied, emptied.with_extension("lost")).unwrap();
    hosts.start(0).await;
    assert_ne!(hosts.node(0).id(), before);
    hosts.said(0, |it| it.reached.len() == 2).await;
    hosts.write(&[1, 2], 2).await;
    assert!(!hosts.node(0).is_formed().await.unwrap());
    assert!(!hosts.node(1).has_member(hosts.node(0).id()));
    assert!(hosts.node(1).has_member(before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_forms_a_cluster_and_keeps_its_directory_to_itself() {
    let _alone = alone().await;
    let mut hosts = Hosts::new(1);
    hosts.start(0).await;
    hosts.formed(&[0]).await;
    let elsewhere = RaftOptions {
        address: "127.0.0.1:0".to_owned(),
        ..hosts.options(0)
    };
    let refused = start(&elsewhere, "another", RaftTiming::default()).await;
    let refused = refused.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("another process"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_the_others_know_at_another_address_does_not_take_part() {
    let _alone = alone().await;
    let mut hosts = Hosts::new(2);
    hosts.start(0).await;
    hosts.start(1).await;
    hosts.formed(&[0, 1]).await;
    hosts.stop(1);
    let elsewhere = RaftOptions {
        address: "127.0.0.1:0".to_owned(),
        ..hosts.options(1)
    };
    let refused = timeout(LIMIT, async {
        loop {
            match start(&elsewhere, "node-1", RaftTiming::default()).await {
                Err(StartError::Open(OpenError::InUse(_))) => sleep(SOON).await,
                refused => return refused.map(|_| ()).unwrap_err().to_string(),
            }
        }
    });
    let refused = refused.await.unwrap();
    assert!(refused.contains(&hosts.addresses[1]), "{refused}");
    hosts.start(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_show_each_other_certificates_form_a_cluster_without_one_that_has_none() {
    let _alone = alone().await;
    let mut hosts = Hosts::new(2);
    hosts.tls = Some(certificate(hosts.dir.path()));
    hosts.start(0).await;
    let tls = hosts.tls.take();
    hosts.start(1).await;
    hosts.said(1, |_| true).await;
    assert!(!hosts.node(0).is_formed().await.unwrap());
    hosts.stop(1);
    hosts.tls = tls;
    hosts.start(1).await;
    hosts.formed(&[0, 1]).await;
}
