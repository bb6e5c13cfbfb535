//! `/mainpoint/mcp`: the memory for models, as the Model Context Protocol has it over HTTP.
//!
//! Every request is answered by itself, whole and at once, so that it does not matter which process it reaches, and
//! none outlives a stop. Whose memory it is says its key, as on the memory's API, which is what answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use rmcp::ErrorData;
use rmcp::model::{ClientJsonRpcMessage, Extensions, JsonRpcError, RequestId};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize as _;
use serde_json::Value;
use url::form_urlencoded;

use super::{Shared, api, operator};
use crate::error::ProxyError;
use crate::http::encoding::{self, EncodingError};
use crate::http::response::{Body, serialized};
use crate::http::{RequestBody, body, credentials};
use crate::mcp::{ApiRequest, Ask, MemoryServer, Reach, Source};
use crate::room;

/// Where it is.
pub(crate) const PATH: &str = "/mainpoint/mcp";

/// Answers a request.
///
/// # Errors
/// When a page may not send it, or its body cannot be read. What a tool refuses is an answer.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request<RequestBody>) -> Result<Response<Body>, ProxyError> {
    api::ensure_welcome(shared, &request)?;
    api::ensure_no_query(&request)?;
    let most_bytes = shared.config.server.max_body_bytes;
    let (head, body) = request.into_parts();
    let bytes = body::read(body, &head.headers, most_bytes, &shared.room).await?;
    let decompressed = encoding::decompressed(&head.headers, &bytes, most_bytes, &shared.room).await;
    let decompressed = decompressed.map_err(EncodingError::refusal)?;
    let _held = shared.room.try_take(room::for_reading(&decompressed)).ok_or(ProxyError::NoRoom)?;
    if head.method == Method::POST
        && let Some(error) = misunderstood(&decompressed)
    {
        return Ok(serialized(StatusCode::BAD_REQUEST, &error));
    }
    let source = Arc::new(CallerMemory(Arc::clone(shared)));
    let service = StreamableHttpService::new(
        move || Ok(MemoryServer::new(Arc::clone(&source))),
        Arc::new(NeverSessionManager::default()),
        settings(shared),
    );
    let response = service.handle(Request::from_parts(head, Full::new(decompressed))).await;
    Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()))
}

/// No sessions, no streams. Pages are judged as everywhere here, by their origin and their key, and a browser names the
/// origin in every request that is answered here; by which names this machine is reached the library cannot know.
fn settings(shared: &Shared) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None)
        .with_cancellation_token(shared.cut.child_token())
        .with_max_request_body_bytes(shared.config.server.max_body_bytes)
        .disable_allowed_hosts()
        .disable_allowed_origins()
}

/// What JSON-RPC answers to a body that is none of its messages, which the library answers in plain text. As the protocol
/// has it, and unlike JSON-RPC, an answer has no id where it answers no request whose id can be read.
fn misunderstood(body: &[u8]) -> Option<JsonRpcError> {
    if serde_json::from_slice::<ClientJsonRpcMessage>(body).is_ok() {
        return None;
    }
    Some(match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            // The id of what answers a request is none of the client's own.
            let is_answer =
                value.get("method").is_none() && ["result", "error"].iter().any(|key| value.get(key).is_some());
            let id = value.get("id").filter(|_| !is_answer).and_then(|id| RequestId::deserialize(id).ok());
            let message = "Invalid request: the body is no message of JSON-RPC 2.0.";
            JsonRpcError::new(id, ErrorData::invalid_request(message, None))
        }
        Err(_) => JsonRpcError::new(None, ErrorData::parse_error("Parse error: the body is not JSON.", None)),
    })
}

/// The memory of whoever sends a request.
struct CallerMemory(Arc<Shared>);

impl Source for CallerMemory {
    fn reach(&self, request: &Extensions) -> Reach {
        let headers = request.get::<Parts>().map(|head| &head.headers);
        let is_admin = headers.is_some_and(|headers| operator::is_admin(&self.0.config.server, headers));
        if is_admin { Reach::Every } else { Reach::Own }
    }

    async fn answer(&self, ask: Ask, scope: Option<String>, request: &Extensions) -> Result<Value, String> {
        let defect = || "The request has no head.".to_owned();
        let head = request.get::<Parts>().ok_or_else(defect)?;
        let asked = ask.request().with("scope", scope);
        let request = of_caller(&asked, head).ok_or_else(defect)?;
        let answered = api::answer(&self.0, &asked.path, request).await.map_err(|error| {
            if error.refusal().status.is_server_error() {
                tracing::warn!(error = %error, cause = ?std::error::Error::source(&error), "a tool failed");
            }
            error.to_string()
        })?;
        let bytes = answered.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }
}

/// A request to the memory's API by whoever sent a request with this head, in which a key may stand in the query.
fn of_caller(asked: &ApiRequest, head: &Parts) -> Option<Request<Full<Bytes>>> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&asked.parameters).extend_pairs(credentials::in_query(head.uri.query()));
    let uri: Uri = format!("{}{}?{}", api::BASE, asked.path, query.finish()).parse().ok()?;
    let body = asked.body.as_ref().map(Value::to_string).unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = uri;
    request.headers_mut().clone_from(&head.headers);
    // They tell of the body that came.
    for header in [CONTENT_ENCODING, CONTENT_LENGTH] {
        request.headers_mut().remove(header);
    }
    request.extensions_mut().clone_from(&head.extensions);
    Some(request)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_that_is_no_message_is_answered_by_an_error_of_json_rpc() {
        for (body, code, id) in [
            ("", -32700, None),
            ("{", -32700, None),
            ("\u{feff}{}", -32700, None),
            ("null", -32600, None),
            ("[]", -32600, None),
            ("{}", -32600, None),
            (r#"{"jsonrpc":"2.0","id":7}"#, -32600, Some(json!(7))),
            (r#"{"jsonrpc":"2.0","id":"a"}"#, -32600, Some(json!("a"))),
            (r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"tools/list"}"#, -32600, None),
            (r#"{"jsonrpc":"1.0","id":7,"method":"tools/list"}"#, -32600, Some(json!(7))),
            (r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","result":{}}"#, -32600, Some(json!(7))),
            // What the server never asked is answered without the id, which may be that of a request of the client's own.
            (r#"{"jsonrpc":"1.0","id":7,"result":{}}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":7,"error":"none"}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#, -32600, None),
        ] {
            let error = serde_json::to_value(misunderstood(body.as_bytes()).unwrap()).unwrap();
            assert_eq!(
                (&error["error"]["code"], error.get("id"), &error["jsonrpc"]),
                (&json!(code), id.as_ref(), &json!("2.0")),
                "{body}"
            );
        }
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"unknown/method","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        ] {
            assert_eq!(misunderstood(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn the_api_is_asked_with_the_callers_headers_but_those_of_the_body() {
        let (head, ()) = Request::builder()
            .method(Method::POST)
            .uri("/mainpoint/mcp?key=%20b")
            .header("authorization", "Bearer a")
            .header("content-length", "5")
            .header("content-encoding", "gzip")
            .body(())
            .unwrap()
            .into_parts();
        let asked = ApiRequest::new(Method::POST, "/search").with("scope", Some("k:a b"));
        let request = of_caller(&ApiRequest { body: Some(json!({"question": "x"})), ..asked }, &head).unwrap();
        assert_eq!(request.uri(), "/mainpoint/v1/search?scope=k%3Aa+b&key=+b");
        let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["authorization"]);
    }
}
