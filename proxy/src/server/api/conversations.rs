//! `GET /conversations`: the conversations of a memory.

use http::{Response, StatusCode};

use super::Call;
use crate::error::{MemoryError, ProxyError};
use crate::http::response::{Body, serialized};
use crate::memory::ConversationCursor;

/// A page of conversations, those that began last first.
pub(super) async fn list(call: &Call<'_>) -> Result<Response<Body>, ProxyError> {
    let after = call.query.parsed("after", ConversationCursor::ALLOWED, |cursor| cursor.parse().ok())?;
    let limit = call.query.limit()?;
    let page = call.memory().archive(call.scope).conversations(after, limit).await.map_err(MemoryError::from)?;
    Ok(serialized(StatusCode::OK, &page))
}
