//! The built program on a filled store: started, talked to until the conversation is over its budget, and asked.
//!
//! What a request waits for is timed between the client's sending and the upstream's receiving; what each step took is
//! read from the request's receipt.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainpoint_tests::{ScriptedUpstream, StartedProxy, usage};
use serde_json::Value;
use tempfile::TempDir;

use super::filling::{Filled, KEY, SYSTEM, builder};
use super::material::Material;
use crate::BenchError;
use crate::filled::working_copy;
use crate::progress::over;
use crate::report::{Row, quantiles, rows_of};
use crate::running::{Client, MODEL, talkative_upstream};
use crate::stats::as_float;

pub(super) struct Stage<'a> {
    material: &'a Material,
    rows: usize,
    /// From starting the program until it answers.
    start: Duration,
    upstream: ScriptedUpstream,
    proxy: StartedProxy,
    client: Client,
    /// What the program works on.
    _copy: TempDir,
}

/// What the reader has to do beside the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Idle,
    /// Long turns of other conversations.
    Reading,
}

/// Milliseconds of requests one after the other, and what happened to them.
#[derive(Debug, Default)]
struct Phase {
    /// From the client's sending to the upstream's receiving.
    added: Vec<f64>,
    memory: Vec<f64>,
    steps: BTreeMap<String, Vec<f64>>,
    failed_open: usize,
    rewritten: usize,
}

/// The arm that every figure of the whole product has.
pub(super) const PRODUCT: &str = "mainpoint";
/// What other conversations name, so that the upstream can tell them apart.
const OTHER_MODEL: &str = "gpt-4o-mini";
/// What the user says before the questions: far more than the budget.
const SAID: usize = 60;
/// Messages of the conversation that one long turn of another conversation is made of, about 700 tokens.
const LONG: usize = 24;
/// How often such a turn comes; reading one takes longer.
const EVERY: Duration = Duration::from_millis(250);

impl<'a> Stage<'a> {
    pub(super) async fn set(
        overrides: &[(String, String)],
        material: &'a Material,
        filled: &Filled,
    ) -> Result<Self, BenchError> {
        let copy = working_copy(&filled.directory)?;
        let upstream = talkative_upstream().await;
        let started = Instant::now();
        let proxy = builder(&upstream, overrides, copy.path()).start().await;
        proxy.ready().await;
        Ok(Self {
            material,
            rows: filled.note.rows,
            start: started.elapsed(),
            upstream,
            proxy,
            client: Client::new(MODEL, KEY, SYSTEM),
            _copy: copy,
        })
    }

    /// Runs both phases; what comes back are their rows, and those of the process.
    pub(super) async fn play(mut self, bench: &str, requests: usize) -> Result<(Vec<Row>, Vec<Row>), BenchError> {
        // A conversation that has outgrown its budget, all of it read.
        for text in self.material.messages.iter().take(SAID) {
            self.client.say(&self.proxy, text).await;
        }
        self.proxy.everything_read().await;
        // The first question makes the eviction that the others find.
        self.client.say_aside(&self.proxy, "What did we talk about?").await;
        let idle = self.phase(requests, Load::Idle).await?;
        let used = usage::of_tree(self.proxy.process_id());
        let reading = tokio::select! {
            reading = self.phase(requests, Load::Reading) => reading?,
            () = self.keep_reading() => Phase::default(),
        };
        self.proxy.stop().await;
        let process = [
            ("start_ms", self.start.as_secs_f64() * 1000.0, "ms"),
            ("memory_mib", used.resident_mib, "MiB"),
            ("memory_peak_mib", used.peak_mib, "MiB"),
        ];
        let played = [idle.rows(bench, ""), reading.rows(bench, "reading_")].concat();
        Ok((played, rows_of(bench, PRODUCT, process)))
    }

    async fn phase(&self, requests: usize, load: Load) -> Result<Phase, BenchError> {
        let mut phase = Phase::default();
        for number in over(format!("{load:?}, {} rows", self.rows), 0..requests) {
            if load == Load::Idle {
                self.proxy.everything_read().await;
            }
            self.ask(&self.question(number, load), &mut phase).await?;
        }
        Ok(phase)
    }

