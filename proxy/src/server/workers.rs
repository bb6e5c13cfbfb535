//! The workers that serve connections: one beside everything else, or, where nothing is remembered, one for each processor on a
//! thread of its own.
//!
//! A request that is only passed on waits for sockets and computes next to nothing. On a thread of its own, with its own
//! connections to the upstream, no other thread has to be woken for it, which costs more than the request itself. A memory
//! computes: there, a runtime with many threads shares the work. It must not know what is served.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::runtime;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{Shared, routes};
use crate::config::{Config, Mode};
use crate::error::StartError;

/// A connection, and its place among those that may be open.
pub(super) struct Connection {
    pub(super) stream: tokio::net::TcpStream,
    pub(super) place: OwnedSemaphorePermit,
}

/// All workers.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    next: usize,
}

/// A worker's end for the one who accepts.
struct Worker {
    connections: mpsc::UnboundedSender<Handed>,
    /// Gives an error once the worker has ended.
    ended: oneshot::Receiver<Infallible>,
}

/// A connection that belongs to no runtime.
struct Handed {
    stream: TcpStream,
    place: OwnedSemaphorePermit,
}

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// More threads than this gain nothing: each one has its own connections to the upstream.
const MOST_WORKERS: usize = 16;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// How many workers serve with this configuration.
pub(crate) fn count(config: &Config) -> usize {
    if config.memory.mode != Mode::Off {
        return 1;
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    processors.min(MOST_WORKERS)
}

/// The number of the worker whose thread this is, below [`count`]; 0 on every other thread.
pub(crate) fn number() -> usize {
    NUMBER.get()
}

impl Workers {
    /// Starts them; a single one serves on the calling runtime.
    ///
    /// # Errors
    /// [`StartError::Process`] if a thread cannot be started.
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self, StartError> {
        let count = count(&shared.config);
        let worker = |number| {
            let (connections, handed) = mpsc::unbounded_channel();
            let (end, ended) = oneshot::channel();
            let work = work(handed, Arc::clone(shared), end);
            if count == 1 {
                tokio::spawn(work);
            } else {
                on_a_thread(number, work)?;
            }
            Ok(Worker { connections, ended })
        };
        let workers = (0..count).map(worker).collect::<Result<Vec<_>, io::Error>>();
        let workers = workers.map_err(|source| StartError::Process {
            operation: "start the threads that serve connections",
            source,
        })?;
        Ok(Self { workers, next: 0 })
    }

    /// Hands a connection to the next worker.
    ///
    /// # Errors
    /// When the connection broke meanwhile, or every worker has ended.
    pub(super) fn hand(&mut self, connection: Connection) -> io::Result<()> {
        let mut handed = Handed {
            stream: connection.stream.into_std()?,
            place: connection.place,
        };
        for _ in 0..self.workers.len() {
            self.next = (self.next + 1) % self.workers.len();
            let Some(worker) = self.workers.get(self.next) else {
                continue;
            };
            match worker.connections.send(handed) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::SendError(back)) => handed = back,
            }
        }
        Err(io::Error::other("no worker is left"))
    }

    /// Takes no more connections and waits until those that are open have ended, which the workers see to.
    pub(super) async fn end(self) {
        // All of them begin to drain before the first one is waited for.
        let ended: Vec<_> = self.workers.into_iter().map(|worker| worker.ended).collect();
        for ended in ended {
            // Nothing is ever sent; the sender goes when the worker ends.
            let _ = ended.await;
        }
    }
}

/// Runs a worker on a thread and a runtime of its own.
fn on_a_thread(number: usize, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name(format!("worker-{number}"));
    thread.spawn(move || {
        NUMBER.set(number);
        runtime.block_on(work);
    })?;
    Ok(())
}

/// Serves connections until no more can come, then lets running requests finish for at most `server.drain_seconds`.
async fn work(
    mut connections: mpsc::UnboundedReceiver<Handed>,
    shared: Arc<Shared>,
    _until_the_end: oneshot::Sender<Infallible>,
) {
    let builder = connection_builder();
    let graceful = GracefulShutdown::new();
    while let Some(Handed { stream, place }) = connections.recv().await {
        let stream = match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken over");
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(routes::handle(shared, request).await) }
        });
        let connection = builder.serve_connection(stream, service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drain(graceful, Duration::from_secs(shared.config.server.drain_seconds)).await;
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT);
    builder
}

async fn drain(graceful: GracefulShutdown, patience: Duration) {
    let open = graceful.count();
    if open > 0 {
        tracing::info!(
            connections = open,
            seconds = patience.as_secs(),
            "waiting for running requests"
        );
    }
    if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("server.drain_seconds passed; the requests still running are cut off");
    }
}
