//! A server that speaks WebSocket as far as a proxy can see: it agrees to switch, then sends back every byte that comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::deadline::within;
use crate::listener::Listener;

/// How long one step of an exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the server sends once the client has ended its side.
pub const FAREWELL: &[u8] = b"that was all";

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct EchoUpstream {
    heads: Arc<Mutex<Vec<String>>>,
    listener: Listener,
}

/// A client's connection, written and read byte by byte.
#[derive(Debug)]
pub struct Line<S = TcpStream>(S);

impl EchoUpstream {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn start() -> Self {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&heads);
        let listener = Listener::start(move |stream| serve(stream, Arc::clone(&shared))).await;
        Self { heads, listener }
    }

    /// The base URL for the proxy's configuration.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.listener.port)
    }

    /// The head of the request that arrived last, as it was written.
    ///
    /// # Panics
    /// When none did.
    #[must_use]
    pub fn last_head(&self) -> String {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.last().cloned().expect("a request at the upstream")
    }
}

impl Line {
    /// Connects to `authority`, sends `head` and reads the head of the answer.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn open(authority: &str, head: &str) -> (Self, String) {
        Self::over(TcpStream::connect(authority).await.expect("a connection"), head).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Sends `head` over `stream` and reads the head of the answer.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn over(mut stream: S, head: &str) -> (Self, String) {
        stream.write_all(head.as_bytes()).await.expect("the request is sent");
        let answer = within("the answer's head comes", PATIENCE, head_of(&mut stream)).await;
        (Self(stream), answer.expect("an answer"))
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// When the connection is broken.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the bytes are sent");
    }

    /// Ends this side: nothing more is sent.
    ///
    /// # Panics
    /// When the connection is broken.
    pub async fn end(&mut self) {
        self.0.shutdown().await.expect("the side is ended");
    }

    /// The next `count` bytes.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = within("the bytes come back", PATIENCE, self.0.read_exact(&mut bytes)).await;
        read.expect("as many bytes");
        bytes
    }

    /// Everything that comes until the other side ends or breaks.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A connection that is reset ends as well.
        let _ = within("the other side ends", PATIENCE, self.0.read_to_end(&mut bytes)).await;
        bytes
    }
}

async fn serve(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>) {
    let Some(head) = head_of(&mut stream).await else { return };
    let lower = head.to_ascii_lowercase();
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    if !lower.contains("\r\nupgrade: websocket\r\n") || lower.contains("\r\nauthorization: bearer nobody\r\n") {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nX-Reason: key\r\n\
                       Content-Length: 16\r\n\r\n{\"error\":\"none\"}";
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: realtime\r\n\
                  X-Session: 7\r\n\r\nhello";
    if stream.write_all(agreed.as_bytes()).await.is_err() {
        return;
    }
    let (mut reading, mut writing) = stream.split();
    if tokio::io::copy(&mut reading, &mut writing).await.is_ok() {
        let _ = writing.write_all(FAREWELL).await;
    }
}

/// Reads up to the empty line; `None` when the connection ends before.
async fn head_of(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}
