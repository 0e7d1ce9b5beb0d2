//! How many entries a request to append has, before anything is made of them: one of six bytes takes more
//! than ten times as many once it is understood.

use tonic::Status;

/// So many may come at once. A leader sends no more than 64.
const MOST: usize = 1_024;

/// Their field in the message.
const FIELD: u64 = 4;

/// Counts them as they come, by the fields of the message and not by what is in these.
#[derive(Default)]
pub(super) struct Entries {
    count: usize,
    next: Next,
}

/// What the next byte is.
#[derive(Clone, Copy)]
enum Next {
    /// Of a field's number and its kind.
    Key(Number),
    /// Of a number that says nothing here.
    Number,
    /// Of how many bytes a field has.
    Length(Number),
    /// So many bytes that say nothing here.
    Content(u64),
}

/// As much of a number as has come, in the form that has seven bits in a byte.
#[derive(Clone, Copy, Default)]
struct Number {
    value: u64,
    bits: u32,
}

impl Default for Next {
    fn default() -> Self {
        Self::Key(Number::default())
    }
}

impl Number {
    fn with(self, byte: u8) -> Self {
        let value = u64::from(byte & 0x7f).checked_shl(self.bits);
        Self {
            value: self.value | value.unwrap_or_default(),
            bits: self.bits.saturating_add(7),
        }
    }
}

impl Entries {
    /// Another message begins.
    pub fn begin(&mut self) {
        self.next = Next::default();
    }

    /// Takes more of the message; fails once there are too many entries in it.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while let Some((byte, rest)) = bytes.split_first() {
            let is_last = byte & 0x80 == 0;
            (self.next, bytes) = match self.next {
                Next::Key(number) => match (number.with(*byte), is_last) {
                    (number, false) => (Next::Key(number), rest),
                    (number, true) => (self.field(number.value)?, rest),
                },
                Next::Number if is_last => (Next::default(), rest),
                Next::Number => (Next::Number, rest),
                Next::Length(number) => match (number.with(*byte), is_last) {
                    (number, false) => (Next::Length(number), rest),
                    (number, true) => (content(number.value), rest),
                },
                Next::Content(length) => {
                    let here = usize::try_from(length).unwrap_or(usize::MAX);
                    let rest = bytes.get(here..).unwrap_or_default();
                    let taken = u64::try_from(bytes.len() - rest.len()).unwrap_or(u64::MAX);
                    (content(length.saturating_sub(taken)), rest)
                }
            };
        }
        Ok(())
    }

    fn field(&mut self, key: u64) -> Result<Next, Status> {
        let (field, kind) = (key >> 3, key & 7);
        if field == FIELD {
            self.count += 1;
        }
        if self.count > MOST {
            return Err(Status::out_of_range(format!(
                "there are too many entries in the message; no more than {MOST} are taken in"
            )));
        }
        match kind {
            0 => Ok(Next::Number),
            1 => Ok(Next::Content(8)),
            2 => Ok(Next::Length(Number::default())),
            5 => Ok(Next::Content(4)),
            _ => Err(Status::invalid_argument(
                "the message has a field of no kind that is known",
            )),
        }
    }
}

/// What follows where so many bytes are left of a field.
fn content(length: u64) -> Next {
    match length {
        0 => Next::default(),
        length => Next::Content(length),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use stepdown_wire::raft as wire;
    use tonic::Code;
    use wire::entry::Payload;

    use super::*;

    fn entry(payload: Payload) -> wire::Entry {
        wire::Entry {
            id: Some(wire::LogId {
                term: 1 << 40,
                node: u64::MAX,
                index: 300,
            }),
            payload: Some(payload),
        }
    }

    fn request(entries: Vec<wire::Entry>) -> Vec<u8> {
        let request = wire::AppendRequest {
            envelope: Some(wire::Envelope {
                cluster: "\u{22}".repeat(200),
                from: 1,
                to: u64::MAX,
            }),
            ballot: Some(wire::Ballot::default()),
            entries,
            committed: Some(wire::LogId::default()),
            ..wire::AppendRequest::default()
        };
        request.encode_to_vec()
    }

    fn counted(message: &[u8], of: usize) -> Result<usize, Code> {
        let mut entries = Entries::default();
        let mut parts = message.chunks(of);
        let taken = parts.try_for_each(|part| entries.take(part));
        taken.map_err(|status| status.code())?;
        assert!(matches!(entries.next, Next::Key(Number { bits: 0, .. })));
        Ok(entries.count)
    }

    #[test]
    fn entries_are_counted_wherever_a_message_is_cut_and_whatever_is_in_them() {
        for command in [0, 1, 127, 128, 40_000] {
            let command = Payload::Command(vec![0x22; command].into());
            let payloads = [command, Payload::Blank(wire::Nothing {})];
            let mut message = request(payloads.into_iter().map(entry).collect());
            // Fields that only another release knows.
            message.extend([0x58, 0xff, 0x01]);
            message.extend([0x61, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22]);
            message.extend([0x6d, 0x22, 0x22, 0x22, 0x22]);
            for of in [1, 2, 3, 7, 16_384, message.len()] {
                assert_eq!(counted(&message, of), Ok(2), "in parts of {of}");
            }
        }
    }

    #[test]
    fn no_more_entries_are_taken_in_than_any_leader_sends() {
        let blank = || wire::Entry {
            id: Some(wire::LogId::default()),
            payload: Some(Payload::Blank(wire::Nothing {})),
        };
        let of = |count| request(std::iter::repeat_with(blank).take(count).collect());
        assert_eq!(counted(&of(MOST), 1_000), Ok(MOST));
        assert_eq!(counted(&of(MOST + 1), 1_000), Err(Code::OutOfRange));
    }

    #[test]
    fn those_of_several_messages_are_counted_together() {
        let message = request(vec![entry(Payload::Blank(wire::Nothing {})); MOST]);
        let mut entries = Entries::default();
        entries.take(&message).unwrap();
        entries.begin();
        assert!(entries.take(&message).is_err());
    }

    #[test]
    fn a_field_of_no_known_kind_is_refused() {
        assert_eq!(counted(&[0x23], 1), Err(Code::InvalidArgument));
    }
}
