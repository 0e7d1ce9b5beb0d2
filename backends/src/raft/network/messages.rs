//! The messages of a request's body, as they come. Each has a head of its own, as gRPC has it.

use tonic::Status;

use super::entries::Entries;

/// Whether it is compressed, and its length.
pub(super) const HEAD: usize = 5;

/// What of a body has come.
pub(super) struct Messages {
    /// The largest that is taken in, in bytes.
    most: usize,
    /// Where each is a request to append.
    entries: Option<Entries>,
    head: [u8; HEAD],
    /// How much of the head is there.
    filled: usize,
    /// How much is yet to come after it.
    left: usize,
}

impl Messages {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            entries: None,
            head: [0; HEAD],
            filled: 0,
            left: 0,
        }
    }

    /// The same, of requests to append.
    pub fn appending(most: usize) -> Self {
        Self {
            entries: Some(Entries::default()),
            ..Self::new(most)
        }
    }

    /// Takes bytes up to the end of a head, or of a message, and says how many. Fails before any of a
    /// message that is too large is kept.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Status> {
        if self.left > 0 {
            let content = bytes.get(..self.left).unwrap_or(bytes);
            self.left -= content.len();
            if let Some(entries) = &mut self.entries {
                entries.take(content)?;
            }
            return Ok(content.len());
        }
        let rest = self.head.get_mut(self.filled..).unwrap_or_default();
        let taken = bytes.len().min(rest.len());
        for (to, from) in rest.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.filled += taken;
        if self.filled == HEAD {
            self.begin()?;
        }
        Ok(taken)
    }

    fn begin(&mut self) -> Result<(), Status> {
        let [_, length @ ..] = self.head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.most {
            let most = self.most;
            return Err(Status::out_of_range(format!(
                "the message has {length} bytes; no more than {most} are taken in"
            )));
        }
        (self.filled, self.left) = (0, length);
        if let Some(entries) = &mut self.entries {
            entries.begin();
        }
        Ok(())
    }
}
