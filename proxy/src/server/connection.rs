//! One connection from its first byte to its last: TLS where it is on, HTTP/1 or HTTP/2, and an end when its client lets it wait for too long.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;

use super::connection_state::{ConnectionState, Timeouts};
use super::connection_table::{ConnectionTable, Entry};
use super::refusals::Refusals;
use super::request_guard::{Answer, RequestGuard};
use super::socket::socket;
use super::{Shared, endpoints, routes, tls};
use crate::error::ProxyError;
use crate::http::arriving::RequestBody;
use crate::http::body;
use crate::http::headers;
use crate::http::identity::Peer;
use crate::http::response::{Body, refused};
use crate::http::through::holding;
use crate::telemetry::metrics;

/// Serves connections.
pub(super) struct ConnectionServer {
    shared: Arc<Shared>,
    connections: Arc<ConnectionTable>,
    timeouts: Timeouts,
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
}

/// Why a connection ended early.
type Broken = Box<dyn std::error::Error + Send + Sync>;

impl ConnectionServer {
    /// Serves connections with what requests share, by TLS if there is what carries out handshakes.
    pub(super) fn new(shared: &Arc<Shared>, connections: &Arc<ConnectionTable>, tls: Option<TlsAcceptor>) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(shared),
            connections: Arc::clone(connections),
            timeouts: Timeouts::new(&shared.config.server),
            builder: builder(),
            tls,
        })
    }

    /// Serves a connection in a task of its own, which ends in good order when `graceful` shuts down.
    pub(super) fn serve(self: &Arc<Self>, stream: TcpStream, graceful: &GracefulShutdown) {
        let entry = self.connections.enter();
        let state = Arc::clone(entry.state());
        let (server, watcher) = (Arc::clone(self), graceful.watcher());
        tokio::spawn(async move {
            attend(server.secure(stream, entry, watcher), &state, server.timeouts).await;
            // The socket of a connection that speaks something else now goes on; any other is gone in a moment.
            state.becomes_tunnel(server.connections.try_acquire());
        });
    }

    /// Carries out the handshake, if there is to be one, and answers requests.
    async fn secure(&self, stream: TcpStream, entry: Entry, watcher: Watcher) -> Result<(), Broken> {
        let mut handler = RequestHandler {
            shared: Arc::clone(&self.shared),
            connections: Arc::clone(&self.connections),
            state: Arc::clone(entry.state()),
            body_timeout: self.timeouts.body,
            // A client that has gone already has no address; nothing is believed of it.
            peer: stream.peer_addr().ok().map(|address| address.ip()),
            lacks_tls: false,
        };
        match &self.tls {
            Some(tls) if tls::is_begun(&stream).await? => {
                let secured = tls.accept(socket(stream, entry)).await?;
                self.answer(secured, handler, watcher).await
            }
            lacking => {
                handler.lacks_tls = lacking.is_some();
                self.answer(socket(stream, entry), handler, watcher).await
            }
        }
    }

    /// Answers the requests that come on a socket.
    async fn answer<S>(&self, socket: S, handler: RequestHandler, watcher: Watcher) -> Result<(), Broken>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handler = Arc::new(handler);
        let service = service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, Infallible>(handler.answer(request).await) }
        });
        let io = TokioIo::new(Refusals::new(socket));
        watcher.watch(self.builder.serve_connection_with_upgrades(io, service)).await
    }
}

/// What a connection's requests need.
struct RequestHandler {
    shared: Arc<Shared>,
    connections: Arc<ConnectionTable>,
    state: Arc<ConnectionState>,
    body_timeout: Duration,
    peer: Option<IpAddr>,
    /// The client speaks HTTP where TLS is spoken.
    lacks_tls: bool,
}

impl RequestHandler {
    /// A permit for a request, if there is one in time. Few requests of one connection may wait for theirs, so that they leave room
    /// for others.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Some(permit) = self.connections.try_acquire() {
            return Some(permit);
        }
        let _queued = self.state.queue()?;
        self.connections.acquire().await
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let is_http2 = request.version() == Version::HTTP_2;
        let guard = RequestGuard::begin(&self.state, is_http2);
        let is_vital = endpoints::is_vital(request.uri().path());
        let mut request =
            request.map(|body| RequestBody::new(body, Arc::<RequestGuard>::clone(&guard), self.body_timeout));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        let mut response = if self.lacks_tls {
            refuse(&ProxyError::LacksTls, request).await
        } else if is_vital {
            routes::handle(Arc::clone(&self.shared), request).await
        } else if let Some(permit) = self.permit().await {
            guard.hold(permit);
            routes::handle(Arc::clone(&self.shared), request).await
        } else {
            refuse(&ProxyError::Overloaded, request).await
        };
        let is_last = (self.lacks_tls || self.connections.is_left()) && !is_http2;
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| holding(body, Answer(guard)))
    }
}

/// Refuses a request of any path.
async fn refuse(error: &ProxyError, request: Request<RequestBody>) -> Response<Body> {
    metrics::request("refused", error.refusal().code, error.refusal().status.as_u16());
    body::discard(request.into_body()).await;
    refused(error)
}

/// Waits for the end of `connection`, or for a reason to end it.
async fn attend<E: std::fmt::Display>(
    connection: impl Future<Output = Result<(), E>>,
    state: &ConnectionState,
    timeouts: Timeouts,
) {
    let mut connection = pin!(connection);
    let mut closing = pin!(state.closing().cancelled());
    let mut look = pin!(tokio::time::sleep(timeouts.shortest()));
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection ended early");
                }
                return;
            }
            () = &mut closing => return,
            () = &mut look => match state.look(Instant::now(), &timeouts) {
                Ok(next) => look.as_mut().reset(next.into()),
                Err(reason) => {
                    state.close(reason);
                    return;
                }
            }
        }
    }
}

/// How often a client of HTTP/2 is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Heads are waited for by `attend`, which knows a head that has begun from one that has not.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None::<Duration>).max_headers(headers::MOST_LINES);
    builder.http1().max_buf_size(headers::BUFFER_BYTES);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING).max_send_buf_size(headers::BUFFER_BYTES);
    builder
}
