//! What the chats come to: rows and tables.
//!
//! It must not know how anything was asked.

use std::collections::BTreeMap;

use super::judging::{Judged, UpdateOutcome};
use super::{Played, SessionOptions};

use crate::report::{Line, Report, Row, column};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float, mean};

const SEED: u64 = 20_261_129;
const ARM: &str = "mainpoint";
const PRECISION: &str = "precision";
const ABSTENTION: &str = "abstention";
const NOTE: &str = "Every session is a chat of its own, and every question opens a new one. Evidence: the share of the turns that answer \
    a question of which the memory block quotes the whole or a stretch. Precision: the share of the quotes that are of such turns. \
    Blocks: the share of the questions that get any memories. Abstention: the share of a hundred remarks of small talk for each \
    conversation that get none as the first message of a chat. Intervals: bootstrap over questions, 10000 resamples.";
const UPDATE_NOTE: &str = "Questions of which an earlier chat tells what a later one tells otherwise. Newest first: the newest of these \
    turns is quoted, and nothing older as likelier to answer. Outdated alone: something older is quoted without it. Pairs of our own \
    chats on which the rule for newer facts was chosen have a line of their own.";

const EVIDENCE: &str = "evidence";
const NEWEST_FIRST: &str = "newest_first";
const OUTDATED_ALONE: &str = "outdated_alone";

/// The name of a measure of memories within so many tokens.
fn within(tokens: &str, measure: &str) -> String {
    format!("{measure}@{tokens}-tokens")
}

/// The rows of a data set whose memories may take so many tokens.
pub(super) fn rows(bench: &str, tokens: &str, played: &Played) -> Vec<Row> {
    let judged: Vec<&Judged> = played.judged.iter().collect();
    let resamples = Resamples::draw(judged.len(), RESAMPLES, SEED);
    let row = |metric: &str, figure: Figure| Row::new(bench, metric, ARM, figure).over(judged.len());
    let each = |value: fn(&Judged) -> usize| judged.iter().map(|one| as_float(value(one))).collect::<Vec<f64>>();
    let quoted = each(|one| one.quoted);
    let mut rows = vec![
        row(&within(tokens, EVIDENCE), resamples.interval(&evidence(&judged))),
        row(PRECISION, resamples.ratio(&each(|one| one.relevant), &quoted)),
        row("memory_tokens", mean(&each(|one| one.tokens)).into()),
        row("quoted_turns", mean(&quoted).into()),
        row("blocks", resamples.interval(&each(|one| one.quoted.min(1)))),
    ];
    if !played.silent.is_empty() {
        let silent: Vec<f64> = played.silent.iter().map(|silent| as_float(usize::from(*silent))).collect();
        rows.push(Row::new(bench, ABSTENTION, ARM, share(&silent)).over(silent.len()));
    }
    for (category, judged) in by_category(&judged) {
        let arm = of_category(category);
        let outcomes: Vec<UpdateOutcome> = judged.iter().filter_map(|one| one.update).collect();
        if !outcomes.is_empty() {
            let is = |wanted: UpdateOutcome| {
                outcomes.iter().map(|outcome| as_float(usize::from(*outcome == wanted))).collect::<Vec<f64>>()
            };
            let count = outcomes.len();
            let newest = share(&is(UpdateOutcome::NewestFirst));
            rows.push(Row::new(bench, &within(tokens, NEWEST_FIRST), &arm, newest).over(count));
            let outdated = share(&is(UpdateOutcome::OutdatedAlone));
            rows.push(Row::new(bench, &within(tokens, OUTDATED_ALONE), &arm, outdated).over(count));
        }
        let evidence = share(&evidence(&judged));
        rows.push(Row::new(bench, &within(tokens, EVIDENCE), &arm, evidence).over(judged.len()));
    }
    rows
}

