//! Sends each request to its handler, and counts every answer.

use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use tracing::Instrument;
use uuid::Uuid;

use super::chat::ChatCall;
use super::cors::CorsRequest;
use super::{Shared, api, chat, cors, endpoints, mcp, operator, relay, tunnel};
use crate::error::ProxyError;
use crate::http::RequestBody;
use crate::http::body;
use crate::http::headers::REQUEST_ID;
use crate::http::paths;
use crate::http::response::{Body, refused};
use crate::openai::request::Surface;
use crate::telemetry::metrics;

/// Answers one request. Every failure becomes an answer.
pub(crate) async fn handle(shared: Arc<Shared>, request: Request<RequestBody>) -> Response<Body> {
    let id = new_id();
    // Every field is written out for every request, whether anything is logged or not.
    let span = tracing::info_span!("request", %id, path = request.uri().path());
    async move {
        let route = Route::new(&shared, &request);
        // No page may say who somebody is where a gateway does, not even where the upstream allows every header.
        let claims_a_name = shared.identities.gateway_header().is_some_and(|header| cors::asks_for(&request, header));
        let page = (!claims_a_name).then(|| CorsRequest::new(&request, &shared)).flatten();
        let (mut response, outcome) = match &page {
            _ if claims_a_name => (Response::default(), "preflight"),
            Some(page) if page.asks() => (Response::default(), "preflight"),
            _ => answer(&shared, id, &route, request).await,
        };
        if let Some(page) = page {
            response = page.permit(response, &shared.config.server).await;
        }
        metrics::request(route.label(), outcome, response.status().as_u16());
        if let Route::Prompt(..) = route {
            tell_id(id, response.headers_mut());
        }
        tracing::debug!(route = route.label(), status = response.status().as_u16(), outcome, "answered");
        response
    }
    .instrument(span)
    .await
}

/// Where a request goes. The path of `Prompt` and `Relay` is the part after the base path, as the caller spelled it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Prompt(Surface, String),
    Relay(String),
    /// A request to make the connection a WebSocket, with its path.
    Tunnel(String),
    Health,
    Ready,
    Metrics,
    Faults,
    /// The receipt of the request with this id.
    Receipt(String),
    /// What the memory's API has below its base.
    Api(String),
    /// The memory as tools for models.
    Mcp,
    Unknown,
}

impl Route {
    fn new(shared: &Shared, request: &Request<RequestBody>) -> Self {
        let server = &shared.config.server;
        let path = request.uri().path();
        if let Some(rest) = paths::under(path, &server.base_path) {
            let rest = rest.to_owned();
            return match *request.method() {
                Method::POST if paths::is(&rest, "/chat/completions") => Self::Prompt(Surface::ChatCompletions, rest),
                Method::POST if paths::is(&rest, "/responses") => Self::Prompt(Surface::Responses, rest),
                _ if tunnel::is_asked_for(request) => Self::Tunnel(rest),
                _ => Self::Relay(rest),
            };
        }
        match path {
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            mcp::PATH => Self::Mcp,
            "/mainpoint/faults" if server.fault_injection => Self::Faults,
            _ => match path.strip_prefix("/mainpoint/receipts/") {
                Some(id) => Self::Receipt(id.to_owned()),
                None => match path.strip_prefix(api::BASE).filter(|rest| rest.starts_with('/')) {
                    Some(rest) => Self::Api(rest.to_owned()),
                    None => Self::Unknown,
                },
            },
        }
    }

    /// Whether the upstream answers it.
    fn goes_upstream(&self) -> bool {
        matches!(self, Self::Prompt(..) | Self::Relay(_) | Self::Tunnel(_))
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Prompt(Surface::ChatCompletions, _) => "chat",
            Self::Prompt(Surface::Responses, _) => "responses",
            Self::Relay(_) => "relay",
            Self::Tunnel(_) => "tunnel",
            Self::Health | Self::Ready | Self::Metrics | Self::Faults | Self::Receipt(_) => "own",
            Self::Api(_) => "api",
            Self::Mcp => "mcp",
            Self::Unknown => "unknown",
        }
    }
}

/// The answer and its outcome label.
async fn answer(
    shared: &Arc<Shared>,
    id: Uuid,
    route: &Route,
    request: Request<RequestBody>,
) -> (Response<Body>, &'static str) {
    if let Err(error) = admit(shared, route, &request) {
        body::discard(request.into_body()).await;
        return refuse(&error);
    }
    let answered = match route {
        Route::Prompt(surface, path) => {
            let chat = ChatCall { id, surface: *surface, path };
            match chat::answer(shared, chat, request).await {
                Ok((response, outcome)) => return (response, outcome.label()),
                Err(error) => Err(error),
            }
        }
        Route::Relay(path) => {
            return match relay::relay(shared, path, request).await {
                Ok(response) => (response, "relayed"),
                Err(error) => refuse(&error),
            };
        }
        Route::Tunnel(path) => {
            return match tunnel::tunnel(shared, path, request).await {
                Ok(response) => (response, "tunnelled"),
                Err(error) => refuse(&error),
            };
        }
        Route::Health => endpoints::health(&request),
        Route::Ready => endpoints::ready(shared, &request),
        Route::Metrics => endpoints::metrics(shared, &request),
        Route::Receipt(of) => endpoints::receipt(shared, of, &request),
        Route::Faults => endpoints::faults(shared, request).await,
        Route::Api(path) => api::answer(shared, path, request).await,
        Route::Mcp => mcp::answer(shared, request).await,
        Route::Unknown => Err(ProxyError::NotFound {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            base_path: shared.config.server.base_path.clone(),
        }),
    };
    match answered {
        Ok(response) => (response, "answered"),
        Err(error) => refuse(&error),
    }
}

/// Whether a request may be looked at: its caller has a key where one is needed, and may send another request now.
fn admit(shared: &Shared, route: &Route, request: &Request<RequestBody>) -> Result<(), ProxyError> {
    let headers = request.headers();
    let is_own = match route {
        _ if route.goes_upstream() => {
            shared.identities.admit(headers)?;
            false
        }
        Route::Api(_) | Route::Mcp => true,
        _ => return Ok(()),
    };
    if is_own && operator::is_admin(&shared.config.server, headers) {
        return Ok(());
    }
    let head = (headers, request.uri(), request.extensions());
    shared.request_limits.take(&shared.identities, head, Instant::now())
}

/// A version 4 UUID that names a request in logs and receipts. It opens nothing by itself, so it need not be hard to
/// guess, and the system is not asked for random numbers.
fn new_id() -> Uuid {
    let random = fastrand::u128(..).to_ne_bytes();
    uuid::Builder::from_random_bytes(random).into_uuid()
}

fn tell_id(id: Uuid, headers: &mut HeaderMap) {
    let mut buffer = Uuid::encode_buffer();
    if let Ok(value) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut buffer)) {
        headers.insert(REQUEST_ID, value);
    }
}

fn refuse(error: &ProxyError) -> (Response<Body>, &'static str) {
    (refused(error), error.refusal().code)
}