    /// No question is asked twice: what was recalled for the first one would be put in again.
    fn question(&self, number: usize, load: Load) -> String {
        let questions = &self.material.questions;
        let count = questions.len().max(1);
        let text = questions.get(number % count).map_or("", String::as_str);
        let before = match load {
            Load::Idle => "",
            Load::Reading => "Tell me: ",
        };
        match number / count {
            0 => format!("{before}{text}"),
            round => format!("{before}{text} ({round})"),
        }
    }

    async fn ask(&self, question: &str, phase: &mut Phase) -> Result<(), BenchError> {
        let sent = Instant::now();
        let answer = self.client.say_aside(&self.proxy, question).await;
        let requests = self.upstream.requests_since(sent);
        let own = requests.iter().find(|request| request.json()["model"] == MODEL);
        let arrived = own.ok_or_else(|| BenchError::new("a request did not reach the upstream"))?.arrived;
        let receipt: Value = self.client.receipt(&self.proxy, &answer).await?;
        let added = arrived.duration_since(sent).as_secs_f64() * 1000.0;
        phase.add(added, answer.outcome(), &receipt["milliseconds"]);
        Ok(())
    }

    /// Sends long turns of another caller's conversations, without end.
    async fn keep_reading(&self) {
        let client = Client::new(OTHER_MODEL, "request-path-others", SYSTEM);
        let texts = self.material.messages.chunks(LONG).map(|chunk| chunk.join("\n"));
        let texts: Vec<String> = texts.collect();
        for (number, text) in texts.iter().cycle().enumerate() {
            client.say_aside(&self.proxy, &format!("Diary, page {number}.\n{text}")).await;
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Phase {
    fn add(&mut self, added: f64, outcome: &str, milliseconds: &Value) {
        self.added.push(added);
        self.memory.push(milliseconds["memory"].as_f64().unwrap_or_default());
        for (step, time) in milliseconds["steps"].as_object().into_iter().flatten() {
            if let Some(time) = time.as_f64() {
                self.steps.entry(step.clone()).or_default().push(time);
            }
        }
        self.failed_open += usize::from(outcome == "failed-open");
        self.rewritten += usize::from(outcome == "rewritten");
    }

    fn rows(&self, bench: &str, load: &str) -> Vec<Row> {
        let quantiles = |before: &str, arm: &str, times| quantiles(bench, before, arm, std::slice::from_ref(times));
        let mut rows = quantiles(load, PRODUCT, &self.added);
        rows.extend(quantiles(&format!("{load}memory_"), PRODUCT, &self.memory));
        let counts = [("failed_open", self.failed_open), ("rewritten", self.rewritten)];
        let counts = counts.map(|(metric, count)| (format!("{load}{metric}"), as_float(count), "requests"));
        rows.extend(rows_of(bench, PRODUCT, counts));
        let steps = self.steps.iter();
        rows.extend(steps.flat_map(|(step, times)| quantiles(load, step, times)));
        rows
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::find;

    #[test]
    fn a_phase_counts_outcomes_and_has_rows_for_every_step() {
        let mut phase = Phase::default();
        for (added, outcome) in [(3.0, "rewritten"), (1.0, "failed-open"), (2.0, "rewritten")] {
            let milliseconds = json!({"memory": added / 2.0, "steps": {"search": added, "words": "none"}});
            phase.add(added, outcome, &milliseconds);
        }
        let rows = phase.rows("some", "reading_");
        let value = |metric, arm| find(&rows, "some", metric, arm).map(|row| row.value);
        assert_eq!(
            (value("reading_rewritten", PRODUCT), value("reading_failed_open", PRODUCT)),
            (Some(2.0), Some(1.0))
        );
        assert_eq!((value("reading_p50_ms", PRODUCT), value("reading_memory_p99_ms", PRODUCT)), (Some(2.0), Some(1.5)));
        assert_eq!((value("reading_p99_ms", "search"), value("reading_p99_ms", "words")), (Some(3.0), None));
    }
}
