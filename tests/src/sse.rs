//! Server-sent events: splits a body into its events and assembles the text of a streamed chat completion.

use serde_json::Value;

/// The `data:` payloads of a body, in order; lines may end in LF or CRLF.
#[must_use]
pub fn data_lines(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.map(|data| data.trim().to_owned()).collect()
}

/// The payloads that are JSON: every event but `[DONE]`.
///
/// # Panics
/// When another payload is not JSON.
#[must_use]
pub fn chunks(body: &[u8]) -> Vec<Value> {
    let parse = |data: &String| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in event {data:?}"));
    data_lines(body).iter().filter(|data| *data != "[DONE]").map(parse).collect()
}

/// Whether the stream says that it is complete.
#[must_use]
pub fn is_done(body: &[u8]) -> bool {
    data_lines(body).last().is_some_and(|data| data == "[DONE]")
}

/// The text of the first choice.
#[must_use]
pub fn assembled_text(body: &[u8]) -> String {
    let chunks = chunks(body);
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}
