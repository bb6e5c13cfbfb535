//! The listening side: accepts connections, speaks HTTP/1 and HTTP/2, and drains on shutdown.
//!
//! It must not know the OpenAI wire format; every request goes to [`routes`].

mod accept;
mod answered;
pub(crate) mod chat;
mod connection;
pub(crate) mod cors;
mod courteous;
mod drain;
mod endpoints;
pub(crate) mod files;
mod keep;
mod observed;
mod places;
mod receipts;
pub(crate) mod relay;
pub(crate) mod routes;
mod seat;
mod shared;
mod socket;
mod tunnel;
mod visit;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use crate::telemetry::logs::OncePerMinute;
pub(crate) use accept::bind;
use connection::Host;
use places::Places;
pub(crate) use receipts::Receipts;
pub(crate) use shared::Shared;

/// Serves at most `connections` at once until `stop` is ready, then lets running requests finish for at most
/// `server.drain_seconds`, and a moment longer to say that they are cut off. Gives what `stop` gave.
pub(crate) async fn serve<S>(
    (listener, connections): (TcpListener, usize),
    shared: &Arc<Shared>,
    stop: impl Future<Output = S>,
) -> S {
    let (graceful, places, warnings) = (
        GracefulShutdown::new(),
        Places::new(connections),
        OncePerMinute::default(),
    );
    let host = Host::new(shared, &places);
    let mut stop = std::pin::pin!(stop);
    let stopped = loop {
        tokio::select! {
            stopped = &mut stop => break stopped,
            stream = accept::next(&listener, &places, &warnings) => host.welcome(stream, &graceful),
        }
    };
    drop(listener);
    let patience = Duration::from_secs(shared.config.server.drain_seconds);
    drain::drain(graceful, &places, &shared.cut, patience).await;
    stopped
}
