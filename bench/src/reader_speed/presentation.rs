//! How the speeds of the reader are shown: headings, notes, tables, rows.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::figures::{SpeedRow, Spread};
use super::passes::{Timed, Way};
use super::questions::{Asked, QUESTIONS};
use crate::report::table;

/// How the passes over a text were timed.
pub(super) const PASSES: &str = "Through the product's engine: tokenising, the pass, attention, main points, codes and mean vectors. \
    All arms take turns in every round; figures are medians, and the smallest and largest round.";

/// How the questions were timed.
#[must_use]
pub(super) fn question_note(threads: usize) -> String {
    format!(
        "Preparing one question, vector and codes in one pass, one question after the other: {QUESTIONS} a round, real ones on an \
         idle engine and while bulk reads keep the reader's queue filled, and real ones cut to so many tokens on an idle \
         engine. Bulk work has {threads} threads. The figure is taken over all rounds, the spread from each."
    )
}

/// The tokens per second of every arm.
#[must_use]
pub(super) fn pass_table(timed: &[Timed]) -> Table {
    let mut table = table(["arm", "threads", "tokens", "ms", "tokens/s", "low to high"]);
    for arm in timed {
        let milliseconds: Vec<f64> = arm.seconds.iter().map(|seconds| seconds * 1000.0).collect();
        let [took, _] = Spread::of(&milliseconds).cells(1);
        let [speed, speeds] = Spread::of(&arm.tokens_per_second()).cells(0);
        table.add_row([
            described(arm.way).to_owned(),
            arm.threads.to_string(),
            arm.tokens.to_string(),
            took,
            speed,
            speeds,
        ]);
    }
    table
}

/// The same for machines.
#[must_use]
pub(super) fn pass_rows(bench: &str, timed: &[Timed]) -> Vec<SpeedRow> {
    let rows = timed.iter().map(|arm| {
        let name = with_threads(name(arm.way), arm.threads);
        let speed = Spread::of(&arm.tokens_per_second()).row(bench, ("tokens_per_second", "tokens/s"), &name);
        speed.over(arm.seconds.len())
    });
    rows.collect()
}

/// Milliseconds of a question, by what it is and what else is done.
#[must_use]
pub(super) fn question_table(asked: &[Asked]) -> Table {
    let mut table = table(["questions", "p50 ms", "low to high", "p99 ms", "low to high"]);
    for Asked { name, rounds, .. } in asked {
        let [median, medians] = Spread::of_quantile(rounds, 50).cells(1);
        let [slow, slows] = Spread::of_quantile(rounds, 99).cells(1);
        table.add_row([name.clone(), median, medians, slow, slows]);
    }
    table
}

/// The same for machines.
#[must_use]
pub(super) fn question_rows(asked: &[Asked]) -> Vec<SpeedRow> {
    let mut rows = Vec::new();
    for Asked { bench, arm, rounds, .. } in asked {
        for (metric, percent) in [("p50_ms", 50), ("p99_ms", 99)] {
            let spread = Spread::of_quantile(rounds, percent);
            rows.push(spread.row(bench, (metric, "ms"), arm).over(rounds.len()));
        }
    }
    rows
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Turns => "mainpoint",
        Way::OneTurn => "mainpoint-one-turn",
    }
}

fn described(way: Way) -> &'static str {
    match way {
        Way::Turns => "turn by turn",
        Way::OneTurn => "as one turn",
    }
}

/// An arm's name; two threads are what is meant when nothing is said.
fn with_threads(name: &str, threads: usize) -> String {
    match threads {
        2 => name.to_owned(),
        1 => format!("{name}-1-thread"),
        more => format!("{name}-{more}-threads"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_has_its_speed() {
        let timed = |way, threads, seconds| Timed {
            way,
            threads,
            tokens: 100,
            seconds: vec![seconds; 3],
        };
        let arms = [timed(Way::Turns, 2, 0.5), timed(Way::OneTurn, 1, 1.0)];
        let rows = pass_rows("reader-256", &arms);
        let speeds: Vec<(&str, f64)> = rows.iter().map(|row| (row.arm.as_str(), row.value)).collect();
        assert_eq!(speeds, [("mainpoint", 200.0), ("mainpoint-one-turn-1-thread", 100.0)]);
        assert!(rows.iter().all(|row| row.rounds == 3));
        assert_eq!(pass_table(&arms).row_iter().count(), 2);
    }

    #[test]
    fn questions_have_two_quantiles() {
        let asked = [Asked::new("some", ("question", "idle"))];
        assert_eq!(question_rows(&asked).len(), 2);
        assert_eq!(question_table(&asked).row_iter().count(), 1);
    }
}
