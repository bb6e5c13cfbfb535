//! How the speeds of reader and embedder are shown: headings, notes, tables, rows.
//!
//! It must not know how anything was measured.

use comfy_table::Table;
use mainpoint_engine::ReaderConfig;

use super::embedding::Embedded;
use super::figures::{SpeedRow, Spread};
use super::passes::{Timed, Way};
use super::questions::{Asked, QUESTIONS};
use crate::report::table;

const PASSES: &str = "Plain prefill: llama.cpp computes all layers of the same model over the same tokens with flash \
    attention and the logits of the last token. Reading: tokenising, the passes, attention within turns, main points and keys; \
    vectors are timed apart. The ratio is that of tokens a second to the faster way of plain prefill with as many \
    threads in the same round; above 1 is faster. All arms take turns in every round; figures are medians, and the smallest and largest round.";

/// How the embedder was timed.
pub(super) const EMBEDDING: &str = "Turns of the same conversations, each passage behind its speaker's name, in the product's \
    batches; the vector behind the previous turn is a second passage.";

/// How the passes over a text of `size` tokens were timed. One longer than the reader's window takes several passes.
#[must_use]
pub(super) fn pass_note(size: usize) -> String {
    let reader = ReaderConfig::default();
    let window = reader.window_tokens;
    if size <= window {
        return PASSES.to_owned();
    }
    format!(
        "{PASSES} A pass of the product's reader holds {window} tokens, fewer than this text has: as one turn it is read in equal \
         passes, or in one with a window as long as the text."
    )
}

/// How the questions were timed.
#[must_use]
pub(super) fn question_note(threads: usize) -> String {
    format!(
        "Preparing one question, vector and queries side by side, one question after the other: {QUESTIONS} a round on an idle \
         engine and as many while bulk reads keep the reader's queue filled; bulk work has {threads} \
         threads, a question's vector one and its queries the others. The figure is taken over all rounds, the spread from each."
    )
}

/// The tokens per second and the ratio of every arm.
#[must_use]
pub(super) fn pass_table(timed: &[Timed]) -> Table {
    let mut table = table([
        "arm",
        "threads",
        "tokens",
        "ms",
        "tokens/s",
        "low to high",
        "ratio",
        "low to high",
    ]);
    for arm in timed {
        let milliseconds: Vec<f64> = arm.seconds.iter().map(|seconds| seconds * 1000.0).collect();
        let [took, _] = Spread::of(&milliseconds).cells(1);
        let [speed, speeds] = Spread::of(&arm.tokens_per_second()).cells(0);
        let [ratio, ratios] = ratio(arm, timed).map(|ratio| ratio.cells(2)).unwrap_or_default();
        table.add_row([
            described(arm.way).to_owned(),
            arm.threads.to_string(),
            arm.tokens.to_string(),
            took,
            speed,
            speeds,
            ratio,
            ratios,
        ]);
    }
    table
}

/// The same for machines.
#[must_use]
pub(super) fn pass_rows(bench: &str, timed: &[Timed]) -> Vec<SpeedRow> {
    let rows = timed.iter().flat_map(|arm| {
        let name = with_threads(name(arm.way), arm.threads);
        let speed = Spread::of(&arm.tokens_per_second()).row(bench, ("tokens_per_second", "tokens/s"), &name);
        let ratio = ratio(arm, timed).map(|ratio| ratio.row(bench, ("ratio_to_plain_prefill", "times"), &name));
        let rows = std::iter::once(speed).chain(ratio);
        rows.map(|row| row.over(arm.seconds.len())).collect::<Vec<_>>()
    });
    rows.collect()
}

/// Passages per second.
#[must_use]
pub(super) fn embedding_table(embedded: &[Embedded]) -> Table {
    let mut table = table(["threads", "passages/s", "low to high"]);
    for arm in embedded {
        let [speed, speeds] = Spread::of(&arm.passages_per_second).cells(0);
        table.add_row([arm.threads.to_string(), speed, speeds]);
    }
    table
}

