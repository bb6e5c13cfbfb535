//! The loop of requests to a model that is offered our tool: its calls of it are answered here, and the client sees one answer.

mod gathering;
mod streaming;
mod tool_loop;

use http::Response;
use http::header::{CONTENT_LENGTH, HeaderValue};

use super::observed::ReplyKind;
use crate::error::ProxyError;
use crate::http::response::{Body, whole};
use crate::openai::recall_tool::{DocumentAnswer, Usage, read};
use crate::openai::request::Surface;

use gathering::{Gathered, gather};
pub(super) use tool_loop::ToolLoop;

/// The answer for the client. One that is no stream comes when the model calls our tool no more; of a stream all that is the
/// client's passes on as it comes.
///
/// # Errors
/// When no answer comes to one of the requests. An answer that is an error is an answer, and the last one.
pub(super) async fn answer(mut tool_loop: ToolLoop) -> Result<Response<Body>, ProxyError> {
    let mut usage = Usage::default();
    let mut response = tool_loop.send().await?;
    loop {
        if !response.status().is_success() {
            return Ok(response);
        }
        match ReplyKind::of(Surface::ChatCompletions, response.headers()) {
            ReplyKind::Events(_) => return Ok(response.map(|body| streaming::going_on(tool_loop, body))),
            ReplyKind::Document(_) => {}
            ReplyKind::Other => return Ok(response),
        }
        let (mut parts, body) = response.into_parts();
        let (document, _held) = match gather(body, tool_loop.room()).await? {
            Gathered::Whole(document, held) => (document, held),
            Gathered::TooLarge(body) => return Ok(Response::from_parts(parts, body)),
        };
        response = match read(document, &mut usage, tool_loop.is_last()) {
            DocumentAnswer::Asks(asked) => tool_loop.go_on(asked).await?,
            DocumentAnswer::Final(document) => {
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
                return Ok(Response::from_parts(parts, whole(document)));
            }
        };
    }
}
