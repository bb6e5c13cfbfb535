//! Takes connections from the kernel.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::connection_state::CloseReason;
use super::connection_table::ConnectionTable;
use crate::error::StartError;
use crate::telemetry::logs::OncePerMinute;

/// Binds the configured address.
///
/// # Errors
/// [`StartError::Listen`], naming the address and the fix.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

/// The next connection. While there is no room for it, it waits in the kernel's queue.
pub(super) async fn next(listener: &TcpListener, connections: &ConnectionTable, warnings: &OncePerMinute) -> TcpStream {
    loop {
        while !connections.has_room() {
            tokio::time::sleep(PAUSE).await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(error = %error, "TCP_NODELAY could not be set");
                }
                return stream;
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if warnings.allows("accept") {
                    tracing::warn!(error = %error, "connections cannot be accepted");
                }
                connections.close_one(CloseReason::Files);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Pause after a failed accept, such as when file descriptors have run out.
const PAUSE: Duration = Duration::from_millis(20);

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
