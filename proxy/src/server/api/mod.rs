//! The memory over HTTP, below `/mainpoint/v1/`: what a caller's memory holds, what it finds, and deleting it. `openapi.json`
//! describes it.
//!
//! Each resource has its own file.

mod access;
mod conversations;
mod endpoint;
mod export;
mod import;
mod lines;
mod query;
mod search;
mod stats;
mod topics;
mod turns;
mod whole;

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use mainpoint_store::Scope;

use super::cors::{self, Unwelcome};
use super::{Shared, operator};
use crate::error::ProxyError;
use crate::http::response::{Body, BodyError, response, serialized};
use crate::memory::{Forget, Memory};
use crate::prompt::Planner;
use access::Access;
use endpoint::{Found, What};
use query::{Query, shown};

/// Where the API begins.
pub(crate) const BASE: &str = "/mainpoint/v1";

/// What the API is, for programs.
const DOCUMENT: &str = include_str!("openapi.json");

/// Answers a request for `path`, which is what follows [`BASE`].
///
/// # Errors
/// When the request cannot be understood, its caller may not do what it asks for, or the memory fails.
pub(crate) async fn answer<B>(
    shared: &Arc<Shared>,
    path: &str,
    request: Request<B>,
) -> Result<Response<Body>, ProxyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    let unknown = || ProxyError::NoEndpoint { path: request.uri().path().to_owned() };
    let Found { endpoint, id } = endpoint::find(path).ok_or_else(unknown)?;
    endpoint.check(&request)?;
    if endpoint.what == What::Document {
        return Ok(response(StatusCode::OK, "application/json", DOCUMENT));
    }
    ensure_welcome(shared, &request)?;
    let planner = shared.planner.get().ok_or_else(|| shared.planner.refusal())?;
    let access = Access::new(shared, planner, &request);
    let query = Query::of(&request, endpoint.parameters)?;
    if endpoint.what == What::Scopes {
        operator::ensure_admin(&shared.config.server, request.headers())?;
        return stats::scopes(&planner.memory).await;
    }
    let scope = access.scope(query.get("scope"))?;
    if endpoint.what != What::Import
        && let Some(named) = query.get("scope")
    {
        access.ensure_held(named, &scope).await?;
    }
    let is_admin = operator::is_admin(&shared.config.server, request.headers());
    let call = Call { planner, is_admin, scope: &scope, query: &query };
    let is_deletion = *request.method() == Method::DELETE;
    let most_bytes = shared.config.server.max_body_bytes;
    match endpoint.what {
        What::Conversations => conversations::list(&call).await,
        What::Conversation => call.delete(Forget::Conversation(named("conversation", id)?)).await,
        What::Turns => turns::list(&call).await,
        What::Turn if is_deletion => call.delete(Forget::Turn(named("turn", id)?)).await,
        What::Turn => turns::show(&call, named("turn", id)?).await,
        What::Around => turns::around(&call, named("turn", id)?).await,
        What::Search => search::search(&call, request, most_bytes, &shared.room).await,
        What::Whole => whole::delete(&call).await,
        What::Export => export::export(&call).await,
        What::Import => import::import(&call, request, most_bytes, &shared.room).await,
        What::Topics => topics::list(&call).await,
        What::Stats => stats::stats(&call).await,
        // Both were answered above.
        What::Scopes | What::Document => Err(unknown()),
    }
}

/// Makes sure that no page asks for a memory that it may not use.
///
/// # Errors
/// [`ProxyError::Forbidden`].
pub(crate) fn ensure_welcome<B>(shared: &Shared, request: &Request<B>) -> Result<(), ProxyError> {
    // No page has the admin's token but the admin's own.
    if operator::is_admin(&shared.config.server, request.headers()) {
        return Ok(());
    }
    // Where a gateway says who callers are, a key says nothing.
    let by_gateway = shared.identities.gateway_header().is_some();
    match cors::unwelcome(request, &shared.identities, &shared.config.server) {
        None => Ok(()),
        Some(Unwelcome::Page) if by_gateway => Err(ProxyError::Forbidden {
            message: "A page of another machine may use the memory's API only if its host is listed in identity.trusted_hosts, or \
                      it in server.allowed_origins."
                .into(),
            param: Some("origin"),
        }),
        Some(Unwelcome::Host(host)) if by_gateway => Err(ProxyError::Forbidden {
            message: format!(
                "host = {}; expected an IP address, localhost, a name without a dot, or one that is listed in \
                 identity.trusted_hosts, since any page could have given its own name to this machine: list the names that the \
                 gateway passes on.",
                shown(&host)
            )
            .into(),
            param: Some("host"),
        }),
        Some(Unwelcome::Page) => Err(ProxyError::Forbidden {
            message: "A page of another machine needs a key to use the memory's API: send one in the Authorization header, \
                      or list the page in server.allowed_origins."
                .into(),
            param: Some("origin"),
        }),
        Some(Unwelcome::Host(host)) => Err(ProxyError::Forbidden {
            message: format!(
                "host = {}; expected an IP address, localhost or a name without a dot, or the caller's key besides, such as \
                 \"Authorization: Bearer …\": without a key any page could have given its own name to this machine.",
                shown(&host)
            )
            .into(),
            param: Some("host"),
        }),
    }
}

/// Makes sure that a request has no query but for keys, where none is known.
///
/// # Errors
/// [`ProxyError::InvalidParameter`].
pub(crate) fn ensure_no_query<B>(request: &Request<B>) -> Result<(), ProxyError> {
    Query::of(request, &[]).map(drop)
}

/// A request whose caller is known.
struct Call<'a> {
    planner: &'a Planner,
    /// Whether the admin asks.
    is_admin: bool,
    /// Whose memory it is about.
    scope: &'a Scope,
    query: &'a Query,
}

impl Call<'_> {
    fn memory(&self) -> &Memory {
        &self.planner.memory
    }

    /// Deletes, and says how many turns went.
    async fn delete(&self, what: Forget) -> Result<Response<Body>, ProxyError> {
        #[derive(serde::Serialize)]
        struct Deleted {
            turns_deleted: usize,
        }
        let turns_deleted = self.memory().forget(self.scope, what).await?;
        tracing::info!(scope = %self.scope, turns_deleted, "deleted turns on request");
        Ok(serialized(StatusCode::OK, &Deleted { turns_deleted }))
    }
}

/// The id in a path or a parameter.
fn named<Id: FromStr>(what: &str, id: &str) -> Result<Id, ProxyError> {
    id.parse().map_err(|_| ProxyError::InvalidParameter {
        name: what.to_owned(),
        value: format!("{id:?}"),
        allowed: format!("the id of a {what}, 32 hexadecimal digits"),
    })
}
