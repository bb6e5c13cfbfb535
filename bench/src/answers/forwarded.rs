//! What the running proxy forwards for each question, and what is in it.
//!
//! It must not know who answers. A conversation is imported once, with the times at which it took place, into a store that is
//! kept; the proxy runs on a copy.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use mainpoint_tests::{Answer, ScriptedUpstream, StartedProxy, binary, prompt, tokens};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::AnswerOptions;
use crate::BenchError;
use crate::cache::write_whole;
use crate::copies::working_copy;
use crate::data::{Conversation, Question};
use crate::progress::Progress;
use crate::running::{Client, MODEL, NO_DEADLINE, program, with};

/// A prompt as the upstream received it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Forwarded {
    /// Its messages.
    pub(super) messages: Vec<Value>,
    /// The share of the turns that answer the question which the prompt holds, as messages or quoted.
    pub(super) evidence: f64,
    /// Turns that are quoted.
    pub(super) quoted: usize,
    /// How many of them are such that answer the question.
    pub(super) relevant: usize,
    /// Tokens of the memory block.
    pub(super) block: usize,
    /// How many of them are words that were said.
    pub(super) words: usize,
}

/// The system message of every prompt.
pub(super) const SYSTEM: &str = "Answer the last message from the conversation, in as few words as possible. \
    Where it asks when something was, answer with a date.";

/// Asks every question of a conversation aside.
pub(super) async fn ask(
    options: &AnswerOptions,
    conversation: &Conversation,
    questions: &[&Question],
) -> Result<Vec<Forwarded>, BenchError> {
    let copy = working_copy(&stored(options, conversation)?)?;
    let upstream = ScriptedUpstream::start().await;
    let directory = ("store.directory".to_owned(), format!("{:?}", copy.path()));
    let builder = program(&upstream, options.budget, [NO_DEADLINE]);
    let proxy = with(builder, options.settings.iter().cloned().chain([directory])).start().await;
    let mut client = Client::new(MODEL, &key(conversation), SYSTEM);
    conversation.turns.iter().for_each(|turn| client.put(turn.role, &turn.message()));
    let mut progress = Progress::begin(format!("asking {}", conversation.name), questions.len());
    let mut found = Vec::with_capacity(questions.len());
    for question in questions {
        let answer = client.say_aside(&proxy, &question.text).await;
        let receipt = Receipt::of(&client, &proxy, &answer).await?;
        let request = upstream.last_request().json();
        found.push(Forwarded::of(&request, &receipt, conversation, question));
        progress.advance(1);
    }
    proxy.stop().await;
    Ok(found)
}

impl Forwarded {
    fn of(request: &Value, receipt: &Receipt, conversation: &Conversation, question: &Question) -> Self {
        let messages = prompt::messages(request);
        let kept: Vec<String> = messages.iter().map(prompt::own_text).collect();
        let quoted: Vec<usize> = receipt.memories.iter().map(|memory| memory.position).collect();
        let holds = |turn: &&usize| {
            let said = conversation.turns.get(**turn).map(|turn| turn.message().trim().to_owned());
            quoted.contains(turn) || said.is_some_and(|said| kept.contains(&said))
        };
        let held = question.evidence.iter().filter(holds).count();
        let block = prompt::memory_block(request).unwrap_or_default();
        let words = if block.is_empty() { Vec::new() } else { prompt::quotes(&block) };
        let marks =
            if block.is_empty() { 0 } else { tokens::count(prompt::BLOCK_START) + tokens::count(prompt::BLOCK_END) };
        Self {
            messages: messages.to_vec(),
            evidence: held as f64 / question.evidence.len().max(1) as f64,
            quoted: quoted.len(),
            relevant: quoted.iter().filter(|turn| question.evidence.contains(turn)).count(),
            block: tokens::count(&block) + marks,
            words: words.iter().map(|quote| tokens::count(quote.text.trim())).sum(),
        }
    }
}

/// What of a receipt matters here.
#[derive(Deserialize)]
struct Receipt {
    memories: Vec<Memory>,
}

#[derive(Deserialize)]
struct Memory {
    position: usize,
}

impl Receipt {
    async fn of(client: &Client, proxy: &StartedProxy, answer: &Answer) -> Result<Self, BenchError> {
        let receipt = client.receipt(proxy, answer).await;
        Self::deserialize(&receipt).map_err(|error| BenchError::data("a receipt", error))
    }
}

/// The credential that a conversation's requests come with.
fn key(conversation: &Conversation) -> String {
    format!("answers-{}", conversation.name)
}

/// The directory of the store that holds the conversation, filled now if it is not there.
fn stored(options: &AnswerOptions, conversation: &Conversation) -> Result<PathBuf, BenchError> {
    let history = history(conversation).to_string();
    let hash = Sha256::digest(format!("{}{history}", env!("READING_FINGERPRINT")));
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let home = options.cache.join("answers").join(format!("{}-{hash}", conversation.name));
    let (directory, filled) = (home.join("data"), home.join("filled"));
    if filled.is_file() {
        return Ok(directory);
    }
    if home.exists() {
        std::fs::remove_dir_all(&home).map_err(BenchError::writing(&home))?;
    }
    let file = home.join("history.jsonl");
    write_whole(&file, format!("{history}\n").as_bytes())?;
    import(&file, &directory, &key(conversation))?;
    write_whole(&filled, b"")?;
    Ok(directory)
}

fn history(conversation: &Conversation) -> Value {
    let message = |turn: &crate::data::Turn| json!({"role": turn.role, "content": turn.message(), "created_at": turn.time.to_rfc3339()});
    json!({"conversation": conversation.name, "messages": conversation.turns.iter().map(message).collect::<Vec<_>>()})
}

fn import(file: &Path, directory: &Path, key: &str) -> Result<(), BenchError> {
    const KEY: &str = "MAINPOINT_BENCH_KEY";
    let mut command = binary::command();
    // The product's own settings, whatever stands in the directory that the benchmark runs in.
    let settings = file.with_extension("toml");
    write_whole(&settings, b"")?;
    command.arg("import").arg(file).args(["--key-env", KEY, "--data-dir"]).arg(directory).arg("--config").arg(settings);
    command.env(KEY, key);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(BenchError::because("mainpoint import cannot be started"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::program("mainpoint import", String::from_utf8_lossy(&output.stderr)))
}
