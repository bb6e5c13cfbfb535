//! The built program on a filled store: started, talked to until the conversation is over its budget, and asked.
//!
//! It must not know how the store was filled. What a request waits for is timed between the client's sending and the
//! upstream's receiving; what each step took is read from the request's receipt.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::RequestPathOptions;
use super::copies::working_copy;
use super::figures::Times;
use super::filling::Filled;
use super::material::Material;
use crate::BenchError;
use crate::demo::script::REPLIES;
use crate::progress::Progress;
use crate::running::client::{Caller, Client};
use crate::running::program::{Memory, Program, Settings};
use crate::running::upstream::ScriptedUpstream;

/// Everything that one run of the program showed.
#[derive(Debug)]
pub(super) struct Played {
    /// From starting the program until it answers.
    pub(super) start: Duration,
    /// While the reader has nothing to do.
    pub(super) idle: Phase,
    /// While the reader reads long turns of other conversations.
    pub(super) reading: Phase,
    /// What the process needed after the idle phase.
    pub(super) memory: Option<Memory>,
}

/// Requests one after the other.
#[derive(Debug, Default)]
pub(super) struct Phase {
    /// Milliseconds from the client's sending to the upstream's receiving.
    pub(super) added: Times,
    /// Milliseconds of the memory path alone.
    pub(super) memory: Times,
    /// Milliseconds of each of its steps.
    pub(super) steps: BTreeMap<String, Times>,
    /// Requests that were forwarded as they came since something failed.
    pub(super) failed_open: usize,
    /// Requests that were rewritten.
    pub(super) rewritten: usize,
}

/// What the reader has to do beside the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Idle,
    Reading,
}

/// One request.
struct Sample {
    added: f64,
    memory: f64,
    steps: BTreeMap<String, f64>,
    outcome: String,
}

/// The running program and those around it.
struct Stage<'a> {
    material: &'a Material,
    requests: usize,
    upstream: ScriptedUpstream,
    program: Program,
    client: Client,
    /// What the program works on.
    _copy: TempDir,
}

/// A model whose tokens are those of `o200k_base`; the other conversations name another one, so that the upstream can tell
/// them apart.
const MODEL: &str = "gpt-4o";
const OTHER_MODEL: &str = "gpt-4o-mini";
const KEY: &str = "request-path";
const OTHER_KEY: &str = "request-path-others";
const SYSTEM: &str = "You are a friend who remembers.";
const BUDGET: u32 = 1200;
/// What the user says before the questions: far more than the budget.
const SAID: usize = 60;
/// Messages of the conversation that one long turn of another conversation is made of, about 700 tokens.
const LONG: usize = 24;
/// How often such a turn comes; reading one takes longer.
const EVERY: Duration = Duration::from_millis(250);
/// Long turns at most, for an hour and more.
const MOST_LONG: usize = 20_000;

/// Has the program itself begin a store in `directory`, with one turn of the measured caller.
///
/// # Errors
/// [`BenchError::Proxy`] or [`BenchError::Request`] if it does not start or answer.
pub(super) async fn begin_store(options: &RequestPathOptions, directory: &Path) -> Result<(), BenchError> {
    let upstream = upstream().await?;
    let program = Program::start(&options.program, upstream.url(), &settings(options, directory)).await?;
    let mut client = Client::new(caller(MODEL, KEY), SYSTEM);
    client.say(program.url(), "Good morning!").await?;
    client.wait_until_read(&program.beside("/metrics")).await?;
    program.end().await
}

/// Runs both phases on a working copy of the store.
///
/// # Errors
/// [`BenchError::Proxy`] or [`BenchError::Request`] if the program does not start or answer, with its log on standard error.
pub(super) async fn play(
    options: &RequestPathOptions,
    material: &Material,
    filled: &Filled,
) -> Result<Played, BenchError> {
    let copy = working_copy(&filled.directory)?;
    let upstream = upstream().await?;
    let started = Instant::now();
    let program = Program::start(&options.program, upstream.url(), &settings(options, copy.path())).await?;
    let client = Client::new(caller(MODEL, KEY), SYSTEM);
    client.document(&program.beside("/readyz")).await?;
    let start = started.elapsed();
    let mut stage = Stage {
        material,
        requests: options.requests,
        upstream,
        program,
        client,
        _copy: copy,
    };
    let played = stage.both(filled.note.rows, start).await;
    if played.is_err() {
        anstream::eprintln!("{}", stage.program.log());
    }
    let played = played?;
    stage.program.end().await?;
    Ok(played)
}

