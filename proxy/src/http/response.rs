//! Bodies and the answers that mainpoint writes itself.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{ProxyError, seconds};

/// Why a body broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body on its way to a client, streaming or whole.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body that is there as a whole.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A response with a body of the given content type.
pub(crate) fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A JSON response.
pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    response(status, "application/json", value.to_string())
}

/// A JSON response, in the order and with the digits of the value's own fields.
pub(crate) fn serialized(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // What is answered has no maps whose keys are no text, and nothing else can fail.
    response(status, "application/json", serde_json::to_vec(value).unwrap_or_default())
}

/// A refusal in OpenAI's error envelope.
pub(crate) fn error_response(error: &ProxyError) -> Response<Body> {
    let mut response = json_response(error.refusal().status, &envelope(error));
    let headers = response.headers_mut();
    match error {
        ProxyError::MethodNotAllowed { allowed, .. } => {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        ProxyError::Overloaded | ProxyError::NoRoom | ProxyError::Stopping => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        ProxyError::TooManyRequests { wait, .. } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(*wait)));
        }
        ProxyError::UnknownKey { .. } => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        ProxyError::ImportHalted { .. } if error.refusal().status != StatusCode::FORBIDDEN => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
        }
        _ => {}
    }
    response
}

/// [`error_response`], which is told to the log as well when the failure is not the client's own.
pub(crate) fn refused(error: &ProxyError) -> Response<Body> {
    if error.refusal().status.is_server_error() {
        tracing::warn!(error = %error, cause = ?std::error::Error::source(error), "refused");
    }
    error_response(error)
}

/// `{"error": {"message", "type", "param", "code"}}`.
pub(crate) fn envelope(error: &ProxyError) -> Value {
    let refusal = error.refusal();
    json!({"error": {
        "message": error.to_string(),
        "type": refusal.kind,
        "param": error.param(),
        "code": refusal.code,
    }})
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[tokio::test]
    async fn a_refusal_is_told_in_the_envelope_of_openai() {
        let response = error_response(&ProxyError::BodyTooLarge { limit: 5 });
        assert_eq!(response.status(), 413);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["error"]["type"], "invalid_request_error");
        assert_eq!(value["error"]["code"], "body_too_large");
        assert!(value["error"]["param"].is_null());
        assert!(value["error"]["message"].as_str().unwrap().contains("5 bytes"));
    }

    #[test]
    fn who_has_to_wait_is_told_for_how_long() {
        for (milliseconds, told) in [(1, "1"), (1000, "1"), (1001, "2"), (59_999, "60")] {
            let wait = std::time::Duration::from_millis(milliseconds);
            let response = error_response(&ProxyError::TooManyRequests { per_minute: 3, wait });
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[RETRY_AFTER], told);
        }
    }
}
