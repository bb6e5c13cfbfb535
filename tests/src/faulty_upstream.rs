//! An upstream whose answers are bytes on a bare socket, and that breaks off as it is told: each request says which script it wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::Listener;
use crate::raw_upstream::read_request;

/// The header by which a request says which script it wants.
pub const SCRIPT: &str = "x-script";

/// One step of an answer. After the last one the connection is closed in good order.
#[derive(Debug, Clone)]
pub enum Act {
    /// Writes these bytes.
    Say(Bytes),
    /// Writes these bytes one by one, with a pause before each.
    Drip(Bytes, Duration),
    /// Lets what was written go its way.
    Pause,
    /// Writes these bytes again and again, for as long as the other side takes them.
    Flood(Bytes),
    /// Waits until the other side has gone, or has been silent for a minute.
    Hold,
    /// Resets the connection.
    Reset,
    /// Takes the next request of the connection.
    Keep,
    /// Waits for the next request of the connection, and closes without having read it.
    CloseAtTheNext,
}

/// A running upstream; it stops when dropped.
#[derive(Debug)]
pub struct FaultyUpstream {
    state: Arc<Mutex<State>>,
    listener: Listener,
}

#[derive(Debug, Default)]
struct State {
    /// What the first, the second, … request for a script gets; the last one is for all that follow.
    scripts: HashMap<String, Vec<Vec<Act>>>,
    /// How many requests for a script have been read.
    taken: HashMap<String, usize>,
    /// When the other side of an answer that held or flooded had gone.
    left: HashMap<String, Instant>,
    flooded: usize,
}

impl FaultyUpstream {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn start(scripts: impl IntoIterator<Item = (String, Vec<Vec<Act>>)>) -> Self {
        let state = Arc::new(Mutex::new(State { scripts: scripts.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        let listener = Listener::start(move |stream| serve(stream, Arc::clone(&shared))).await;
        Self { state, listener }
    }

    /// The base URL for the proxy's configuration.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.listener.port)
    }

    /// The port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.port
    }

    /// How many requests for a script it has read.
    #[must_use]
    pub fn taken(&self, script: &str) -> usize {
        lock(&self.state).taken.get(script).copied().unwrap_or_default()
    }

    /// When the other side of an answer that held or flooded had gone.
    #[must_use]
    pub fn left(&self, script: &str) -> Option<Instant> {
        lock(&self.state).left.get(script).copied()
    }

    /// How many bytes were written in floods.
    #[must_use]
    pub fn flooded(&self) -> usize {
        lock(&self.state).flooded
    }
}

/// Longest wait for the other side.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let _ = stream.set_nodelay(true);
    while let Some(head) = read_request(&mut stream, None).await {
        let script = head.lines().find_map(|line| line.strip_prefix(SCRIPT)?.strip_prefix(": ")).unwrap_or_default();
        let Some(acts) = lock(&state).next(script) else { return };
        if play(&mut stream, acts, script, &state).await.is_none() {
            return;
        }
    }
}

impl State {
    fn next(&mut self, script: &str) -> Option<Vec<Act>> {
        let taken = self.taken.entry(script.to_owned()).or_default();
        *taken += 1;
        let acts = self.scripts.get(script)?;
        acts.get(*taken - 1).or(acts.last()).cloned()
    }
}

/// Whether the connection goes on.
async fn play(stream: &mut TcpStream, acts: Vec<Act>, script: &str, state: &Mutex<State>) -> Option<()> {
    for act in acts {
        match act {
            Act::Say(bytes) => stream.write_all(&bytes).await.ok()?,
            Act::Drip(bytes, pause) => {
                for byte in bytes {
                    tokio::time::sleep(pause).await;
                    stream.write_all(&[byte]).await.ok()?;
                }
            }
            Act::Pause => tokio::time::sleep(PAUSE).await,
            Act::Flood(bytes) => {
                while let Ok(Ok(())) = tokio::time::timeout(PATIENCE, stream.write_all(&bytes)).await {
                    lock(state).flooded += bytes.len();
                }
                lock(state).left.insert(script.to_owned(), Instant::now());
            }
            Act::Hold => {
                let mut rest = [0; 1024];
                while let Ok(Ok(1..)) = tokio::time::timeout(PATIENCE, stream.read(&mut rest)).await {}
                lock(state).left.insert(script.to_owned(), Instant::now());
            }
            Act::Reset => {
                let _ = stream.set_zero_linger();
                return None;
            }
            Act::Keep => return Some(()),
            Act::CloseAtTheNext => {
                let _ = stream.peek(&mut [0]).await;
                return None;
            }
        }
    }
    // What came and was not read would make a reset of the end.
    let _ = stream.shutdown().await;
    None
}
