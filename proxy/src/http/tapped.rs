//! Streams of bytes that tell when bytes come and go.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Listens to a stream.
pub(crate) trait Ear: Unpin {
    /// So many bytes came, at least one.
    fn read(&mut self, bytes: usize);

    /// Bytes were written, or would have been if the other side took any.
    fn written(&mut self, is_pending: bool);
}

/// A stream, and who listens to it. Both are dropped together.
#[derive(Debug)]
pub(crate) struct Tapped<S, E> {
    pub(crate) stream: S,
    pub(crate) ear: E,
}

impl<S: AsyncRead + Unpin, E: Ear> AsyncRead for Tapped<S, E> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.ear.read(bytes);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin, E: Ear> AsyncWrite for Tapped<S, E> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.ear.written(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.ear.written(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
