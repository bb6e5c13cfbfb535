//! `GET /export`: all of a memory as JSON Lines, sent while it is read.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mainpoint_store::StoreError;

use super::Call;
use crate::error::{MemoryError, ProxyError};
use crate::http::response::{Body, BodyError};
use crate::memory::ArchivedTurn;

/// A line for each turn at each of its places. Where the store fails on the way, the answer breaks off, so that nobody takes it for
/// the whole.
pub(super) async fn export(call: &Call<'_>) -> Result<Response<Body>, ProxyError> {
    let lines = call.memory().archive(call.scope).lines().await.map_err(MemoryError::from)?;
    let mut response = Response::new(StreamBody::new(frames(lines)).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

fn frames(
    lines: impl Stream<Item = Result<Vec<ArchivedTurn>, StoreError>> + Send + 'static,
) -> impl Stream<Item = Result<Frame<Bytes>, BodyError>> + Send + 'static {
    lines.map(|piece| {
        let mut bytes = Vec::new();
        for line in piece? {
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        Ok(Frame::data(Bytes::from(bytes)))
    })
}
