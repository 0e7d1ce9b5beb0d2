//! The configuration document and what operators do to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use stepdown_core::{ConfigurationText, Event};

use super::clock::At;

/// What the configuration says when it is whole, and how it is broken now.
#[derive(Clone, Debug)]
pub struct Configured {
    pub namespaces: Vec<(String, u32)>,
    pub replication: u32,
    pub servers: Vec<Address>,
    pub broken: Option<u8>,
    /// Until then it can't be read; who reads of its changes hears of them.
    pub unreadable: At,
    /// Since when namespaces that were added are named.
    pub since: BTreeMap<String, At>,
    /// How often it is looked whether shards are to be moved.
    pub balanced_every: &'static str,
}

/// A data server's name and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub name: String,
    pub public: String,
    pub internal: String,
}

/// The name of the server with this address, wherever it is.
pub fn name_at(internal: &str) -> Arc<str> {
    let name = internal.rsplit_once('-').map(|(name, _)| name);
    name.unwrap_or(internal).into()
}

impl Address {
    pub fn of(server: usize, move_number: u32) -> Self {
        Self {
            name: format!("server-{server}"),
            public: format!("server-{server}-{move_number}:6648"),
            internal: format!("server-{server}-{move_number}:6649"),
        }
    }
}

impl Configured {
    /// What a coordinator hears of it: of what is broken, it reads some itself.
    pub fn read(&self) -> Event {
        let ConfigurationText { source, text } = self.text();
        if self.broken.is_some_and(|it| it % 2 == 1) {
            let reason = "servers[0].internal: can't be dialled".to_owned();
            return Event::ConfigurationRefused { source, reason };
        }
        Event::ConfigurationRead(ConfigurationText { source, text })
    }

    /// What a coordinator finds that reads it once more.
    pub fn found(&self, now: At) -> Result<ConfigurationText, String> {
        if now < self.unreadable {
            return Err("cluster.yaml: input/output error".to_owned());
        }
        Ok(self.text())
    }

    /// What the document says.
    pub fn text(&self) -> ConfigurationText {
        let text = match self.broken {
            None => Some(self.whole(self.replication)),
            Some(0) => None,
            Some(1) => Some(String::new()),
            Some(2) => Some("# nothing but a comment\n".to_owned()),
            Some(3) => Some("namespaces: [{name: \"default\"".to_owned()),
            Some(4) => Some(self.whole(99)),
            Some(_) => Some("{\"namespaces\":[],\"servers\":[]}\n".to_owned()),
        };
        ConfigurationText {
            source: "cluster.yaml".to_owned(),
            text,
        }
    }

    /// JSON, which is YAML too.
    fn whole(&self, replication: u32) -> String {
        let mut text = "{\"namespaces\":[".to_owned();
        for (index, (name, shards)) in self.namespaces.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma}{{\"name\":\"{name}\",\"initialShardCount\":{shards},\
                 \"replicationFactor\":{replication}}}"
            );
        }
        text.push_str("],\"servers\":[");
        for (index, server) in self.servers.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma}{{\"name\":\"{}\",\"public\":\"{}\",\"internal\":\"{}\"}}",
                server.name, server.public, server.internal
            );
        }
        let every = self.balanced_every;
        let _ = writeln!(
            text,
            "],\"loadBalancer\":{{\"scheduleInterval\":\"{every}\",\"quarantineTime\":\"20s\"}}}}"
        );
        text
    }
}
