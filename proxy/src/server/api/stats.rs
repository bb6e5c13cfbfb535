//! `GET /stats` and `GET /scopes`: how much there is, and whose.

use http::{Response, StatusCode};
use serde::Serialize;

use super::Call;
use crate::error::{MemoryError, ProxyError};
use crate::http::response::{Body, serialized};
use crate::memory::{ListedScope, Memory};

/// How much a memory holds.
pub(super) async fn stats(call: &Call<'_>) -> Result<Response<Body>, ProxyError> {
    let archive = call.memory().archive(call.scope);
    // What all others have is no caller's business.
    let stats = if call.is_admin { archive.stats_with_store().await } else { archive.stats().await };
    let stats = stats.map_err(MemoryError::from)?;
    Ok(serialized(StatusCode::OK, &stats))
}

/// Every memory that there is, for the admin.
pub(super) async fn scopes(memory: &Memory) -> Result<Response<Body>, ProxyError> {
    #[derive(Serialize)]
    struct Scopes {
        object: &'static str,
        data: Vec<ListedScope>,
    }
    Ok(serialized(StatusCode::OK, &Scopes { object: "list", data: memory.scopes().await? }))
}
