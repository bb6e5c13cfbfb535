//! The listening side: accepts connections, speaks HTTP/1 and HTTP/2, and drains on shutdown.
//!
//! It must not know the OpenAI wire format; every request goes to [`routes`].

mod endpoints;
pub(crate) mod headers;
mod paths;
mod receipts;
mod relay;
pub(crate) mod reply;
pub(crate) mod routes;
mod shared;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::error::StartError;
pub(crate) use receipts::Receipts;
pub(crate) use shared::Shared;

/// Binds the configured address.
///
/// # Errors
/// [`StartError::Listen`], naming the address and the fix.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Serves connections until `stop` is ready, then lets running requests finish for at most `server.drain_seconds`.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: impl Future<Output = ()>) {
    let builder = connection_builder();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(shared.config.server.max_connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(routes::handle(shared, request).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    drain(graceful, Duration::from_secs(shared.config.server.drain_seconds)).await;
}

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a failed accept, such as when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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

/// Waits for a free place first, so that connections over the limit wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(error = %error, "TCP_NODELAY could not be set");
            }
            Some((stream, place))
        }
        Err(error) => {
            if !is_about_one_connection(&error) {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
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
