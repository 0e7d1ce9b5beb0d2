//! Whether those that are listed form a cluster now, from what each of them says.
//!
//! All of them must be there, new, of one list, and find each other at the same addresses. With one
//! away, nobody knows whether its disk has what the others have lost; and where two processes claim
//! one address, a majority could be made up twice.

use std::collections::BTreeMap;
use std::fmt;

use crate::raft::network::Greeting;
use crate::raft::types::{Member, NodeId};

/// What was answered at each address, or why nothing was.
pub(super) type Answers = BTreeMap<String, Result<Greeting, String>>;

/// What a node with an empty disk does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It forms the cluster, of these. Only one of them does.
    Form(BTreeMap<NodeId, Member>),
    /// It waits.
    Wait(Waiting),
}

/// What it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// To be added: it lists nobody, or the node at an address is of a cluster that does not know it.
    Addition {
        /// Its own address.
        own: String,
        /// Where a cluster is.
        formed: Option<String>,
    },
    /// To be added: a cluster calls for a node that was at its address before.
    Claimed {
        /// Its own address.
        own: String,
    },
    /// For the node at the first address, which forms the cluster.
    First(String),
    /// For the leader of the cluster of the node at this address, which has it for a member.
    Leader(String),
    /// For these, to form the cluster.
    Listed(Vec<Obstacle>),
}

/// Why one of those that are listed is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) address: String,
    pub(super) reason: String,
}

/// What the node that says this of itself does next.
pub(super) fn plan(own: &Greeting, answers: &Answers) -> Plan {
    if own.is_claimed {
        let own = own.member.address.clone();
        return Plan::Wait(Waiting::Claimed { own });
    }
    if let Some(waiting) = formed_already(own, answers) {
        return Plan::Wait(waiting);
    }
    let (ready, mut obstacles) = who_is_ready(own, answers);
    obstacles.extend(namesakes(own, &ready));
    if !obstacles.is_empty() {
        return Plan::Wait(Waiting::Listed(obstacles));
    }
    if let Some(first) = own.bootstrap.first()
        && *first != own.member.address
    {
        return Plan::Wait(Waiting::First(first.clone()));
    }
    for greeting in ready.values() {
        obstacles.extend(differs(greeting, own, &ready));
    }
    if !obstacles.is_empty() {
        return Plan::Wait(Waiting::Listed(obstacles));
    }
    let members = ready.values().chain([&own]);
    Plan::Form(members.map(|it| (it.node, it.member.clone())).collect())
}

fn formed_already(own: &Greeting, answers: &Answers) -> Option<Waiting> {
    let formed = || {
        let answered = answers.iter().filter_map(|(address, answer)| {
            let greeting = answer.as_ref().ok()?;
            Some((address, greeting))
        });
        answered.filter(|(_, greeting)| greeting.is_formed)
    };
    if let Some((address, _)) = formed().find(|(_, greeting)| greeting.has_member) {
        return Some(Waiting::Leader(address.clone()));
    }
    let formed = formed().next().map(|(address, _)| address.clone());
    let own_address = own.member.address.clone();
    (own.bootstrap.is_empty() || formed.is_some()).then_some(Waiting::Addition {
        own: own_address,
        formed,
    })
}

/// The others that are ready, by address, and what keeps the rest.
fn who_is_ready<'a>(
    own: &Greeting,
    answers: &'a Answers,
) -> (BTreeMap<&'a str, &'a Greeting>, Vec<Obstacle>) {
    let mut ready = BTreeMap::new();
    let mut obstacles = Vec::new();
    for address in others(own, &own.member.address) {
        let reason = match answers.get_key_value(address) {
            None => "not asked yet".to_owned(),
            Some((_, Err(reason))) => reason.clone(),
            Some((_, Ok(greeting))) if greeting.member.address != *address => {
                format!(
                    "the node there says that it is at {}",
                    greeting.member.address
                )
            }
            Some((_, Ok(greeting))) if greeting.bootstrap != own.bootstrap => {
                "the node there has another list of bootstrap nodes".to_owned()
            }
            Some((_, Ok(greeting))) if greeting.is_claimed => {
                "a cluster calls for another node at that address".to_owned()
            }
            Some((address, Ok(greeting))) => {
                ready.insert(address.as_str(), greeting);
                continue;
            }
        };
        obstacles.push(Obstacle {
            address: address.clone(),
            reason,
        });
    }
    (ready, obstacles)
}

/// Those that have the name of another: whoever follows a leader by its name would be lost.
fn namesakes(own: &Greeting, ready: &BTreeMap<&str, &Greeting>) -> Vec<Obstacle> {
    let mut named = BTreeMap::from([(&own.member.name, &own.member.address)]);
    let mut namesakes = Vec::new();
    for Member { name, address } in ready.values().map(|greeting| &greeting.member) {
        if let Some(other) = named.insert(name, address) {
            namesakes.push(Obstacle {
                address: address.clone(),
                reason: format!(
                    "it has the name of the node at {other}, {name}: give each its own \
                     (metadata.name)"
                ),
            });
        }
    }
    namesakes
}

/// What one of them finds elsewhere than this node does.
fn differs(
    greeting: &Greeting,
    own: &Greeting,
    ready: &BTreeMap<&str, &Greeting>,
) -> Option<Obstacle> {
    let reason = others(own, &greeting.member.address).find_map(|address| {
        let there = ready.get(address.as_str()).unwrap_or(&own).node;
        match greeting.reached.get(address) {
            None => Some(format!("it has not reached {address} yet")),
            Some(found) if *found != there => Some(format!(
                "it finds another node at {address} than this one does; do two processes have that \
                 address?"
            )),
            Some(_) => None,
        }
    })?;
    Some(Obstacle {
        address: greeting.member.address.clone(),
        reason,
    })
}

fn others<'a>(own: &'a Greeting, but: &str) -> impl Iterator<Item = &'a String> {
    own.bootstrap.iter().filter(move |address| *address != but)
}

impl Waiting {
    /// For whom, in words that stay the same while the reasons change.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Listed(obstacles) => {
                let addresses = obstacles.iter().map(|it| it.address.as_str());
                Vec::from_iter(addresses).join(", ")
            }
            Self::Addition { .. } | Self::Claimed { .. } | Self::First(_) | Self::Leader(_) => {
                self.to_string()
            }
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addition { own, formed: None } => write!(
                f,
                "Waiting to be added to a cluster: run `stepdown raft add {own}`, or list the nodes \
                 that form a new one with --raft-bootstrap-nodes"
            ),
            Self::Addition {
                own,
                formed: Some(formed),
            } => write!(
                f,
                "The node at {formed} is of a cluster that is formed already and does not know this \
                 node, whose disk is empty: run `stepdown raft add {own}`"
            ),
            Self::Claimed { own } => write!(
                f,
                "A cluster calls for another node at {own}, and this one's disk is empty: run \
                 `stepdown raft add {own}` there to put this one in its place, or remove that one"
            ),
            Self::First(first) => write!(f, "Waiting for {first} to form the cluster"),
            Self::Leader(address) => write!(
                f,
                "Waiting for the leader of the cluster of {address}, which has this node for a member"
            ),
            Self::Listed(obstacles) => {
                f.write_str("Waiting for ")?;
                for (index, it) in obstacles.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{} ({})", it.address, it.reason)?;
                }
                f.write_str(
                    " to form the cluster; if one is gone for good, list only those that are \
                     there, on every node, and `stepdown raft add` it later",
                )
            }
        }
    }
}
