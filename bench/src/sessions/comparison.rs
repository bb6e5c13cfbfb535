//! What a run leaves of every question, and how much a later run does better, question by question.
//!
//! It must not know how anything was asked.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::judging::{Judged, UpdateOutcome};
use super::report::{DIFFERENCE, evidence_metric, newest_metric};
use crate::BenchError;
use crate::cache::write_whole;
use crate::report::Row;
use crate::stats::{Figure, RESAMPLES, Resamples};

/// A line of the file: what became of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    bench: String,
    conversation: String,
    question: String,
    category: String,
    evidence: f64,
    quoted: usize,
    relevant: usize,
    tokens: usize,
    /// Whether the newest of what answers it comes first; nothing where that has not changed.
    newest_first: Option<bool>,
}

const SEED: u64 = 20_261_129;

impl Kept {
    /// What is kept of a question.
    pub(super) fn new(bench: &str, judged: &Judged) -> Self {
        Self {
            bench: bench.to_owned(),
            conversation: judged.conversation.clone(),
            question: judged.text.clone(),
            category: judged.category.clone(),
            evidence: judged.evidence,
            quoted: judged.quoted,
            relevant: judged.relevant,
            tokens: judged.tokens,
            newest_first: judged.update.map(|outcome| outcome == UpdateOutcome::NewestFirst),
        }
    }

    fn key(&self) -> (&str, &str, &str) {
        (&self.bench, &self.conversation, &self.question)
    }
}

/// Reads what a run left.
pub(super) fn read(path: &Path) -> Result<Vec<Kept>, BenchError> {
    let text = std::fs::read_to_string(path).map_err(BenchError::reading(path))?;
    let kept = text.lines().map(serde_json::from_str).collect::<Result<Vec<Kept>, _>>();
    kept.map_err(|error| BenchError::data(path, error))
}

/// Writes what this run leaves.
pub(super) fn write(path: &Path, kept: &[Kept]) -> Result<(), BenchError> {
    let mut text = String::new();
    for one in kept {
        let line = serde_json::to_string(one).map_err(|error| BenchError::data(path, error))?;
        text.push_str(&format!("{line}\n"));
    }
    write_whole(path, text.as_bytes())?;
    anstream::println!("Every question: {}", path.display());
    Ok(())
}

/// The differences of evidence, and of newest first where that means something, over the questions that both runs asked.
pub(super) fn rows(benches: &[String], memory_tokens: &str, now: &[Kept], before: &[Kept]) -> Vec<Row> {
    let known: HashMap<_, &Kept> = before.iter().map(|one| (one.key(), one)).collect();
    let pairs = || now.iter().filter_map(|one| Some((*known.get(&one.key())?, one)));
    let mut rows = Vec::new();
    for bench in benches {
        let mut add = |metric: &str, value: fn(&Kept) -> Option<f64>| {
            let own = pairs().filter(|(_, now)| now.bench == *bench);
            let (before, now): (Vec<f64>, Vec<f64>) =
                own.filter_map(|(before, now)| Some((value(before)?, value(now)?))).unzip();
            if now.is_empty() {
                return;
            }
            let difference: Figure = Resamples::draw(now.len(), RESAMPLES, SEED).difference(&now, &before);
            rows.push(Row::new(bench, metric, DIFFERENCE, difference).over(now.len()));
        };
        add(&evidence_metric(memory_tokens), |one| Some(one.evidence));
        add(&newest_metric(memory_tokens), |one| one.newest_first.map(|is_first| if is_first { 1.0 } else { 0.0 }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::find;

    fn kept(question: &str, evidence: f64, newest_first: Option<bool>) -> Kept {
        let judged = Judged {
            conversation: "some".to_owned(),
            text: question.to_owned(),
            category: "x".to_owned(),
            evidence,
            quoted: 2,
            relevant: 1,
            tokens: 40,
            update: newest_first.map(|is_first| match is_first {
                true => UpdateOutcome::NewestFirst,
                false => UpdateOutcome::OutdatedAlone,
            }),
        };
        Kept::new("sessions-some", &judged)
    }

    #[test]
    fn what_is_written_is_read_and_questions_are_compared_with_themselves() -> Result<(), BenchError> {
        let directory = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
        let path = directory.path().join("new").join("questions.jsonl");
        let before = [kept("a", 0.5, Some(false)), kept("b", 1.0, None), kept("gone", 0.0, None)];
        write(&path, &before)?;
        assert_eq!(read(&path)?, before);
        let now = [kept("b", 1.0, None), kept("a", 1.0, Some(true)), kept("new", 0.0, None)];
        let rows = rows(&["sessions-some".to_owned(), "sessions-none".to_owned()], "400", &now, &before);
        let value = |metric: &str| find(&rows, "sessions-some", metric, DIFFERENCE).map(|row| (row.value, row.n));
        assert_eq!(value("evidence@400-tokens"), Some((0.25, 2)));
        assert_eq!(value("newest_first@400-tokens"), Some((1.0, 1)));
        assert_eq!(rows.len(), 2);
        Ok(())
    }
}
