//! The listening side: accepts connections, speaks HTTP/1 and HTTP/2, and drains on shutdown.

mod accept;
mod api;
pub(crate) mod chat;
mod connection;
mod connection_state;
mod connection_table;
pub(crate) mod cors;
mod drain;
mod endpoints;
pub(crate) mod files;
mod late_planner;
mod mcp;
mod observed;
mod operator;
mod readiness;
mod recall_tool;
mod receipts;
mod refusals;
pub(crate) mod relay;
mod request_guard;
mod request_limits;
pub(crate) mod routes;
mod shared;
mod socket;
pub(crate) mod tls;
mod tunnel;
mod turn_recorder;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::telemetry::logs::OncePerMinute;
pub(crate) use accept::bind;
use connection::ConnectionServer;
use connection_table::ConnectionTable;
pub(crate) use drain::Stop;
pub(crate) use late_planner::LatePlanner;
pub(crate) use receipts::Receipts;
pub(crate) use request_limits::RequestLimits;
pub(crate) use shared::Shared;

/// Where clients connect.
pub(crate) struct Socket {
    /// Takes connections.
    pub(crate) listener: TcpListener,
    /// Carries out handshakes; `None` where TLS is off.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Most connections at once.
    pub(crate) most_connections: usize,
}

/// Serves until `stop` is ready, then lets running requests finish for at most `server.drain_seconds`, and a moment longer to say that
/// they are cut off. Gives what `stop` gave.
pub(crate) async fn serve<S>(
    Socket { listener, tls, most_connections }: Socket,
    shared: &Arc<Shared>,
    stop: impl Future<Output = (Stop, S)>,
) -> S {
    let (graceful, connections, warnings) =
        (GracefulShutdown::new(), ConnectionTable::new(most_connections), OncePerMinute::default());
    let server = ConnectionServer::new(shared, &connections, tls);
    let mut stop = std::pin::pin!(stop);
    let (stop, stopped) = loop {
        tokio::select! {
            stopped = &mut stop => break stopped,
            stream = accept::next(&listener, &connections, &warnings) => server.serve(stream, &graceful),
        }
    };
    drop(listener);
    let timeout = Duration::from_secs(shared.config.server.drain_seconds);
    drain::drain(graceful, &connections, &shared.cut, timeout, stop).await;
    stopped
}
