//! What the questions come to for each arm: rows, tables, and the prompts to look at.

use serde_json::json;

use super::arms::{Arm, Prompt};
use super::{AnswerOptions, Asked, scores};
use crate::BenchError;
use crate::cache::write_whole;
use crate::report::{Report, Row};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float, mean};

const SEED: u64 = 20_261_129;
const NOTE: &str = "F1 and contained: of the words that the data call a good answer. Evidence: the share of the turns that answer a \
    question which mainpoint's prompt holds. Precision: the share of the quoted turns that do. Wrapping: the share of the block's \
    tokens that nobody said. Intervals: bootstrap over questions, 10000 resamples.";

pub(super) fn publish(options: &AnswerOptions, bench: &str, asked: &[Asked]) -> Result<(), BenchError> {
    let mut report = Report::default();
    report.rows = rows(bench, &options.arms, asked);
    let title = format!("{bench}, budget {} tokens, {} questions", options.budget, asked.len());
    report.tabulate(title, NOTE, |_| true);
    keep(options, bench, asked)?;
    report.publish(&options.play.out, bench, "Answers", "answers.jsonl")
}

fn rows(bench: &str, arms: &[Arm], asked: &[Asked]) -> Vec<Row> {
    let resamples = Resamples::draw(asked.len(), RESAMPLES, SEED);
    let row = |metric: &str, arm: &str, figure: Figure| Row::new(bench, metric, arm, figure).over(asked.len());
    let each = |value: &dyn Fn(&Asked) -> f64| asked.iter().map(value).collect::<Vec<f64>>();
    let f1s: Vec<(Arm, Vec<f64>)> =
        arms.iter().enumerate().map(|(at, arm)| (*arm, each(&|one| one.f1(&one.prompts[at])))).collect();
    let mainpoint = Arm::Mainpoint.name();
    let mut rows = Vec::new();
    for (at, (arm, f1)) in f1s.iter().enumerate() {
        let name = arm.name();
        let contained =
            each(&|one| f64::from(u8::from(scores::contains(&one.prompts[at].answer, &one.question.answer))));
        rows.push(row("f1", &name, resamples.interval(f1)));
        rows.push(row("contained", &name, resamples.interval(&contained)));
        rows.push(row("prompt_tokens", &name, mean(&each(&|one| as_float(one.prompts[at].tokens))).into()));
        let own = f1s.iter().find(|(own, _)| *own == Arm::Mainpoint && own != arm);
        rows.extend(own.map(|(_, own)| row("f1", &format!("{mainpoint} - {name}"), resamples.difference(own, f1))));
    }
    let own = |metric: &str, figure: Figure| row(metric, &mainpoint, figure);
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
    fn f1(&self, prompt: &Prompt) -> f64 {
        scores::f1(&prompt.answer, &self.question.answer)
    }
}

/// Keeps every prompt and answer to be looked at.
fn keep(options: &AnswerOptions, bench: &str, asked: &[Asked]) -> Result<(), BenchError> {
    let mut text = String::new();
    for one in asked {
        let arm = |(arm, prompt): (&Arm, &Prompt)| {
            let Prompt { messages, tokens, answer } = prompt;
            json!({"arm": arm.name(), "messages": messages, "tokens": tokens, "answer": answer, "f1": one.f1(prompt)})
        };
        let arms: Vec<_> = options.arms.iter().zip(&one.prompts).map(arm).collect();
        let line = json!({
            "question": one.question.text, "category": one.question.category, "expected": one.question.answer,
            "evidence": one.forwarded.evidence, "quotes": one.forwarded.quotes, "arms": arms,
        });
        text.push_str(&format!("{line}\n"));
    }
    write_whole(&options.play.cache.join("answers").join(format!("{bench}-prompts.jsonl")), text.as_bytes())
}
