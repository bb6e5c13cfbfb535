//! What happens when an upstream or a client fails, as tables: a row for each fault, with what the client sees, what is counted, how
//! often the request was sent and what is remembered. ARCHITECTURE.md shows the same rows.

mod answers;
mod clients;
mod connecting;
mod http2;
mod kept;

use mainpoint_tests::faulty_upstream::SCRIPT;
use mainpoint_tests::metrics::Metrics;
use mainpoint_tests::{StartedProxy, checkout, sse};
use serde_json::Value;

/// What a client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The upstream's answer, byte for byte: its status and its body.
    Passes(u16, Vec<u8>),
    /// Our own refusal in OpenAI's envelope: status, code and words of its message.
    Refused(u16, &'static str, &'static str),
    /// What came before the fault, and then no end. A chat's stream of events ends in an event that tells the error.
    BreaksOff(Vec<u8>),
    /// The same, but a chat's stream of events had said that it was over, and ends in good order.
    BreaksOffAfterItsEnd(Vec<u8>),
}

/// What is remembered of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remembered {
    Nothing,
    Question,
    Both,
}

/// What somebody got of an answer.
#[derive(Debug)]
struct Seen {
    status: u16,
    content_type: String,
    content_encoding: String,
    body: Vec<u8>,
    is_whole: bool,
}

impl Outcome {
    /// As the document has it.
    fn words(&self) -> String {
        match self {
            Self::Passes(status, _) => format!("passes with {status}"),
            Self::Refused(status, code, _) => format!("{status} `{code}`"),
            Self::BreaksOff(_) => "breaks off".to_owned(),
            Self::BreaksOffAfterItsEnd(_) => "a chat ends, else breaks off".to_owned(),
        }
    }

    /// Holds what a client saw to it; why it is something else, if it is.
    fn differs(&self, seen: &Seen, is_chat: bool) -> Option<String> {
        let tells_errors =
            is_chat && seen.content_type.starts_with("text/event-stream") && seen.content_encoding.is_empty();
        let is_as_expected = match self {
            Self::Passes(status, body) => seen.status == *status && seen.body == *body && seen.is_whole,
            Self::BreaksOffAfterItsEnd(body) => seen.body == *body && seen.is_whole == is_chat,
            Self::BreaksOff(before) if tells_errors => {
                let error = sse::data_lines(&seen.body).pop().unwrap_or_default();
                let error: Value = serde_json::from_str(&error).unwrap_or_default();
                let is_told = error["error"]["code"] == "upstream_broken" && seen.body.ends_with(b"\n\n");
                seen.status == 200 && seen.is_whole && is_told && seen.body.starts_with(before)
            }
            Self::BreaksOff(before) => seen.status == 200 && !seen.is_whole && seen.body == *before,
            Self::Refused(status, code, words) => {
                let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
                let error = &body["error"];
                let is_told = error["message"].as_str().is_some_and(|message| message.contains(words));
                let is_ours = error["code"] == *code && error["type"] == "api_error" && error["param"].is_null();
                seen.status == *status && seen.content_type == "application/json" && is_told && is_ours
            }
        };
        (!is_as_expected).then(|| {
            let body = String::from_utf8_lossy(&seen.body[..seen.body.len().min(300)]).into_owned();
            let Seen { status, content_type, is_whole, .. } = seen;
            format!("saw {status} {content_type:?}, whole: {is_whole}, {} bytes: {body:?}", seen.body.len())
        })
    }
}

impl Remembered {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Question => "the question",
            Self::Both => "question and answer",
        }
    }
}

/// Where a request of the tables goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Chat,
    Relay,
}

impl Route {
    const ALL: [Self; 2] = [Self::Chat, Self::Relay];

    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Relay => "/v1/embeddings",
        }
    }
}

/// Asks for a script, and takes what comes of its answer.
async fn ask(proxy: &StartedProxy, route: Route, script: &str, question: &str) -> Result<Seen, String> {
    let body = format!(r#"{{"model":"x","messages":[{{"role":"user","content":"{question}"}}]}}"#);
    let request = proxy.request(http::Method::POST, route.path()).header(SCRIPT, script);
    let request = request.header("content-type", "application/json").body(body);
    let mut response = request.send().await.map_err(|error| format!("saw no answer: {error:?}"))?;
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut seen = Seen {
        status: response.status().as_u16(),
        content_type: header("content-type"),
        content_encoding: header("content-encoding"),
        body: Vec::new(),
        is_whole: false,
    };
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => seen.body.extend_from_slice(&piece),
            Ok(None) => {
                seen.is_whole = true;
                return Ok(seen);
            }
            Err(_) => return Ok(seen),
        }
    }
}

/// How many failures of a kind were counted.
fn failures(metrics: &Metrics, kind: &str) -> usize {
    metrics.sum("mainpoint_upstream_failures_total", &[("kind", kind)]) as usize
}

fn retries(metrics: &Metrics) -> usize {
    metrics.sum("mainpoint_upstream_retries_total", &[]) as usize
}

/// What is counted, as the document has it.
fn counted(kind: &str) -> String {
    if kind.is_empty() { "–".to_owned() } else { format!("`{kind}`") }
}

fn no_panic(proxy: &StartedProxy) {
    let said = proxy.output();
    assert!(!said.contains("panicked"), "{said}");
}

/// Every row stands in ARCHITECTURE.md as it is here.
fn is_documented(rows: &[String]) {
    let document = checkout::root().join("ARCHITECTURE.md");
    let document = std::fs::read_to_string(document).expect("the document");
    let missing: Vec<&String> = rows.iter().filter(|row| !document.contains(row.as_str())).collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md lacks these rows:\n{}",
        missing.into_iter().cloned().collect::<Vec<_>>().join("\n")
    );
}
