//! All metrics as one text, which is kept compressed. It is a twentieth of the text then, and clients
//! that are slow to take it cost that much.

use std::io::{self, BufWriter, Cursor, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};
use tonic::codegen::Bytes;

use crate::observe::Metrics;

/// What is unpacked at once, in bytes.
const PIECE: usize = 16 << 10;

/// A text, compressed. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    bytes: Bytes,
    /// The length of the text.
    length: u64,
}

impl Packed {
    /// All metrics as they are now.
    pub(super) fn of(metrics: &Metrics) -> Option<Self> {
        Self::made_by(|out| metrics.write(out).map_err(io::Error::other))
    }

    /// What is written into it.
    pub(super) fn made_by(
        write: impl FnOnce(&mut BufWriter<Packing>) -> io::Result<()>,
    ) -> Option<Self> {
        let packing = Packing {
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
            length: 0,
        };
        let mut out = BufWriter::with_capacity(PIECE, packing);
        write(&mut out).ok()?;
        let Packing { encoder, length } = out.into_inner().ok()?;
        Some(Self {
            bytes: encoder.finish().ok()?.into(),
            length,
        })
    }

    /// As it is kept, which is gzip.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The text, unpacked as it is sent.
    pub(super) fn unpacked(self) -> Unpacked {
        Unpacked {
            decoder: GzDecoder::new(Cursor::new(self.bytes)),
            left: self.length,
        }
    }
}

/// A text that is being compressed.
pub(super) struct Packing {
    encoder: GzEncoder<Vec<u8>>,
    length: u64,
}

impl Write for Packing {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(text)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is flushed early is compressed worse.
        Ok(())
    }
}

/// A text that is unpacked piece by piece.
pub(super) struct Unpacked {
    decoder: GzDecoder<Cursor<Bytes>>,
    /// So much of it is yet to come, in bytes.
    left: u64,
}

impl Body for Unpacked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut piece = vec![0; PIECE];
        Poll::Ready(match self.decoder.read(&mut piece) {
            Ok(0) => None,
            Ok(bytes) => {
                self.left = self.left.saturating_sub(bytes as u64);
                piece.truncate(bytes);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_text_is_unpacked_as_it_was_in_small_pieces() {
        let text = "stepdown_role{role=\"leader\"} 1\n".repeat(10_000);
        let packed = Packed::made_by(|out| out.write_all(text.as_bytes())).unwrap();
        assert!(packed.bytes.len() < text.len() / 20);
        let mut unpacked = packed.unpacked();
        assert_eq!(unpacked.size_hint().exact(), Some(text.len() as u64));
        let mut seen = Vec::new();
        while let Some(frame) = unpacked.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE);
            seen.extend(piece);
        }
        assert_eq!(String::from_utf8(seen).unwrap(), text);
    }
}