pub(super) fn tables(report: &mut Report, options: &SessionOptions, benches: &[String]) {
    let tokens = options.memory_tokens();
    let evidence = within(tokens, EVIDENCE);
    let columns = [
        column("evidence", &evidence, 3).with_bounds("95 % interval"),
        column("precision", PRECISION, 3).with_bounds("95 % interval"),
        column("memory tokens", "memory_tokens", 0),
        column("quotes", "quoted_turns", 1),
        column("blocks", "blocks", 3),
        column("abstention", ABSTENTION, 3).with_bounds("95 % interval"),
    ];
    let lines: Vec<Line> = benches.iter().map(|bench| Line::new([bench], bench, ARM)).collect();
    let title = format!("A new chat, memories of at most {tokens} tokens within a budget of {}", options.budget);
    report.tabulate(title, NOTE, &["data"], &lines, &columns);
    let kinds: Vec<Line> = kinds(&report.rows);
    let columns = [column("evidence", &evidence, 3).with_bounds("95 % interval")];
    report.tabulate("Evidence by kind of question", "", &["data", "kind", "n"], &kinds, &columns);
    let newest = within(tokens, NEWEST_FIRST);
    let columns = [
        column("newest first", &newest, 3).with_bounds("95 % interval"),
        column("outdated alone", within(tokens, OUTDATED_ALONE), 3),
    ];
    report.tabulate("Newer facts", UPDATE_NOTE, &["data", "kind", "n"], &kinds, &columns);
}

/// A line for each kind of question of each data set.
fn kinds(rows: &[Row]) -> Vec<Line> {
    let kind = |row: &Row| row.arm.strip_prefix(ARM)?.strip_prefix(", ").map(str::to_owned);
    let of_evidence = rows.iter().filter(|row| row.metric.starts_with("evidence@"));
    let lines = of_evidence.filter_map(|row| {
        let cells = [row.bench.clone(), kind(row)?, row.n.to_string()];
        Some(Line::new(cells, &row.bench, &row.arm))
    });
    lines.collect()
}

fn of_category(category: &str) -> String {
    format!("{ARM}, {category}")
}

fn by_category<'a>(judged: &[&'a Judged]) -> BTreeMap<&'a str, Vec<&'a Judged>> {
    let mut found: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for one in judged {
        found.entry(&one.category).or_default().push(one);
    }
    found
}

fn evidence(judged: &[&Judged]) -> Vec<f64> {
    judged.iter().map(|one| one.evidence).collect()
}

fn share(values: &[f64]) -> Figure {
    Resamples::draw(values.len(), RESAMPLES, SEED).interval(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::UPDATE;
    use crate::report::find;

    fn judged(category: &str, evidence: f64, update: Option<UpdateOutcome>) -> Judged {
        Judged { category: category.to_owned(), evidence, quoted: 4, relevant: 1, tokens: 100, update }
    }

    #[test]
    fn rows_hold_evidence_precision_abstention_and_which_fact_comes_first() {
        let judged = vec![
            judged("single-hop", 1.0, None),
            judged("single-hop", 0.5, None),
            judged(UPDATE, 0.0, Some(UpdateOutcome::OutdatedAlone)),
            judged(UPDATE, 0.5, Some(UpdateOutcome::NewestFirst)),
        ];
        let played = Played { judged, silent: vec![true, true, true, false] };
        let rows = rows("sessions-some", "400", &played);
        let value = |metric: &str, arm: &str| find(&rows, "sessions-some", metric, arm).map(|row| (row.value, row.n));
        assert_eq!(value("evidence@400-tokens", ARM), Some((0.5, 4)));
        assert_eq!(value("precision", ARM), Some((0.25, 4)));
        assert_eq!(value("abstention", ARM), Some((0.75, 4)));
        assert_eq!(value("memory_tokens", ARM), Some((100.0, 4)));
        assert_eq!(value("evidence@400-tokens", "mainpoint, single-hop"), Some((0.75, 2)));
        let update = of_category(UPDATE);
        assert_eq!(value("newest_first@400-tokens", &update), Some((0.5, 2)));
        assert_eq!(value("outdated_alone@400-tokens", &update), Some((0.5, 2)));
        assert_eq!(value("newest_first@400-tokens", "mainpoint, single-hop"), None);
        assert_eq!(kinds(&rows).len(), 2);
    }
}