/// The same for machines.
#[must_use]
pub(super) fn embedding_rows(embedded: &[Embedded]) -> Vec<SpeedRow> {
    let rows = embedded.iter().map(|arm| {
        let rounds = &arm.passages_per_second;
        let name = with_threads("mainpoint", arm.threads);
        let metric = ("passages_per_second", "passages/s");
        Spread::of(rounds).row("embedder", metric, &name).over(rounds.len())
    });
    rows.collect()
}

/// Milliseconds of a question, idle and busy.
#[must_use]
pub(super) fn question_table(asked: &Asked) -> Table {
    let mut table = table(["engine", "p50 ms", "low to high", "p99 ms", "low to high"]);
    for (name, rounds) in [("idle", &asked.idle), ("during a bulk read", &asked.busy)] {
        let [median, medians] = Spread::of_quantile(rounds, 50).cells(1);
        let [slow, slows] = Spread::of_quantile(rounds, 99).cells(1);
        table.add_row([name.to_owned(), median, medians, slow, slows]);
    }
    table
}

/// The same for machines.
#[must_use]
pub(super) fn question_rows(asked: &Asked) -> Vec<SpeedRow> {
    let mut rows = Vec::new();
    for (arm, rounds) in [("idle", &asked.idle), ("during-bulk-read", &asked.busy)] {
        for (metric, percent) in [("p50_ms", 50), ("p99_ms", 99)] {
            let spread = Spread::of_quantile(rounds, percent);
            rows.push(spread.row("question", (metric, "ms"), arm).over(rounds.len()));
        }
    }
    rows
}

/// Tokens a second in relation to the faster way of plain prefill with as many threads; nothing for plain prefill itself.
fn ratio(arm: &Timed, timed: &[Timed]) -> Option<Spread> {
    let plain = |timed: &Timed| matches!(timed.way, Way::Plain | Way::PlainInPieces);
    if plain(arm) {
        return None;
    }
    let speed = |timed: &Timed| Spread::of(&timed.tokens_per_second()).value;
    let plain = timed
        .iter()
        .filter(|other| plain(other) && other.threads == arm.threads);
    let fastest = plain.max_by(|one, other| speed(one).total_cmp(&speed(other)))?;
    Some(Spread::of(&arm.ratios(fastest)))
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Plain => "plain-prefill",
        Way::PlainInPieces => "plain-prefill-in-pieces",
        Way::Turns => "mainpoint",
        Way::OneTurn => "mainpoint-one-turn",
        Way::OnePass => "mainpoint-one-pass",
    }
}

fn described(way: Way) -> &'static str {
    match way {
        Way::Plain => "plain prefill, all at once",
        Way::PlainInPieces => "plain prefill, 512 at once",
        Way::Turns => "reading, turn by turn",
        Way::OneTurn => "reading, as one turn",
        Way::OnePass => "reading, all turns in one pass",
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

    fn timed(way: Way, threads: usize, seconds: f64) -> Timed {
        Timed {
            way,
            threads,
            tokens: 100,
            seconds: vec![seconds; 3],
        }
    }

    #[test]
    fn a_text_that_takes_several_passes_says_so() {
        assert!(!pass_note(1024).contains("fewer than"));
        assert!(pass_note(4096).contains("1536 tokens, fewer than this text has"));
    }

    #[test]
    fn every_arm_is_compared_to_plain_prefill_with_its_own_threads() {
        let arms = [
            timed(Way::Plain, 2, 1.0),
            timed(Way::Plain, 1, 2.0),
            timed(Way::Turns, 2, 0.5),
            timed(Way::Turns, 1, 0.5),
        ];
        let rows = pass_rows("reader-256", &arms);
        let ratios: Vec<(&str, f64)> = rows
            .iter()
            .filter(|row| row.metric == "ratio_to_plain_prefill")
            .map(|row| (row.arm.as_str(), row.value))
            .collect();
        assert_eq!(ratios, [("mainpoint", 2.0), ("mainpoint-1-thread", 4.0)]);
        assert_eq!(rows.len(), 6);
        assert!(rows.iter().all(|row| row.rounds == 3));
    }
}
