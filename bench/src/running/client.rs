//! A client: it sends the whole history each time, as every chat application does.
//!
//! It must not know what the proxy does with it, beyond the headers that say so.

use std::time::{Duration, Instant};

use http::HeaderMap;
use serde_json::{Value, json};

use crate::BenchError;

/// Who asks, and what stands in every request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The model's name.
    pub model: String,
    /// The API key; none is sent without it.
    pub key: Option<String>,
    /// Most tokens of a reply.
    pub reply_tokens: Option<u32>,
}

/// A chat with its history.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    caller: Caller,
    messages: Vec<Value>,
}

/// What came back for one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the assistant says.
    pub reply: String,
    /// `passthrough`, `rewritten` or `failed-open`.
    pub outcome: String,
    /// Tokens of the prompt that the client sent.
    pub tokens_in: usize,
    /// Tokens of the prompt that the upstream received.
    pub tokens_forwarded: usize,
    /// Memories in it.
    pub memories: usize,
    /// The request's name at the proxy.
    pub request: String,
}

const BACKLOG_PATIENCE: Duration = Duration::from_secs(300);
const BACKLOG: &str = "mainpoint_backlog_turns";

impl Client {
    /// A chat that begins with a system message.
    #[must_use]
    pub fn new(caller: Caller, system: &str) -> Self {
        let messages = vec![json!({"role": "system", "content": system})];
        Self {
            http: reqwest::Client::new(),
            caller,
            messages,
        }
    }

    /// Puts a message into the history that was said before.
    pub fn put(&mut self, role: &str, text: &str) {
        self.messages.push(json!({"role": role, "content": text}));
    }

    /// Says something and keeps the reply in the history.
    ///
    /// # Errors
    /// [`BenchError::Request`] or [`BenchError::Proxy`] if there is no reply.
    pub async fn say(&mut self, base_url: &str, text: &str) -> Result<Answer, BenchError> {
        self.messages.push(json!({"role": "user", "content": text}));
        let answer = self.send(base_url, &self.messages).await?;
        self.messages
            .push(json!({"role": "assistant", "content": answer.reply}));
        Ok(answer)
    }

    /// Says something that never becomes part of the history, as if the conversation went on in another way here.
    ///
    /// # Errors
    /// [`BenchError::Request`] or [`BenchError::Proxy`] if there is no reply.
    pub async fn say_aside(&self, base_url: &str, text: &str) -> Result<Answer, BenchError> {
        let mut messages = self.messages.clone();
        messages.push(json!({"role": "user", "content": text}));
        self.send(base_url, &messages).await
    }

    /// The JSON document at `url`, asked for with the same key.
    ///
    /// # Errors
    /// [`BenchError::Request`] if it cannot be asked for, [`BenchError::Proxy`] if it is something else.
    pub async fn document(&self, url: &str) -> Result<Value, BenchError> {
        let failed = |source| BenchError::Request {
            url: url.to_owned(),
            source,
        };
        let response = self.signed(self.http.get(url)).send().await.map_err(failed)?;
        let status = response.status();
        let body = response.text().await.map_err(failed)?;
        let document: Option<Value> = serde_json::from_str(&body).ok().filter(|_| status.is_success());
        document.ok_or_else(|| BenchError::Proxy(format!("{url} answered {status}: {body}")))
    }

    async fn send(&self, base_url: &str, messages: &[Value]) -> Result<Answer, BenchError> {
        let url = format!("{base_url}/chat/completions");
        let failed = |source| BenchError::Request {
            url: url.clone(),
            source,
        };
        let mut body = json!({"model": self.caller.model, "messages": messages});
        if let Some(tokens) = self.caller.reply_tokens {
            body["max_tokens"] = json!(tokens);
        }
        let request = self
            .signed(self.http.post(&url))
            .header("content-type", "application/json")
            .body(body.to_string());
        let response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.map_err(failed)?;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let Some(reply) = answer["choices"][0]["message"]["content"].as_str() else {
            return Err(BenchError::Proxy(format!("it answered {status}: {body}")));
        };
        Ok(Answer {
            reply: reply.to_owned(),
            outcome: text_of(&headers, "x-mainpoint").to_owned(),
            tokens_in: number_of(&headers, "x-mainpoint-tokens-in"),
            tokens_forwarded: number_of(&headers, "x-mainpoint-tokens-forwarded"),
            memories: number_of(&headers, "x-mainpoint-memories"),
            request: text_of(&headers, "x-mainpoint-request-id").to_owned(),
        })
    }

    fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.caller.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    /// Waits until the proxy has read everything that was said.
    ///
    /// # Errors
    /// [`BenchError::Request`] if it cannot be asked, [`BenchError::Proxy`] if it does not get there.
    pub async fn wait_until_read(&self, metrics_url: &str) -> Result<(), BenchError> {
        let failed = |source| BenchError::Request {
            url: metrics_url.to_owned(),
            source,
        };
        let started = Instant::now();
        while started.elapsed() < BACKLOG_PATIENCE {
            let text = self
                .http
                .get(metrics_url)
                .send()
                .await
                .map_err(failed)?
                .text()
                .await
                .map_err(failed)?;
            if gauge(&text, BACKLOG) == Some(0.0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(BenchError::Proxy(format!(
            "{BACKLOG} at {metrics_url} did not become 0"
        )))
    }
}

/// The value of a metric without labels in Prometheus text.
fn gauge(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("?")
}

fn number_of(headers: &HeaderMap, name: &str) -> usize {
    text_of(headers, name).parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::running::upstream::ScriptedUpstream;

    fn caller() -> Caller {
        Caller {
            model: "m".to_owned(),
            key: Some("k".to_owned()),
            reply_tokens: Some(7),
        }
    }

    async fn upstream() -> ScriptedUpstream {
        ScriptedUpstream::start(|number| format!("reply {number}"))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn every_request_carries_the_whole_history() {
        let upstream = upstream().await;
        let mut client = Client::new(caller(), "be kind");
        let first = client.say(upstream.url(), "one").await.unwrap();
        client.say(upstream.url(), "two").await.unwrap();
        let contents: Vec<&str> = client
            .messages
            .iter()
            .filter_map(|message| message["content"].as_str())
            .collect();
        assert_eq!(contents[..4], ["be kind", "one", first.reply.as_str(), "two"]);
        // The service itself is no proxy and sends no headers.
        assert_eq!((first.outcome.as_str(), first.tokens_in), ("?", 0));
    }

    #[tokio::test]
    async fn what_is_said_aside_is_not_in_the_next_request() {
        let upstream = upstream().await;
        let mut client = Client::new(caller(), "be kind");
        client.put("user", "one");
        client.put("assistant", "reply 0");
        let aside = client.say_aside(upstream.url(), "by the way").await.unwrap();
        assert_eq!(upstream.last_prompt(), ["be kind", "one", "reply 0", "by the way"]);
        assert_eq!(aside.reply, "reply 0");
        client.say(upstream.url(), "two").await.unwrap();
        assert_eq!(upstream.last_prompt(), ["be kind", "one", "reply 0", "two"]);
    }

    #[tokio::test]
    async fn a_document_that_is_not_there_is_an_error_with_its_status() {
        let upstream = upstream().await;
        let url = format!("{}/receipts/1", upstream.url());
        let error = Client::new(caller(), "s").document(&url).await.unwrap_err().to_string();
        assert!(error.contains("/receipts/1 answered 404"), "{error}");
    }

    #[tokio::test]
    async fn an_error_of_the_service_is_quoted() {
        let upstream = upstream().await;
        let error = Client::new(caller(), "s")
            .say(&format!("{}/nowhere", upstream.url()), "one")
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("404") && error.to_string().contains("only chat completions"),
            "{error}"
        );
    }

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let text = "# TYPE mainpoint_backlog_turns gauge\nmainpoint_backlog_turns_x 3\nmainpoint_backlog_turns 2\n";
        assert_eq!(gauge(text, BACKLOG), Some(2.0));
        assert_eq!(gauge("other 1", BACKLOG), None);
    }
}
