//! Where a request is sent and with which headers.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};

use super::bodies::{AUTHORIZATION, Size};
use crate::{BenchError, Failing};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Destination {
    /// The base URL, version included.
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Destination {
    /// The service at a base URL, with the headers that every request has.
    pub(super) fn at(url: impl Into<String>) -> Self {
        let always = [("content-type", "application/json"), ("authorization", AUTHORIZATION)];
        Self { url: url.into(), headers: always.map(|(name, value)| (name, value.to_owned())).to_vec() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn chat(&self) -> String {
        format!("{}/chat/completions", self.url)
    }

    pub(super) fn post(&self, client: &Client, body: String) -> RequestBuilder {
        let request = client.post(self.chat()).body(body);
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    /// Sends one chat request of this size and reads its answer.
    pub(super) async fn ask(&self, client: &Client, size: Size) -> Result<(), BenchError> {
        let chat = self.chat();
        let sent = self.post(client, size.body()).send().await;
        let response = sent.when_asking(&chat)?;
        let status = response.status();
        let text = response.text().await.when_asking(&chat)?;
        if status.is_success() && text.contains("choices") {
            return Ok(());
        }
        Err(BenchError::new(format!("{chat} answered {status}: {text}")))
    }
}

/// A client that goes the direct way, speaks HTTP/1.1, and gives an answer at most `patience`.
pub(super) fn client(patience: Duration) -> Result<Client, BenchError> {
    let builder = Client::builder().no_proxy().http1_only().tcp_nodelay(true).timeout(patience);
    builder.build().because("there is no client")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_knows_its_url_and_headers() {
        let destination = Destination::at("http://127.0.0.1:80/v1").with("x-some", "thing");
        assert_eq!(destination.chat(), "http://127.0.0.1:80/v1/chat/completions");
        assert_eq!(destination.headers.last(), Some(&("x-some", "thing".to_owned())));
    }
}
