//! What a node that leads answers to whoever asks for its place, and what the asker learns by it: where people
//! reach the coordinator that leads.

use std::sync::Arc;
use std::time::Duration;

use stepdown_wire::raft as wire;
use tokio::sync::watch;

use super::node::Node;
use super::seat::{Coordinator, Sitter};
use super::types::NodeId;
use crate::public_address::PublicAddress;

/// What a node answers to a candidate that asks for its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceAnswer {
    /// After how long the candidate may stand for election, if the place is given to it.
    pub delay: Option<Duration>,
    /// Where people reach the coordinator of the node, if that leads and says so.
    pub public_address: Option<PublicAddress>,
}

/// Where people reach coordinators that lead.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// The one of this node that led last.
    own: watch::Sender<Option<(Coordinator, PublicAddress)>>,
    /// That of another node, which has said so last.
    told: watch::Sender<Option<(NodeId, PublicAddress)>>,
}

impl Node {
    /// Answers a candidate that asks for this node's place.
    #[must_use]
    pub fn asked_for_place(self: &Arc<Self>, candidate: NodeId) -> PlaceAnswer {
        PlaceAnswer {
            delay: self.make_way(candidate),
            public_address: self.public_address(),
        }
    }

    /// People reach this coordinator there, should it lead.
    pub(super) fn introduce(&self, coordinator: Coordinator, address: Option<&PublicAddress>) {
        let own = address.map(|address| (coordinator, address.clone()));
        self.addresses.own.send_replace(own);
    }

    /// Where people reach the coordinator of this node, if it leads.
    fn public_address(&self) -> Option<PublicAddress> {
        let Sitter::Coordinator(sits, term) = self.seat.sitter() else {
            return None;
        };
        let own = self.addresses.own.borrow();
        let (_, address) = own.as_ref().filter(|(it, _)| *it == sits)?;
        (self.leads() == Some(term)).then(|| address.clone())
    }

    /// Another node, which leads, has said where people reach its coordinator, or has not.
    pub(super) fn was_told(&self, leader: NodeId, address: Option<PublicAddress>) {
        let told = address.map(|address| (leader, address));
        self.addresses.told.send_replace(told);
    }

    /// Where people reach the coordinator of this name, if its node leads and has said so.
    pub(super) fn leader_address(&self, name: &str) -> Option<PublicAddress> {
        let (leader, _) = self.leader().filter(|(_, member)| member.name == name)?;
        let told = self.addresses.told.borrow();
        let (_, address) = told.as_ref().filter(|(it, _)| *it == leader)?;
        Some(address.clone())
    }
}

impl From<PlaceAnswer> for wire::MayLeadResponse {
    fn from(answer: PlaceAnswer) -> Self {
        let address = answer.public_address.as_deref().unwrap_or_default();
        Self {
            delay: answer.delay.map(to_millis),
            public_address: address.to_owned(),
        }
    }
}

impl From<wire::MayLeadResponse> for PlaceAnswer {
    fn from(answer: wire::MayLeadResponse) -> Self {
        Self {
            delay: answer.delay.map(Duration::from_millis),
            public_address: PublicAddress::parse(&answer.public_address),
        }
    }
}

/// In milliseconds, rounded up.
fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn an_answer_survives_the_wire_form() {
        for (delay, public_address) in [
            (None, PublicAddress::parse("a.example:6651")),
            (Some(Duration::from_millis(7)), None),
        ] {
            let answer = PlaceAnswer {
                delay,
                public_address,
            };
            let heard = PlaceAnswer::from(wire::MayLeadResponse::from(answer.clone()));
            assert_eq!(heard, answer);
        }
    }

    #[test]
    fn a_node_of_an_older_release_says_no_address_and_what_is_none_is_not_passed_on() {
        // The delay alone, 7 ms.
        let older = wire::MayLeadResponse::decode(&[0x08, 7][..]).unwrap();
        let heard = PlaceAnswer::from(older);
        assert_eq!(heard.delay, Some(Duration::from_millis(7)));
        assert_eq!(heard.public_address, None);
        for text in ["0.0.0.0:6651", "http://evil.example/", &"a".repeat(10_000)] {
            let hostile = wire::MayLeadResponse {
                delay: None,
                public_address: text.to_owned(),
            };
            assert_eq!(PlaceAnswer::from(hostile), PlaceAnswer::default(), "{text}");
        }
    }
}
