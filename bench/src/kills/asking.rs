//! One request of a client, and whether the client has seen the whole answer.
//!
//! It must not know who asks nor what becomes of the program meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use crate::BenchError;

/// Where questions go.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// Keeps connections alive.
    pub(super) http: reqwest::Client,
    /// The base URL of the program.
    pub(super) url: String,
}

/// How a question is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    /// The caller's key.
    pub(super) key: &'a str,
    /// Whether the answer comes as a stream.
    pub(super) streams: bool,
}

/// Longer than any answer takes, so that a client never waits for a program that is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// The last event of a stream.
const END: &str = "data: [DONE]\n\n";

impl Door {
    /// A client without settings of the environment for the program at `url`.
    ///
    /// # Errors
    /// [`BenchError::Request`] if there can be none.
    pub(super) fn to(url: &str) -> Result<Self, BenchError> {
        let url = format!("{url}/chat/completions");
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = client.map_err(|source| BenchError::Request {
            url: url.clone(),
            source,
        })?;
        Ok(Self { http, url })
    }

    /// What is answered to the last of the messages; nothing unless the whole answer came, to its last byte.
    pub(super) async fn ask(&self, messages: &[Value], manner: Manner<'_>) -> Option<String> {
        let body = json!({"model": "m", "messages": messages, "stream": manner.streams});
        let request = self.http.post(&self.url);
        let request = request
            .header("authorization", format!("Bearer {}", manner.key))
            .header("content-type", "application/json");
        let mut response = request.body(body.to_string()).send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        if !manner.streams {
            return said(&response.bytes().await.ok()?);
        }
        let mut events = Vec::new();
        // A client does not wait for what comes behind the last event.
        while !events.ends_with(END.as_bytes()) {
            events.extend_from_slice(&response.chunk().await.ok()??);
        }
        put_together(&events)
    }
}

fn said(document: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let content = document["choices"][0]["message"]["content"].as_str();
    content.map(str::to_owned)
}

fn put_together(events: &[u8]) -> Option<String> {
    let events = std::str::from_utf8(events).ok()?;
    let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let words = chunks.filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()));
    Some(words.collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::super::service::{Service, reply_to};
    use super::*;

    #[tokio::test]
    async fn an_answer_is_whole_whether_or_not_it_is_streamed() {
        let service = Service::start().await.unwrap();
        let door = Door::to(service.url()).unwrap();
        for streams in [false, true] {
            let manner = Manner { key: "k", streams };
            let asked = [json!({"role": "user", "content": "two words"})];
            assert_eq!(door.ask(&asked, manner).await, Some(reply_to("two words")));
        }
    }

    #[tokio::test]
    async fn nothing_is_seen_of_a_program_that_is_gone() {
        let service = Service::start().await.unwrap();
        let door = Door::to(service.url()).unwrap();
        drop(service);
        tokio::task::yield_now().await;
        let manner = Manner {
            key: "k",
            streams: true,
        };
        assert_eq!(door.ask(&[json!({"role": "user", "content": "a"})], manner).await, None);
    }
}
