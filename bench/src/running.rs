//! What benchmarks share that run the built program: a client on top of the tests' harness.
//!
//! The proxy and the upstream are those of the tests (`mainpoint-tests`), with the product's own settings.

use mainpoint_tests::{Answer, ProxyBuilder, ScriptedUpstream, StartedProxy};
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
