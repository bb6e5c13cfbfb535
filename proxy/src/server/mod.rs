//! The listening side: accepts connections and hands them to workers, which speak HTTP/1 and HTTP/2 and drain on shutdown.
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
pub(crate) mod workers;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::error::StartError;
pub(crate) use receipts::Receipts;
pub(crate) use shared::Shared;
use workers::{Connection, Workers};

/// Binds the configured address.
///
/// # Errors
/// [`StartError::Listen`], naming the address and the fix.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Hands connections to the workers until `stop` is ready, then waits until they have let running requests finish, for at most
/// `server.drain_seconds`.
pub(crate) async fn serve(
    listener: TcpListener,
    mut workers: Workers,
    (shared, stop): (&Shared, impl Future<Output = ()>),
) {
    let places = Arc::new(Semaphore::new(shared.config.server.max_connections));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some(connection) = accepted else { continue };
        if let Err(error) = workers.hand(connection) {
            tracing::warn!(error = %error, "a connection could not be served");
        }
    }
    drop(listener);
    workers.end().await;
}

/// Pause after a failed accept, such as when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Waits for a free place first, so that connections over the limit wait in the kernel's queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Connection> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(error = %error, "TCP_NODELAY could not be set");
            }
            Some(Connection { stream, place })
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
