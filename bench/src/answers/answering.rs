//! The service that answers, and the answers that it gave before.
//!
//! It must not know where prompts come from. Every answer is written down at once, so that a run that was stopped goes on where
//! it ended.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use http::Method;
use mainpoint_tests::{ProxyBuilder, StartedProxy};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AnswerOptions;
use crate::cache::short_hash;
use crate::running::with;
use crate::{BenchError, Failing};

/// The service with what it said before.
pub(super) struct Answering {
    service: StartedProxy,
    model: String,
    /// By the hash of what was asked.
    known: HashMap<String, String>,
    file: PathBuf,
}

/// A line of the file of answers.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    hash: String,
    answer: String,
}

/// Tokens of an answer.
const MOST_TOKENS: u32 = 48;

impl Answering {
    /// Starts the service: a mainpoint with the model that is asked, and no memory.
    pub(super) async fn start(options: &AnswerOptions) -> Self {
        let file = options.play.cache.join("answers").join("given.jsonl");
        let given = std::fs::read_to_string(&file).unwrap_or_default();
        let given = given.lines().filter_map(|line| serde_json::from_str::<Given>(line).ok());
        let known = given.map(|given| (given.hash, given.answer)).collect();
        let settings = [("models.chat", format!("{:?}", options.model)), ("memory.mode", "\"off\"".to_owned())];
        let service = with(ProxyBuilder::as_shipped(), settings).start().await;
        Self { service, model: options.model.clone(), known, file }
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
        let request = self.service.request(Method::POST, "/v1/chat/completions");
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.when_asking("the model")?;
        let status = response.status();
        let text = response.text().await.when_asking("the model")?;
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(answer) = reply["choices"][0]["message"]["content"].as_str().filter(|_| status.is_success()) else {
            return Err(BenchError::program("the model", format!("{status}: {text}")));
        };
        self.write_down(&Given { hash: hash.clone(), answer: answer.to_owned() })?;
        self.known.insert(hash, answer.to_owned());
        Ok(answer.to_owned())
    }

    /// Ends the service.
    pub(super) async fn end(self) {
        self.service.stop().await;
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
