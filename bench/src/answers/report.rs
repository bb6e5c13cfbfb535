//! What the questions come to for each arm: rows, tables, and the prompts to look at.
//!
//! It must not know how anything was asked.

use serde_json::json;

use super::arms::Arm;
use super::{AnswerOptions, Asked, scores};
use crate::BenchError;
use crate::cache::write_whole;
use crate::report::{Report, Row};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float, mean};

const SEED: u64 = 20_261_129;
const NOTE: &str = "F1 and contained: of the words that the data call a good answer. Evidence: the share of the turns that answer a \
    question which mainpoint's prompt holds. Precision: the share of the quoted turns that do. Wrapping: the share of the block's \
    tokens that nobody said. Intervals: bootstrap over questions, 10000 resamples.";

/// Prints the table and writes the files.
pub(super) fn publish(options: &AnswerOptions, bench: &str, asked: &[Asked]) -> Result<(), BenchError> {
    let mut report = Report::default();
    report.rows = rows(bench, asked);
    let title = format!("{bench}, budget {} tokens, {} questions", options.budget, asked.len());
    report.tabulate(title, NOTE, |_| true);
    keep(options, bench, asked)?;
    report.publish(&options.play.out, bench, "Answers", "answers.jsonl")
}

fn rows(bench: &str, asked: &[Asked]) -> Vec<Row> {
    let resamples = Resamples::draw(asked.len(), RESAMPLES, SEED);
    let row = |metric: &str, arm: &str, figure: Figure| Row::new(bench, metric, arm, figure).over(asked.len());
    let each = |value: &dyn Fn(&Asked) -> f64| asked.iter().map(value).collect::<Vec<f64>>();
    let [own, gold] = Arm::ALL.map(|arm| each(&|one| one.f1(arm)));
    let mut rows = Vec::new();
    for (arm, f1) in Arm::ALL.into_iter().zip([&own, &gold]) {
        let (name, contained) = (arm.name(), each(&|one| f64::from(u8::from(one.is_contained(arm)))));
        rows.push(row("f1", name, resamples.interval(f1)));
        rows.push(row("contained", name, resamples.interval(&contained)));
        let tokens = each(&|one| as_float(one.prompts[arm as usize].0.tokens));
        rows.push(row("prompt_tokens", name, mean(&tokens).into()));
    }
    rows.push(row("f1", "mainpoint - gold-turns", resamples.difference(&own, &gold)));
    let own = |metric: &str, figure: Figure| row(metric, Arm::Mainpoint.name(), figure);
    let quoted = each(&|one| as_float(one.forwarded.quotes.len()));
    let evidence = each(&|one| as_float(one.forwarded.evidence_quoted()));
    let block = each(&|one| as_float(one.forwarded.block.tokens));
    let wrapping = each(&|one| as_float(one.forwarded.block.tokens.saturating_sub(one.forwarded.block.words)));
    rows.extend([
        own("evidence", resamples.interval(&each(&|one| one.forwarded.evidence))),
        own("quoted_turns", mean(&quoted).into()),
        own("precision", resamples.ratio(&evidence, &quoted)),
        own("block_tokens", mean(&block).into()),
        own("wrapping", resamples.ratio(&wrapping, &block)),
    ]);
    rows
}

impl Asked {
    fn f1(&self, arm: Arm) -> f64 {
        scores::f1(&self.prompts[arm as usize].1, &self.question.answer)
    }

    fn is_contained(&self, arm: Arm) -> bool {
        scores::contains(&self.prompts[arm as usize].1, &self.question.answer)
    }
}

/// Keeps every prompt and answer to be looked at.
fn keep(options: &AnswerOptions, bench: &str, asked: &[Asked]) -> Result<(), BenchError> {
    let mut text = String::new();
    for one in asked {
        let arms = Arm::ALL.map(|arm| {
            let (prompt, answer) = &one.prompts[arm as usize];
            let (name, f1) = (arm.name(), one.f1(arm));
            json!({"arm": name, "messages": prompt.messages, "tokens": prompt.tokens, "answer": answer, "f1": f1})
        });
        let line = json!({
            "question": one.question.text, "category": one.question.category, "expected": one.question.answer,
            "evidence": one.forwarded.evidence, "quotes": one.forwarded.quotes, "arms": arms,
        });
        text.push_str(&format!("{line}\n"));
    }
    write_whole(&options.play.cache.join("answers").join(format!("{bench}-prompts.jsonl")), text.as_bytes())
}
