//! `POST /search`: what the memory finds for a question, and what speaks for each turn.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value};

use super::Call;
use super::query::shown;
use crate::error::ProxyError;
use crate::http::body;
use crate::http::encoding::{self, EncodingError};
use crate::http::response::{Body, BodyError, serialized};
use crate::room::{self, Room};

/// A question that was asked.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    text: String,
    limit: usize,
}

/// Turns, best first, also such as the proxy would not think enough.
pub(super) async fn search<B>(
    call: &Call<'_>,
    request: Request<B>,
    most_bytes: usize,
    room: &Room,
) -> Result<Response<Body>, ProxyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    let (head, body) = request.into_parts();
    let bytes = body::read(body, &head.headers, most_bytes, room).await?;
    let decompressed = encoding::decompressed(&head.headers, &bytes, most_bytes, room).await;
    let decompressed = decompressed.map_err(EncodingError::refusal)?;
    let _held = room.try_take(room::for_reading(&decompressed)).ok_or(ProxyError::NoRoom)?;
    let question = Question::parse(&decompressed)?;
    let _passing = call.memory().in_flight();
    let found = call.memory().ask(call.scope, question.text, question.limit).await?;
    Ok(serialized(StatusCode::OK, &found.describe()))
}

impl Question {
    /// # Errors
    /// [`ProxyError::InvalidParameter`].
    fn parse(body: &[u8]) -> Result<Self, ProxyError> {
        let refused = |name: &str, value: String, allowed: &str| ProxyError::InvalidParameter {
            name: name.to_owned(),
            value,
            allowed: allowed.to_owned(),
        };
        let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(body) else {
            let allowed = "a JSON object with \"question\" and perhaps \"limit\"";
            return Err(refused("the body", shown(&String::from_utf8_lossy(body)), allowed));
        };
        if let Some((name, value)) = fields.iter().find(|(name, _)| !["question", "limit"].contains(&name.as_str())) {
            return Err(refused(name, shown_json(value), "no key but question, limit in the body"));
        }
        let text = fields.get("question").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let text =
            text.ok_or_else(|| refused("question", shown_key(&fields, "question"), "text with at least one word"))?;
        let limit = match fields.get("limit") {
            None | Some(Value::Null) => USUAL,
            Some(limit) => limit
                .as_u64()
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| refused("limit", shown_json(limit), "a whole number from 1 to 100"))?,
        };
        Ok(Self { text: text.to_owned(), limit })
    }
}

const MOST: usize = 100;
const USUAL: usize = 10;

fn shown_key(fields: &Map<String, Value>, key: &str) -> String {
    fields.get(key).map_or_else(|| "missing".to_owned(), shown_json)
}

/// JSON as a message shows it.
fn shown_json(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        Value::Array(_) | Value::Object(_) => shown(&value.to_string()),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn parse(body: &str) -> Result<(String, usize), String> {
        Question::parse(body.as_bytes())
            .map(|question| (question.text, question.limit))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_question_is_text_and_its_limit_a_number() {
        assert_eq!(parse(r#"{"question":" where? "}"#).unwrap(), (" where? ".to_owned(), USUAL));
        assert_eq!(parse(r#"{"question":"x","limit":100}"#).unwrap().1, 100);
        for (body, said) in [
            ("nonsense", "the body = \"nonsense\"; expected a JSON object with \"question\""),
            ("[]", "the body = \"[]\"; expected a JSON object"),
            ("{}", "question = missing; expected text with at least one word"),
            (r#"{"question":" "}"#, "question = \" \"; expected text"),
            (r#"{"question":["x"]}"#, "question = \"[\\\"x\\\"]\"; expected text"),
            (r#"{"question":"x","limit":0}"#, "limit = 0; expected a whole number from 1 to 100"),
            (r#"{"question":"x","limit":"9"}"#, "limit = \"9\"; expected a whole number"),
            (r#"{"question":"x","most":9}"#, "most = 9; expected no key but question, limit in the body"),
        ] {
            let refused = parse(body).unwrap_err();
            assert!(refused.starts_with(said), "{body}: {refused}");
        }
    }
}
