//! What the chats come to: rows and tables.

use std::collections::BTreeMap;

use super::judging::{Judged, UpdateOutcome};
use super::{Played, SessionOptions};
use crate::report::{Report, Row};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float, mean};

const SEED: u64 = 20_261_129;
const ARM: &str = "mainpoint";
const NOTE: &str = "Every session is a chat of its own, and every question opens a new one. Evidence: the share of the turns that answer \
    a question of which the memory block quotes the whole or a stretch. Precision: the share of the quotes that are of such turns. \
    Blocks: the share of the questions that get any memories. Abstention: the share of a hundred remarks of small talk for each \
    conversation that get none as the first message of a chat. Newest first: where a later chat tells otherwise what an earlier one \
    told, the newest of these turns is quoted, and nothing older as likelier to answer; outdated alone: something older is quoted \
    without it. Pairs of our own chats on which the rule for newer facts was chosen have a kind of their own. Intervals: bootstrap \
    over questions, 10000 resamples.";
const EVIDENCE: &str = "evidence";

/// The name of a measure of memories within so many tokens.
fn within(tokens: &str, measure: &str) -> String {
    format!("{measure}@{tokens}-tokens")
}

pub(super) fn rows(bench: &str, tokens: &str, played: &Played) -> Vec<Row> {
    let judged: Vec<&Judged> = played.judged.iter().collect();
    let resamples = Resamples::draw(judged.len(), RESAMPLES, SEED);
    let row = |metric: &str, figure: Figure| Row::new(bench, metric, ARM, figure).over(judged.len());
    let each = |value: fn(&Judged) -> usize| judged.iter().map(|one| as_float(value(one))).collect::<Vec<f64>>();
    let quoted = each(|one| one.quoted);
    let mut rows = vec![
        row(&within(tokens, EVIDENCE), resamples.interval(&evidence(&judged))),
        row("precision", resamples.ratio(&each(|one| one.relevant), &quoted)),
        row("memory_tokens", mean(&each(|one| one.tokens)).into()),
        row("quoted_turns", mean(&quoted).into()),
        row("blocks", resamples.interval(&each(|one| one.quoted.min(1)))),
    ];
    if !played.silent.is_empty() {
        let silent: Vec<f64> = played.silent.iter().map(|silent| as_float(usize::from(*silent))).collect();
        rows.push(Row::new(bench, "abstention", ARM, share(&silent)).over(silent.len()));
    }
    for (category, judged) in by_category(&judged) {
        let arm = of_category(category);
        let outcomes = [("newest_first", UpdateOutcome::NewestFirst), ("outdated_alone", UpdateOutcome::OutdatedAlone)];
        for (metric, wanted) in outcomes {
            let outcomes = judged.iter().filter_map(|one| one.update);
            let is: Vec<f64> = outcomes.map(|outcome| as_float(usize::from(outcome == wanted))).collect();
            if !is.is_empty() {
                rows.push(Row::new(bench, &within(tokens, metric), &arm, share(&is)).over(is.len()));
            }
        }
        let evidence = share(&evidence(&judged));
        rows.push(Row::new(bench, &within(tokens, EVIDENCE), &arm, evidence).over(judged.len()));
    }
    rows
}

/// A table for each data set, and one for its kinds of questions.
pub(super) fn tables(report: &mut Report, options: &SessionOptions, benches: &[String]) {
    let (tokens, budget) = (options.memory_tokens(), options.budget);
    let mut note = NOTE;
    for bench in benches {
        let title = format!("{bench}, memories of at most {tokens} tokens within a budget of {budget}");
        report.tabulate(title, std::mem::take(&mut note), |row| row.bench == *bench && row.arm == ARM);
        report.tabulate(format!("{bench} by kind of question"), "", |row| row.bench == *bench && row.arm != ARM);
    }
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
    }
}
