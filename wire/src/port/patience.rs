//! Connections to somebody who takes nothing of what is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// So long somebody may take nothing of what is sent. What waits for them is kept in memory.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long one operation on a connection has waited for the other side.
#[derive(Default)]
pub(super) struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// What has become of the operation; it fails once it has waited for too long.
    pub(super) fn with<T>(
        &mut self,
        context: &mut Context<'_>,
        sent: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.0 = None;
            return sent;
        }
        let over = self.0.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        over.as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWrite, DuplexStream, duplex};

    use super::*;

    /// Sends so many bytes, with patience for whoever reads them.
    async fn send(mut to: DuplexStream, bytes: usize) -> io::Result<()> {
        let (mut patience, mut sent) = (Patience::default(), 0);
        while sent < bytes {
            let some = vec![7; bytes - sent];
            sent += poll_fn(|context| {
                let written = Pin::new(&mut to).poll_write(context, &some);
                patience.with(context, written)
            })
            .await?;
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_little_at_a_time_is_waited_for() {
        let (mut client, server) = duplex(16);
        let sends = tokio::spawn(send(server, 100));
        let (mut heard, mut some) = (0, [0; 16]);
        while heard < 100 {
            tokio::time::sleep(PATIENCE / 2).await;
            let bytes = client.read(&mut some).await.unwrap();
            assert_ne!(bytes, 0, "it was let go after {heard} bytes");
            heard += bytes;
        }
        assert!(sends.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_any_more_is_let_go() {
        let (mut client, server) = duplex(16);
        let sends = tokio::spawn(send(server, 100));
        assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 16);
        let error = sends.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
