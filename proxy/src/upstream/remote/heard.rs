//! Whether an upstream has said anything on a connection since it was last written to.
//!
//! It must not know what is said.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::Extensions;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether one connection was heard; every clone knows the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    /// Bytes are written to it.
    fn written(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Bytes came from it.
    fn read(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether bytes came on the connection of a request that failed, after the last of the request.
    pub(super) fn before(error: &legacy::Error) -> bool {
        let mut known = Extensions::new();
        if let Some(connection) = error.connect_info() {
            connection.get_extras(&mut known);
        }
        known.get::<Self>().is_some_and(|heard| heard.0.load(Ordering::Acquire))
    }
}

/// A connection that is listened to. `W` reads and writes as hyper has it.
#[derive(Debug)]
pub(super) struct Listening<W> {
    wire: TokioIo<W>,
    heard: Heard,
}

impl<W> Listening<W> {
    /// Listens to `wire`.
    pub(super) fn to(wire: W) -> Self {
        Self { wire: TokioIo::new(wire), heard: Heard::default() }
    }
}

impl<W: Connection> Connection for Listening<W> {
    fn connected(&self) -> Connected {
        self.wire.inner().connected().extra(self.heard.clone())
    }
}

impl<W: Read + Unpin> AsyncRead for Listening<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.wire).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heard.read();
        }
        read
    }
}

impl<W: Write + Unpin> AsyncWrite for Listening<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.written();
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.heard.written();
        Pin::new(&mut self.wire).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_said_before_the_last_writing_does_not_count() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut line = Listening::to(TokioIo::new(near));
        let heard = |line: &Listening<_>| line.heard.0.load(Ordering::Acquire);
        assert!(!heard(&line));
        far.write_all(b"x").await.unwrap();
        line.read_u8().await.unwrap();
        assert!(heard(&line));
        line.write_all(b"y").await.unwrap();
        assert!(!heard(&line));
        drop(far);
        assert!(line.read_u8().await.is_err(), "the end is nothing that was said");
        assert!(!heard(&line));
    }
}
