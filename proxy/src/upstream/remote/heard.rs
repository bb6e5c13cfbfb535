//! Whether an upstream has said anything on a connection since it was last written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Extensions;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;

use crate::http::tapped::{Ear, Tapped};

/// Whether one connection was heard; every clone knows the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<AtomicBool>);

impl Heard {
    /// Whether bytes came on the connection of a request that failed, after the last of the request.
    pub(super) fn before(error: &legacy::Error) -> bool {
        let mut known = Extensions::new();
        if let Some(connection) = error.connect_info() {
            connection.get_extras(&mut known);
        }
        known.get::<Self>().is_some_and(|heard| heard.0.load(Ordering::Acquire))
    }
}

impl Ear for Heard {
    fn read(&mut self, _: usize) {
        self.0.store(true, Ordering::Release);
    }

    fn written(&mut self, _: bool) {
        self.0.store(false, Ordering::Release);
    }
}

/// A connection that is listened to. `W` reads and writes as hyper has it.
pub(crate) type Listening<W> = Tapped<TokioIo<W>, Heard>;

/// Listens to `wire`.
pub(super) fn listening<W>(wire: W) -> Listening<W> {
    Tapped { stream: TokioIo::new(wire), ear: Heard::default() }
}

impl<W: Connection> Connection for Listening<W> {
    fn connected(&self) -> Connected {
        self.stream.inner().connected().extra(self.ear.clone())
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
        let mut line = listening(TokioIo::new(near));
        let heard = |line: &Listening<_>| line.ear.0.load(Ordering::Acquire);
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
