//! What a test asks of a started proxy: chats, pages, metrics, and to wait until everything has been read.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::{StartedProxy, TENANT};
use crate::answer::Answer;
use crate::deadline::{wait_until, within};
use crate::metrics::Metrics;

/// How long the reader may take for everything it was given.
const READING: Duration = Duration::from_secs(300);
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(120);

impl StartedProxy {
    /// A request to a path of the server, such as `/v1/models`, with the caller's key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.origin())).header("authorization", TENANT)
    }

    /// Waits until the process says that it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn ready(&self) {
        wait_until("the proxy is ready", REQUEST, || async { self.get("/readyz").await.status == 200 }).await;
    }

    /// Asks for a chat completion and leaves the answer's body to be read.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn open_chat(&self, body: impl Into<Bytes>) -> reqwest::Response {
        self.open_chat_as(TENANT, body).await
    }

    /// Asks for a chat completion.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn chat(&self, body: impl Into<Bytes>) -> Answer {
        Answer::from_response(self.open_chat(body).await).await
    }

    /// Asks for a chat completion in another caller's name.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn chat_as(&self, authorization: &str, body: impl Into<Bytes>) -> Answer {
        Answer::from_response(self.open_chat_as(authorization, body).await).await
    }

    /// Sends JSON to a path of the server, such as `/v1/responses`.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        Answer::from_response(request.body(body.into()).send().await.expect("an answer")).await
    }

    /// Gets a path of the server.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(TENANT, path).await
    }

    /// Gets a path of the server in another caller's name.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn get_as(&self, authorization: &str, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.origin()));
        let sent = request.header("authorization", authorization).send();
        Answer::from_response(
            sent.await.unwrap_or_else(|error| panic!("GET {path}: {error:?}\n{}", self.output.last_lines())),
        )
        .await
    }

    /// The metrics of this moment.
    ///
    /// # Panics
    /// When there are none.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").await.text())
    }

    /// Waits until every turn has been read.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn everything_read(&self) {
        wait_until("every turn is read", READING, || async {
            let metrics = self.metrics().await;
            assert!(metrics.has("mainpoint_backlog_turns"), "the metrics say nothing about the backlog");
            metrics.sum("mainpoint_backlog_turns", &[]) == 0.0
        })
        .await;
    }

    /// Waits until every turn that came has been read, and searches of other conversations find it.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn everything_searchable(&self) {
        self.everything_read().await;
        wait_until("every turn is flushed", READING, || async {
            let metrics = self.metrics().await;
            assert!(metrics.has("mainpoint_unflushed_turns"), "the metrics say nothing about the store");
            metrics.sum("mainpoint_unflushed_turns", &[]) == 0.0
        })
        .await;
    }

    /// Really stops a part of the process: `reader`, `questions` or `store`.
    ///
    /// # Panics
    /// When the proxy refuses.
    pub async fn stop_part(&self, part: &str) {
        let sent = self.request(Method::POST, "/mainpoint/faults").body(json!({"stop": part}).to_string()).send();
        let answer = Answer::from_response(sent.await.expect("an answer")).await;
        assert!(answer.status.is_success(), "stopping the {part}: {} {}", answer.status, answer.text());
    }

    async fn open_chat_as(&self, authorization: &str, body: impl Into<Bytes>) -> reqwest::Response {
        let request = self.client.post(format!("{}/chat/completions", self.base_url));
        let request = request.header("authorization", authorization).header("content-type", "application/json");
        let sent = within("a chat completion begins", REQUEST, request.body(body.into()).send()).await;
        sent.unwrap_or_else(|error| {
            panic!("no answer to a chat request: {error:?}; the proxy said:\n{}", self.output.last_lines())
        })
    }
}
