//! What benchmarks share that run the built program: clients on top of the tests' harness.
//!
//! The proxy and the upstream are those of the tests (`mainpoint-tests`), with the product's own settings.

use http::Method;
use mainpoint_tests::{Answer, ProxyBuilder, ScriptedUpstream, StartedProxy, sse, wire};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{BenchError, Failing};

/// A model whose tokens are those of `o200k_base`, so that proxy and benchmark count alike.
pub(crate) const MODEL: &str = "gpt-4o";
/// Nothing is cut by this deadline, however busy the machine is.
pub(crate) const NO_DEADLINE: (&str, &str) = ("memory.deadline_ms", "600000");

/// A client that sends the whole history each time, as every chat application does.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    model: String,
    authorization: String,
    messages: Vec<Value>,
}

/// The way of clients that live with a missing answer.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    http: reqwest::Client,
    /// Host and port.
    authority: String,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// What the program says that it did with the prompt.
    pub(crate) outcome: String,
    pub(crate) body: Vec<u8>,
}

/// Where chat completions are asked for.
pub(crate) const CHAT: &str = "/v1/chat/completions";
/// The last event of a stream.
const END: &[u8] = b"data: [DONE]\n\n";

impl Door {
    pub(crate) fn to(proxy: &StartedProxy) -> Self {
        Self::at(proxy.authority())
    }

    pub(crate) fn at(authority: &str) -> Self {
        Self { http: wire::client(), authority: authority.to_owned() }
    }

    /// What is answered; nothing unless the whole answer came, to its last byte.
    pub(crate) async fn send(&self, method: Method, path: &str, key: &str, body: String) -> Option<Heard> {
        let request = self.http.request(method, format!("http://{}{path}", self.authority));
        let request = request.header("content-type", "application/json").bearer_auth(key);
        let mut response = request.body(body).send().await.ok()?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let outcome = header("x-mainpoint").split(';').next().unwrap_or_default().to_owned();
        let is_stream = header("content-type").starts_with("text/event-stream");
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        // A client does not wait for what comes behind the last event, and a stream without one is not whole.
        while !(is_stream && body.ends_with(END)) {
            match response.chunk().await.ok()? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None if is_stream => return None,
                None => break,
            }
        }
        Some(Heard { status, outcome, body })
    }
}

impl Heard {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The text of a chat completion, streamed or not; nothing for anything else.
    pub(crate) fn reply(&self) -> Option<String> {
        match self.body.ends_with(END) {
            _ if self.status != 200 => None,
            true => Some(sse::assembled_text(&self.body)),
            false => self.json()["choices"][0]["message"]["content"].as_str().map(str::to_owned),
        }
    }
}

/// How often a program's threads have panicked, by what it said.
pub(crate) fn panics(said: &str) -> usize {
    said.matches("panicked at").count()
}

impl Client {
    /// A chat of this caller that begins with a system message.
    pub(crate) fn new(model: &str, key: &str, system: &str) -> Self {
        Self {
            model: model.to_owned(),
            authorization: format!("Bearer {key}"),
            messages: vec![json!({"role": "system", "content": system})],
        }
    }

    /// Puts a message into the history that was said before.
    pub(crate) fn put(&mut self, role: &str, text: &str) {
        self.messages.push(json!({"role": role, "content": text}));
    }

    /// Says something and keeps the reply in the history.
    pub(crate) async fn say(&mut self, proxy: &StartedProxy, text: &str) -> Answer {
        let answer = self.say_aside(proxy, text).await;
        self.put("user", text);
        self.put("assistant", &answer.reply());
        answer
    }

    /// Says something that never becomes part of the history, as if the conversation went on in another way here.
    pub(crate) async fn say_aside(&self, proxy: &StartedProxy, text: &str) -> Answer {
        let question = json!({"role": "user", "content": text});
        let messages: Vec<&Value> = self.messages.iter().chain([&question]).collect();
        let body = json!({"model": self.model, "messages": messages});
        proxy.chat_as(&self.authorization, body.to_string()).await
    }

    /// What matters of the proxy's receipt for a request, which only its own caller may see.
    pub(crate) async fn receipt<R: DeserializeOwned>(
        &self,
        proxy: &StartedProxy,
        answer: &Answer,
    ) -> Result<R, BenchError> {
        let path = format!("/mainpoint/receipts/{}", answer.header("x-mainpoint-request-id"));
        let receipt = proxy.get_as(&self.authorization, &path).await;
        serde_json::from_slice(&receipt.body).because("a receipt cannot be read")
    }
}

/// An upstream that never says the same.
pub(crate) async fn talkative_upstream() -> ScriptedUpstream {
    let upstream = ScriptedUpstream::start().await;
    let mut number = 0;
    upstream.always(move |request| {
        number += 1;
        request.said(&format!("Noted, that is the {number}th thing that you told me, and I will remember all of them."))
    });
    upstream
}

/// The program with the product's own settings but for these, such as `("memory.low_water", "0.4")`, as TOML writes them.
pub(crate) fn program<K: AsRef<str>, V: AsRef<str>>(
    upstream: &ScriptedUpstream,
    budget: u32,
    settings: impl IntoIterator<Item = (K, V)>,
) -> ProxyBuilder {
    let builder = ProxyBuilder::as_shipped().upstream(&upstream.base_url());
    let builder = builder.setting("memory", &format!("budget_tokens = {budget}"));
    with(builder, settings)
}

pub(crate) fn with<K: AsRef<str>, V: AsRef<str>>(
    builder: ProxyBuilder,
    settings: impl IntoIterator<Item = (K, V)>,
) -> ProxyBuilder {
    settings.into_iter().fold(builder, |builder, (key, value)| {
        let (section, name) = key.as_ref().rsplit_once('.').unwrap_or(("", key.as_ref()));
        builder.setting(section, &format!("{name} = {}", value.as_ref()))
    })
}

/// A key and a value with `=` between them; the value is written as TOML writes it.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| key.contains('.'));
    let (key, value) = pair.ok_or("expected KEY=VALUE, such as memory.low_water=0.4")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use mainpoint_tests::Reply;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_whole_whether_or_not_it_is_streamed_and_nothing_is_seen_of_a_program_that_is_gone() {
        let upstream = ScriptedUpstream::start().await;
        let door = Door::at(&format!("127.0.0.1:{}", upstream.port()));
        let ask = |body: &str| {
            let (door, body) = (door.clone(), body.to_owned());
            async move { door.send(Method::POST, CHAT, "k", body).await.and_then(|heard| heard.reply()) }
        };
        for body in ["{}", r#"{"stream": true}"#] {
            assert_eq!(ask(body).await.as_deref(), Some("All right."));
        }
        for reply in [Reply::hang_up(), Reply::events().event("{}"), Reply::error(http::StatusCode::BAD_GATEWAY, "no")]
        {
            upstream.reply_next(reply);
            assert_eq!(ask("{}").await, None);
        }
    }

    #[test]
    fn panics_are_counted_in_what_a_program_says() {
        assert_eq!(panics("thread 'a' (1) panicked at x.rs:1:2:\nno\nthread 'b' panicked at y.rs"), 2);
        assert_eq!(panics("nothing has panicked"), 0);
    }
}
