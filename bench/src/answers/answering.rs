//! The service that answers, and the answers that it gave before.
//!
//! Every answer is written down at once, so that a run that was stopped goes on where it ended.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use mainpoint_tests::{ProxyBuilder, StartedProxy};
use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AnswerOptions;
use crate::cache::short_hash;
use crate::running::with;
use crate::{BenchError, Failing};

pub(super) struct Answering {
    url: String,
    model: String,
    key: Option<String>,
    client: reqwest::Client,
    /// By the hash of what was asked.
    known: HashMap<String, String>,
    file: PathBuf,
    /// The service, where it is ours.
    own: Option<StartedProxy>,
}

/// A line of the file of answers.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    hash: String,
    answer: String,
}

const MOST_TOKENS: u32 = 48;

impl Answering {
    /// Finds the service, or starts one of our own.
    pub(super) async fn start(options: &AnswerOptions) -> Result<Self, BenchError> {
        let file = options.play.cache.join("answers").join("given.jsonl");
        let given = std::fs::read_to_string(&file).unwrap_or_default();
        let given = given.lines().filter_map(|line| serde_json::from_str::<Given>(line).ok());
        let known = given.map(|given| (given.hash, given.answer)).collect();
        let key = options.key_env.as_ref().map(|name| std::env::var(name).because(format!("--key-env {name}")));
        let own = match options.upstream {
            Some(_) => None,
            None => {
                let settings = [("models.chat", format!("{:?}", options.model)), ("memory.mode", "\"off\"".to_owned())];
                Some(with(ProxyBuilder::as_shipped(), settings).start().await)
            }
        };
        let base = own.as_ref().map(StartedProxy::base_url).or(options.upstream.as_deref()).unwrap_or_default();
        Ok(Self {
            url: format!("{}/chat/completions", base.trim_end_matches('/')),
            model: options.model.clone(),
            key: key.transpose()?,
            client: reqwest::Client::new(),
            known,
            file,
            own,
        })
    }

    /// What the model says to a prompt; what it said before, if it was asked before.
    pub(super) async fn answer(&mut self, messages: &[Value]) -> Result<String, BenchError> {
        let body = json!({
            "model": self.model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS,
        });
        let hash = short_hash(body.to_string(), 16);
        if let Some(answer) = self.known.get(&hash) {
            return Ok(answer.clone());
        }
        let request = self.client.post(&self.url).header("content-type", "application/json").body(body.to_string());
        let request = self.key.iter().fold(request, RequestBuilder::bearer_auth);
        let response = request.send().await.when_asking(&self.url)?;
        let status = response.status();
        let text = response.text().await.when_asking(&self.url)?;
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(answer) = reply["choices"][0]["message"]["content"].as_str().filter(|_| status.is_success()) else {
            return Err(BenchError::program(&self.url, format!("{status}: {text}")));
        };
        self.write_down(&Given { hash: hash.clone(), answer: answer.to_owned() })?;
        self.known.insert(hash, answer.to_owned());
        Ok(answer.to_owned())
    }

    pub(super) async fn end(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
    }

    fn write_down(&self, given: &Given) -> Result<(), BenchError> {
        let line = serde_json::to_string(given).map_err(|error| BenchError::data(&self.file, error))?;
        let write = || {
            std::fs::create_dir_all(self.file.parent().unwrap_or(&self.file))?;
            let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
            writeln!(file, "{line}")
        };
        write().when_writing(&self.file)
    }
}
