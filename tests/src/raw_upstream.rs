//! An upstream with bad manners: it speaks HTTP/1.1 on a bare socket, and closes connections when it pleases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::Listener;

/// What an upstream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// Answers the first request of a connection, keeps it alive, and closes it unread when the next one begins to come.
    ClosesAtTheNext,
    /// The same, but takes the next one in before it closes.
    ClosesWithTheNext,
    /// Answers the first request of a connection, and breaks off in the middle of the answer to the next.
    BreaksOffTheNext,
    /// Answers the first request of a connection, and breaks off in the middle of the head of its answer to the next.
    BreaksOffTheNextHead,
    /// Takes every request in and closes.
    NeverAnswers,
    /// Takes every request in, a piece at a time with pauses between, and answers it.
    ReadsSlowly,
}

/// A running upstream; it stops when dropped.
#[derive(Debug)]
pub struct RawUpstream {
    taken: Arc<AtomicUsize>,
    listener: Listener,
}

impl RawUpstream {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn start(manners: Manners) -> Self {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let listener = Listener::start(move |stream| serve(stream, manners, Arc::clone(&counter))).await;
        Self { taken, listener }
    }

    /// The base URL for the proxy's configuration.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.listener.port)
    }

    /// How many requests it has taken in completely.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
const HALF_A_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-ty";
const PIECE: usize = 256 << 10;
const PAUSE: Duration = Duration::from_millis(100);

async fn serve(mut stream: TcpStream, manners: Manners, taken: Arc<AtomicUsize>) {
    let pause = (manners == Manners::ReadsSlowly).then_some(PAUSE);
    for number in 0.. {
        let is_first = number == 0;
        if manners == Manners::ClosesAtTheNext && !is_first {
            let _ = stream.peek(&mut [0]).await;
            return;
        }
        if read_request(&mut stream, pause).await.is_none() {
            return;
        }
        taken.fetch_add(1, Ordering::SeqCst);
        let answer = match manners {
            Manners::NeverAnswers => return,
            Manners::ClosesWithTheNext if !is_first => return,
            Manners::BreaksOffTheNext if !is_first => HALF,
            Manners::BreaksOffTheNextHead if !is_first => HALF_A_HEAD,
            _ => ANSWER,
        };
        if stream.write_all(answer).await.is_err() || answer != ANSWER {
            return;
        }
    }
}

/// Reads one request, and gives its head in small letters; `None` when the connection ends before that.
pub(crate) async fn read_request(stream: &mut TcpStream, pause: Option<Duration>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(stream.read_u8().await.ok()?);
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut left: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
    let mut buffer = vec![0; PIECE];
    while left > 0 {
        let most = left.min(PIECE);
        left -= match stream.read(&mut buffer[..most]).await.ok()? {
            0 => return None,
            read => read,
        };
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    Some(head)
}
