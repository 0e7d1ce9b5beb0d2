//! The parts of one snapshot, as they come.

use std::time::Duration;

use stepdown_wire::raft as wire;
use stepdown_wire::raft::snapshot_part::Part;
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::convert::Malformed;
use super::pace::takes;
use super::snapshot::{Damaged, LARGEST_SNAPSHOT, length};

/// How long all of them may take, and longer by what is promised.
const WITHIN: Duration = Duration::from_secs(30);

/// Those that are yet to come.
pub(super) struct Parts<S> {
    parts: S,
    /// How long each may take.
    each: Duration,
}

impl<S> Parts<S>
where
    S: Stream<Item = Result<wire::SnapshotPart, Status>> + Unpin,
{
    pub fn new(parts: S, each: Duration) -> Self {
        Self { parts, each }
    }

    /// The first of them.
    pub async fn head(&mut self) -> Result<wire::SnapshotHead, Status> {
        match self.next().await? {
            Some(Part::Head(head)) => Ok(head),
            Some(Part::Data(_)) | None => Err(Malformed::Missing("head").into()),
        }
    }

    /// What is in the others, of which so many bytes are promised.
    pub async fn data(&mut self, promised: u64) -> Result<Vec<u8>, Status> {
        if promised > LARGEST_SNAPSHOT {
            return Err(Damaged::TooLarge(promised).into());
        }
        let takes = takes(usize::try_from(promised).unwrap_or(usize::MAX));
        let late = || Status::deadline_exceeded("the snapshot comes too slowly");
        let data = timeout(WITHIN + takes, self.rest(promised)).await;
        data.map_err(|_| late())?
    }

    async fn rest(&mut self, promised: u64) -> Result<Vec<u8>, Status> {
        let mut data = Vec::new();
        while let Some(part) = self.next().await? {
            let Part::Data(part) = part else {
                return Err(Malformed::Missing("data").into());
            };
            if part.is_empty() {
                return Err(Malformed::Missing("data").into());
            }
            data.extend_from_slice(&part);
            if length(&data) > promised {
                return Err(Damaged::Length {
                    heard: length(&data),
                    promised,
                }
                .into());
            }
        }
        Ok(data)
    }

    async fn next(&mut self) -> Result<Option<Part>, Status> {
        let next = timeout(self.each, self.parts.next()).await;
        let next = next.map_err(|_| Status::deadline_exceeded("no more of the snapshot came"))?;
        Ok(next.transpose()?.and_then(|message| message.part))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};
    use tonic::Code;

    use super::super::pace::SLOWEST;
    use super::*;

    const EACH: Duration = Duration::from_secs(5);

    /// Parts of so many bytes, one each so often, for ever.
    fn every(
        pause: Duration,
        bytes: usize,
    ) -> impl Stream<Item = Result<wire::SnapshotPart, Status>> {
        tokio_stream::iter(0..).then(move |_: u64| async move {
            sleep(pause).await;
            Ok(wire::SnapshotPart {
                part: Some(Part::Data(vec![7; bytes].into())),
            })
        })
    }

    async fn data(pause: Duration, bytes: usize, promised: usize) -> Result<usize, Code> {
        let mut parts = Parts::new(Box::pin(every(pause, bytes)), EACH);
        let data = parts.data(u64::try_from(promised).unwrap()).await;
        Ok(data.map_err(|status| status.code())?.len())
    }

    // Time is not waited for: it passes when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn a_snapshot_of_which_a_little_comes_now_and_then_is_given_up() {
        let begun = Instant::now();
        let late = data(EACH / 2, 1, 10 * SLOWEST).await;
        assert_eq!(late, Err(Code::DeadlineExceeded));
        assert_eq!(begun.elapsed(), WITHIN + Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_that_comes_as_slowly_as_any_network_has_its_time() {
        let whole = 200 * SLOWEST;
        let parts = every(Duration::from_secs(1), SLOWEST).take(200);
        let mut parts = Parts::new(Box::pin(parts), EACH);
        let data = parts.data(u64::try_from(whole).unwrap()).await.unwrap();
        assert_eq!(data.len(), whole);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_without_anything_in_it_ends_a_snapshot() {
        let begun = Instant::now();
        let refused = data(EACH / 2, 0, 10).await;
        assert_eq!(refused, Err(Code::InvalidArgument));
        assert_eq!(begun.elapsed(), EACH / 2);
    }
}
