//! Many connections at once that say as much, or as little, as they are told, and never ask for anything.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::deadline::wait_until;

/// How long the other side may take to close them.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two bytes of a connection that trickles.
const TRICKLE: Duration = Duration::from_millis(100);

/// Open connections.
#[derive(Debug)]
pub struct Crowd {
    streams: Arc<Vec<TcpStream>>,
    trickling: Option<JoinHandle<()>>,
}

impl Crowd {
    /// Opens `count` connections to `authority` and says `first` on each.
    ///
    /// # Panics
    /// When one of them cannot be opened.
    pub async fn gather(authority: &str, count: usize, first: &[u8]) -> Self {
        // Each connection is an open file here, too, and the usual limit is about a thousand.
        rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files");
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let stream = TcpStream::connect(authority).await.expect("a connection");
            say(&stream, first);
            streams.push(stream);
        }
        Self { streams: Arc::new(streams), trickling: None }
    }

    /// Says `byte` on every connection, again and again, until the crowd is dropped.
    #[must_use]
    pub fn trickling(mut self, byte: u8) -> Self {
        let streams = Arc::clone(&self.streams);
        self.trickling = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(TRICKLE).await;
                for stream in &*streams {
                    say(stream, &[byte]);
                }
            }
        }));
        self
    }

    /// Waits until the other side has closed every connection.
    ///
    /// # Panics
    /// When it does not do so in time.
    pub async fn is_sent_away(&self) {
        wait_until("every connection is closed", PATIENCE, || async { self.streams.iter().all(is_closed) }).await;
    }

    /// Waits until the other side has closed so many connections, or more.
    ///
    /// # Panics
    /// When it does not do so in time.
    pub async fn made_room(&self, count: usize) {
        wait_until("some connections are closed", PATIENCE, || async { self.closed() >= count }).await;
    }

    /// How many connections the other side has closed.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.streams.iter().filter(|stream| is_closed(stream)).count()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(trickling) = &self.trickling {
            trickling.abort();
        }
    }
}

/// So few bytes fit into an open connection at once; into one that was closed they need not.
fn say(stream: &TcpStream, bytes: &[u8]) {
    let _ = stream.try_write(bytes);
}

/// Whether the other side has closed the connection; what it said before is thrown away.
fn is_closed(stream: &TcpStream) -> bool {
    let mut buffer = [0; 1024];
    loop {
        match stream.try_read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}
