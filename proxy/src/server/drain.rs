//! Ends the connections of a server that stops: running requests may finish, for a while.

use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio_util::sync::CancellationToken;

use super::connection_state::CloseReason;
use super::connection_table::ConnectionTable;

/// How a process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nobody serves after it.
    Alone,
    /// Another process takes connections from the same socket already.
    Succeeded,
}

/// Lets running requests finish for at most `timeout`; where another process serves in this one's place, connections also have a
/// moment to go over to it by themselves. Those that have not, are told that they are cut off by `cut`, and get
/// a moment to tell their clients.
pub(super) async fn drain(
    graceful: GracefulShutdown,
    connections: &ConnectionTable,
    cut: &CancellationToken,
    timeout: Duration,
    stop: Stop,
) {
    let open = connections.count();
    if open > 0 {
        tracing::info!(connections = open, seconds = timeout.as_secs(), "waiting for running requests");
    }
    let moving = match stop {
        Stop::Alone => Duration::ZERO,
        Stop::Succeeded => MOVING,
    };
    connections.leave();
    let unused = async {
        tokio::time::sleep(moving + GRACE).await;
        // A request of which only half a head came is no running request.
        connections.close_unused(CloseReason::Stop);
        std::future::pending::<()>().await;
    };
    let ended = async {
        tokio::time::sleep(moving).await;
        graceful.shutdown().await;
        // Tunnels are no connections to the library any more.
        while connections.count() > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let mut ended = std::pin::pin!(async {
        tokio::select! {
            () = ended => {}
            () = unused => {}
        }
    });
    if tokio::time::timeout(timeout, &mut ended).await.is_ok() {
        return;
    }
    tracing::warn!("server.drain_seconds passed; the requests still running are cut off");
    cut.cancel();
    // Whoever does not listen any more is not waited for.
    let _ = tokio::time::timeout(LAST_WORDS, ended).await;
}

/// How long a connection without a request may take to close by itself.
const GRACE: Duration = Duration::from_millis(100);
/// How long a client that came right before another process took over may take for its first request, and one that is between two
/// requests for its next one, whose answer tells it to connect anew: closed meanwhile, it could just be sending it.
const MOVING: Duration = Duration::from_secs(1);
/// How long the last words of streams that are cut may take to be sent.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(600);
const PAUSE: Duration = Duration::from_millis(10);
