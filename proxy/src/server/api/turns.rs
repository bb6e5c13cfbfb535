//! `GET /turns`, `GET /turns/{id}` and `GET /turns/{id}/around`: what was said.

use http::{Response, StatusCode};
use mainpoint_store::TurnId;

use super::{Call, named};
use crate::error::{Held, MemoryError, ProxyError};
use crate::http::response::{Body, serialized};
use crate::memory::{TurnCursor, Window};

/// A page of a conversation's turns, oldest first.
pub(super) async fn list(call: &Call<'_>) -> Result<Response<Body>, ProxyError> {
    let missing = || ProxyError::InvalidParameter {
        name: "conversation".to_owned(),
        value: "missing".to_owned(),
        allowed: "the id of a conversation, as GET /mainpoint/v1/conversations lists them".to_owned(),
    };
    let conversation = named("conversation", call.query.get("conversation").ok_or_else(missing)?)?;
    let allowed = "a position, a dot and the id of a turn, as \"next\" of the page before gives it";
    let after = call.query.parsed("after", allowed, |cursor| cursor.parse::<TurnCursor>().ok())?;
    let limit = call.query.limit()?;
    let page = call.memory().archive(call.scope).turns(conversation, after, limit).await.map_err(MemoryError::from)?;
    let unknown = || ProxyError::NotInMemory { what: Held::Conversation, id: conversation.to_string() };
    Ok(serialized(StatusCode::OK, &page.ok_or_else(unknown)?))
}

/// A turn with its main point.
pub(super) async fn show(call: &Call<'_>, id: TurnId) -> Result<Response<Body>, ProxyError> {
    let turn = call.memory().archive(call.scope).turn(id).await.map_err(MemoryError::from)?;
    let unknown = || ProxyError::NotInMemory { what: Held::Turn, id: id.to_string() };
    Ok(serialized(StatusCode::OK, &turn.ok_or_else(unknown)?))
}

/// A turn, and what was said before and after it.
pub(super) async fn around(call: &Call<'_>, id: TurnId) -> Result<Response<Body>, ProxyError> {
    let turns =
        |name: &'static str| Ok::<_, ProxyError>(call.query.number(name, 0..=MOST_AROUND)?.unwrap_or(USUAL_AROUND));
    let window = Window { before: turns("before")?, after: turns("after")? };
    let conversation = call.query.get("conversation").map(|id| named("conversation", id)).transpose()?;
    let around = call.memory().archive(call.scope).around(id, conversation, window).await.map_err(MemoryError::from)?;
    let unknown = || match conversation {
        None => ProxyError::NotInMemory { what: Held::Turn, id: id.to_string() },
        Some(conversation) => ProxyError::InvalidParameter {
            name: "conversation".to_owned(),
            value: format!("\"{conversation}\""),
            allowed: format!("a conversation of this memory that the turn {id} stands in"),
        },
    };
    Ok(serialized(StatusCode::OK, &around.ok_or_else(unknown)?))
}

const MOST_AROUND: usize = 100;
const USUAL_AROUND: usize = 5;
