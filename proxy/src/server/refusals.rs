//! Gives the refusals of the HTTP library a body: what is no request at all is refused in OpenAI's envelope, too.
//!
//! The library answers what it cannot read with a bare head that no other answer of this process looks like; that head
//! is replaced on its way to the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::ProxyError;
use crate::http::response::envelope;
use crate::telemetry::metrics;

/// A client's socket.
#[derive(Debug)]
pub(super) struct Refusals<S> {
    socket: S,
    /// What is still to be written of a refusal.
    left: Bytes,
}

impl<S> Refusals<S> {
    /// Writes to `socket`.
    pub(super) fn new(socket: S) -> Self {
        Self { socket, left: Bytes::new() }
    }
}

impl<S: AsyncWrite + Unpin> Refusals<S> {
    /// Writes what is left of a refusal that stands for `length` bytes.
    fn poll_refusal(&mut self, context: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while !self.left.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, &self.left))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left.advance(written);
        }
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusals<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refusals<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.left.is_empty() {
            match bare_refusal(bytes) {
                Some(error) => self.left = told(&error),
                None => return Pin::new(&mut self.socket).poll_write(context, bytes),
            }
        }
        self.poll_refusal(context, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare head is one piece, and nothing follows it.
        match slices {
            [only] => self.poll_write(context, only),
            _ => Pin::new(&mut self.socket).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The refusal that these bytes are, if they are a whole head without a body and without any header that an answer of ours or
/// of an upstream has.
fn bare_refusal(bytes: &[u8]) -> Option<ProxyError> {
    if bytes.len() > LONGEST || !bytes.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    let is_bare = lines.all(|line| {
        let name = line.split(':').next().unwrap_or_default();
        BARE.iter().any(|bare| name.eq_ignore_ascii_case(bare))
    });
    let error = match status {
        "400" => ProxyError::Malformed,
        "414" => ProxyError::UrlTooLong,
        "431" => ProxyError::HeadTooLarge,
        _ => return None,
    };
    is_bare.then_some(error)
}

/// All headers that the library's own refusals have, and the most bytes of one.
const BARE: [&str; 3] = ["connection", "content-length", "date"];
const LONGEST: usize = 200;

/// The refusal as bytes on a connection that closes.
fn told(error: &ProxyError) -> Bytes {
    let (refusal, body) = (error.refusal(), envelope(error).to_string());
    metrics::request("refused", refusal.code, refusal.status.as_u16());
    let reason = refusal.status.canonical_reason().unwrap_or_default();
    let text = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        refusal.status.as_u16(),
        body.len(),
    );
    text.into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const BARE_HEAD: &str =
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: Sat, 28 Nov 2026 23:50:00 GMT\r\n\r\n";

    #[tokio::test]
    async fn a_bare_refusal_gets_an_envelope_even_if_the_client_takes_it_in_small_pieces() {
        let (socket, mut client) = tokio::io::duplex(7);
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            text
        });
        let mut courteous = Refusals::new(socket);
        courteous.write_all(BARE_HEAD.as_bytes()).await.unwrap();
        drop(courteous);
        let text = reading.await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }

    #[tokio::test]
    async fn every_other_answer_passes_as_it_is() {
        let relayed = BARE_HEAD.replace("date", "x-mainpoint: passthrough\r\ndate");
        let with_body = format!("{BARE_HEAD}more");
        let gone = BARE_HEAD.replace("400 Bad Request", "404 Not Found");
        for answer in [relayed, with_body, gone, "HTTP/1.1 200 OK\r\n\r\n".to_owned(), "HTTP/1.1 400".to_owned()] {
            let mut written = Vec::new();
            Refusals::new(&mut written).write_all(answer.as_bytes()).await.unwrap();
            assert_eq!(written, answer.as_bytes());
        }
    }
}
