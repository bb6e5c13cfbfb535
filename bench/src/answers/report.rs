//! What the questions come to for each arm: rows, tables, and the prompts to look at.
//!
//! It must not know how anything was asked.

use serde_json::json;

use super::arms::Arm;
use super::{AnswerOptions, Asked, scores};
use crate::BenchError;
use crate::cache::write_whole;
use crate::data::Kind;
use crate::report::{Line, Report, Row, column};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float, mean};

const SEED: u64 = 20_261_129;
const NOTE: &str = "F1 and contained: of the words that the data call a good answer. Evidence: the share of the turns that answer a \
    question which mainpoint's prompt holds. Precision: the share of the quoted turns that do. Wrapping: the share of the block's \
    tokens that nobody said. Intervals: bootstrap over questions, 10000 resamples.";

/// Prints the tables and writes the files.
pub(super) fn publish(options: &AnswerOptions, kind: Kind, asked: &[Asked]) -> Result<(), BenchError> {
    let bench = match options.conversations.as_slice() {
        [] => format!("{}-answers", kind.name()),
        names => format!("{}-answers-{}", kind.name(), names.join("+")),
    };
    let mut report = Report::default();
    report.rows = rows(&bench, options.arms(), asked);
    let lines: Vec<Line> = options.arms().iter().map(|arm| Line::new([arm.name()], &bench, &arm.name())).collect();
    let columns = [
        column("F1", "f1", 3).with_bounds("95 % interval"),
        column("contained", "contained", 3),
        column("prompt tokens", "prompt_tokens", 0),
        column("evidence", "evidence", 3),
        column("precision", "precision", 3),
        column("wrapping", "wrapping", 3),
    ];
    let title = format!("{bench}, budget {} tokens, {} questions", options.budget, asked.len());
    report.tabulate(title, NOTE, &["prompt"], &lines, &columns);
    let differences: Vec<Line> = options
        .arms()
        .iter()
        .map(|arm| Line::new([arm.name()], &bench, &format!("mainpoint - {}", arm.name())))
        .collect();
    let columns = [column("mainpoint's F1 more", "f1", 3).with_bounds("95 % interval")];
    report.tabulate("Differences, question by question", "", &["than"], &differences, &columns);
    keep(options, &bench, asked)?;
    report.publish(&options.play.out, &bench, "Answers", "answers.jsonl")
}

fn rows(bench: &str, arms: &[Arm], asked: &[Asked]) -> Vec<Row> {
    let resamples = Resamples::draw(asked.len(), RESAMPLES, SEED);
    let row = |metric: &str, arm: &str, figure: Figure| Row::new(bench, metric, arm, figure).over(asked.len());
    let mut rows = Vec::new();
    let mainpoint = Arm::Mainpoint.name();
    let own = arms.iter().position(|arm| *arm == Arm::Mainpoint).map(|at| f1s(asked, at));
    for (at, arm) in arms.iter().enumerate() {
        let name = arm.name();
        let f1 = f1s(asked, at);
        if f1.len() == asked.len() {
            rows.push(row("f1", &name, resamples.interval(&f1)));
            let contained =
                answers(asked, at).map(|(answer, expected)| as_float(usize::from(scores::contains(answer, expected))));
            rows.push(row("contained", &name, resamples.interval(&contained.collect::<Vec<f64>>())));
            if let Some(own) = own.as_ref().filter(|own| *arm != Arm::Mainpoint && own.len() == f1.len()) {
                rows.push(row("f1", &format!("mainpoint - {name}"), resamples.difference(own, &f1)));
            }
        }
        let tokens = asked.iter().filter_map(|one| one.prompts.get(at)).map(|(prompt, _)| as_float(prompt.tokens));
        rows.push(row("prompt_tokens", &name, mean(&tokens.collect::<Vec<f64>>()).into()));
    }
    let each = |value: fn(&Asked) -> usize| asked.iter().map(value).map(as_float).collect::<Vec<f64>>();
    let evidence: Vec<f64> = asked.iter().map(|one| one.forwarded.evidence).collect();
    rows.push(row("evidence", &mainpoint, resamples.interval(&evidence)));
    let quoted = each(|one| one.forwarded.quotes.len());
    rows.push(row("quoted_turns", &mainpoint, mean(&quoted).into()));
    rows.push(row("precision", &mainpoint, resamples.ratio(&each(|one| one.forwarded.evidence_quoted()), &quoted)));
    let block = each(|one| one.forwarded.block.tokens);
    rows.push(row("block_tokens", &mainpoint, mean(&block).into()));
    let wrapping = each(|one| one.forwarded.block.tokens.saturating_sub(one.forwarded.block.words));
    rows.push(row("wrapping", &mainpoint, resamples.ratio(&wrapping, &block)));
    rows
}

/// The answers of an arm, each with what was expected.
fn answers(asked: &[Asked], arm: usize) -> impl Iterator<Item = (&str, &str)> {
    asked.iter().filter_map(move |one| {
        let answer = one.prompts.get(arm)?.1.as_deref()?;
        Some((answer, one.question.answer.as_str()))
    })
}

fn f1s(asked: &[Asked], arm: usize) -> Vec<f64> {
    answers(asked, arm).map(|(answer, expected)| scores::f1(answer, expected)).collect()
}

/// Keeps every prompt and answer to be looked at.
fn keep(options: &AnswerOptions, bench: &str, asked: &[Asked]) -> Result<(), BenchError> {
    let mut text = String::new();
    for one in asked {
        let arm = |(arm, (prompt, answer)): (&Arm, &(super::arms::Prompt, Option<String>))| {
            let f1 = answer.as_deref().map(|answer| scores::f1(answer, &one.question.answer));
            json!({"arm": arm.name(), "messages": prompt.messages, "tokens": prompt.tokens, "answer": answer, "f1": f1})
        };
        let arms: Vec<_> = options.arms().iter().zip(&one.prompts).map(arm).collect();
        let line = json!({
            "question": one.question.text, "category": one.question.category, "expected": one.question.answer,
            "evidence": one.forwarded.evidence, "quotes": one.forwarded.quotes, "arms": arms,
        });
        text.push_str(&format!("{line}\n"));
    }
    write_whole(&options.play.cache.join("answers").join(format!("{bench}-prompts.jsonl")), text.as_bytes())
}
