//! Large requests to append: what is made of one may take many times as much memory.

use std::net::IpAddr;

use prost::Message;
use stepdown_wire::raft as wire;
use tonic::Status;

use super::backlog::{Backlog, Place};
use super::client::COMFORTABLE;
use super::convert::Malformed;

/// So many are with the node at once.
const MOST: usize = 2;
/// So many of one address. A leader sends no other before one is answered.
const MOST_OF_ONE: usize = 1;

/// Those that are with the node.
#[derive(Debug)]
pub(super) struct Large(Backlog);

impl Default for Large {
    fn default() -> Self {
        Self(Backlog::new(MOST, MOST_OF_ONE))
    }
}

impl Large {
    /// A place for this one, which it needs only if it is large. Then it has one entry, as a leader sends it.
    pub fn place(
        &self,
        from: IpAddr,
        request: &wire::AppendRequest,
    ) -> Result<Option<Place>, Status> {
        let bytes = request.encoded_len();
        if bytes <= COMFORTABLE {
            return Ok(None);
        }
        if request.entries.len() > 1 {
            return Err(Malformed::Together(bytes).into());
        }
        let full = || Status::resource_exhausted("this node has not answered a large one yet");
        self.0.place(from).map(Some).ok_or_else(full)
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use wire::entry::Payload;

    use super::*;

    fn of(bytes: &[usize]) -> wire::AppendRequest {
        let entry = |bytes: &usize| wire::Entry {
            id: None,
            payload: Some(Payload::Command(vec![7; *bytes].into())),
        };
        wire::AppendRequest {
            entries: bytes.iter().map(entry).collect(),
            ..wire::AppendRequest::default()
        }
    }

    fn at(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_large_request_of_an_address_is_with_the_node_and_any_number_of_others() {
        let large = Large::default();
        let first = large.place(at(1), &of(&[COMFORTABLE])).unwrap();
        let refused = large.place(at(1), &of(&[COMFORTABLE])).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(large.place(at(1), &of(&[1; 64])).unwrap().is_none());
        let second = large.place(at(2), &of(&[COMFORTABLE])).unwrap();
        assert!(first.is_some() && second.is_some());
        assert!(large.place(at(3), &of(&[COMFORTABLE])).is_err());
        drop(first);
        assert!(large.place(at(1), &of(&[COMFORTABLE])).unwrap().is_some());
    }

    #[test]
    fn large_entries_that_come_together_are_refused() {
        let refused = Large::default().place(at(1), &of(&[COMFORTABLE, 1]));
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    }
}