impl Stage<'_> {
    async fn both(&mut self, rows: usize, start: Duration) -> Result<Played, BenchError> {
        self.talk().await?;
        let idle = self.phase(rows, Load::Idle).await?;
        let memory = self.program.memory();
        let others = self.keep_reading();
        let reading = self.phase(rows, Load::Reading).await;
        others.abort();
        Ok(Played {
            start,
            idle,
            reading: reading?,
            memory,
        })
    }

    /// A conversation that has outgrown its budget, all of it read.
    async fn talk(&mut self) -> Result<(), BenchError> {
        for text in self.material.messages.iter().take(SAID) {
            self.client.say(self.program.url(), text).await?;
        }
        self.client.wait_until_read(&self.program.beside("/metrics")).await?;
        // The first question begins the epoch that the others find.
        self.client
            .say_aside(self.program.url(), "What did we talk about?")
            .await?;
        Ok(())
    }

    async fn phase(&self, rows: usize, load: Load) -> Result<Phase, BenchError> {
        let (metrics, title) = (self.program.beside("/metrics"), format!("{load:?}, {rows} rows"));
        let mut progress = Progress::begin(title, self.requests);
        let mut samples = Vec::with_capacity(self.requests);
        for number in 0..self.requests {
            if load == Load::Idle {
                self.client.wait_until_read(&metrics).await?;
            }
            samples.push(self.ask(&self.question(number, load)).await?);
            progress.advance(1);
        }
        Ok(Phase::of(&samples))
    }

    /// No question is asked twice: what was recalled for the first one would be put in again.
    fn question(&self, number: usize, load: Load) -> String {
        let questions = &self.material.questions;
        let text = questions
            .get(number % questions.len().max(1))
            .map_or("", String::as_str);
        let round = number / questions.len().max(1);
        match (load, round) {
            (Load::Idle, 0) => text.to_owned(),
            (Load::Idle, round) => format!("{text} ({round})"),
            (Load::Reading, 0) => format!("Tell me: {text}"),
            (Load::Reading, round) => format!("Tell me: {text} ({round})"),
        }
    }

    async fn ask(&self, question: &str) -> Result<Sample, BenchError> {
        let sent = Instant::now();
        let answer = self.client.say_aside(self.program.url(), question).await?;
        let arrived = self.upstream.arrived(MODEL).filter(|arrived| *arrived >= sent);
        let arrived = arrived.ok_or_else(|| BenchError::Proxy("a request did not reach the upstream".to_owned()))?;
        let url = self.program.beside(&format!("/mainpoint/receipts/{}", answer.request));
        let receipt = self.client.document(&url).await?;
        let milliseconds = &receipt["milliseconds"];
        Ok(Sample {
            added: arrived.duration_since(sent).as_secs_f64() * 1000.0,
            memory: milliseconds["memory"].as_f64().unwrap_or_default(),
            steps: steps(&milliseconds["steps"]),
            outcome: answer.outcome,
        })
    }

    /// Sends long turns of another caller's conversations, until aborted.
    fn keep_reading(&self) -> JoinHandle<()> {
        let url = self.program.url().to_owned();
        let texts: Vec<String> = self
            .material
            .messages
            .chunks(LONG)
            .map(|chunk| chunk.join("\n"))
            .collect();
        tokio::spawn(async move {
            let client = Client::new(caller(OTHER_MODEL, OTHER_KEY), SYSTEM);
            for (number, text) in texts.iter().cycle().take(MOST_LONG).enumerate() {
                // What fails here is seen by the measured requests, too.
                let _ = client.say_aside(&url, &format!("Diary, page {number}.\n{text}")).await;
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}

impl Phase {
    fn of(samples: &[Sample]) -> Self {
        let count = |outcome: &str| samples.iter().filter(|sample| sample.outcome == outcome).count();
        let mut steps: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (step, time) in samples.iter().flat_map(|sample| &sample.steps) {
            steps.entry(step.clone()).or_default().push(*time);
        }
        Self {
            added: samples.iter().map(|sample| sample.added).collect(),
            memory: samples.iter().map(|sample| sample.memory).collect(),
            steps: steps
                .into_iter()
                .map(|(step, times)| (step, times.into_iter().collect()))
                .collect(),
            failed_open: count("failed-open"),
            rewritten: count("rewritten"),
        }
    }
}

fn steps(receipt: &Value) -> BTreeMap<String, f64> {
    let steps = receipt.as_object().into_iter().flatten();
    steps
        .filter_map(|(step, time)| Some((step.clone(), time.as_f64()?)))
        .collect()
}

async fn upstream() -> Result<ScriptedUpstream, BenchError> {
    ScriptedUpstream::start(|number| REPLIES[number % REPLIES.len()].to_owned()).await
}

fn caller(model: &str, key: &str) -> Caller {
    Caller {
        model: model.to_owned(),
        key: Some(key.to_owned()),
        reply_tokens: None,
    }
}

/// The whole scope is searched, and nothing is cut by a deadline.
fn settings(options: &RequestPathOptions, directory: &Path) -> Settings {
    let ours = [
        ("memory.across_conversations", "true"),
        ("memory.deadline_ms", "600000"),
    ];
    let ours = ours.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Settings {
        budget: BUDGET,
        overrides: options.product.overrides().into_iter().chain(ours).collect(),
        data: Some(directory.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_phase_counts_outcomes_and_sorts_the_times_of_every_step() {
        let sample = |added: f64, outcome: &str| Sample {
            added,
            memory: added / 2.0,
            steps: steps(&json!({"search": added, "words": "none"})),
            outcome: outcome.to_owned(),
        };
        let phase = Phase::of(&[
            sample(3.0, "rewritten"),
            sample(1.0, "failed-open"),
            sample(2.0, "rewritten"),
        ]);
        assert_eq!((phase.rewritten, phase.failed_open), (2, 1));
        assert_eq!((phase.added.p50(), phase.memory.p99()), (2.0, 1.5));
        assert_eq!(phase.steps.len(), 1);
        assert_eq!(phase.steps["search"].p99(), 3.0);
    }
}
