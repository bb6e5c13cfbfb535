//! The same questions in several languages, side by side.

use std::collections::BTreeMap;

use super::SEED;
use super::arms::LANGUAGE_ARMS;
use super::report::{RECALL, SHIPPED};
use super::scores::Results;
use crate::report::{Report, Row};
use crate::stats::{Figure, RESAMPLES, Resamples, mean};

/// What was measured in each language, by what its rows are called.
pub(super) type Languages = BTreeMap<String, Results>;

/// What is forwarded by the built program.
pub(super) const END_TO_END: &str = "end-to-end";
const MINUS_ENGLISH: &str = "full-pipeline − full-pipeline in English";
/// The language that the others are compared with.
const ENGLISH: &str = "language-en";
const NOTE: &str = "Forwarded: the share of the questions whose every evidence turn stands word for word in the prompt that the upstream \
    receives, through the built program over loopback, the whole chat before the question and a budget that it has outgrown. Minus \
    English: recall_all@10 of the full pipeline, paired by question where the questions are the same ones (paired bootstrap).";

/// Adds the differences to English and the table; nothing if no language was measured.
pub(super) fn conclude(languages: &Languages, report: &mut Report) {
    if languages.is_empty() {
        return;
    }
    let english = languages.get(ENGLISH);
    for (bench, results) in languages.iter().filter(|(bench, _)| *bench != ENGLISH) {
        let row = |english| Row::new(bench, RECALL, MINUS_ENGLISH, difference(results, english));
        report.rows.extend(english.map(|english| row(english).over(results.questions())));
    }
    report.tabulate("Languages", NOTE, |row| {
        let is_shown = ["recall_all@5", RECALL, "forwarded"].contains(&row.metric.as_str());
        let mut arms = LANGUAGE_ARMS.into_iter().chain([END_TO_END, MINUS_ENGLISH]);
        languages.contains_key(&row.bench) && is_shown && arms.any(|arm| arm == row.arm)
    });
}

fn difference(own: &Results, english: &Results) -> Figure {
    let [own, english] = [own, english].map(|one| one.values(SHIPPED, RECALL));
    if own.len() == english.len() {
        return Resamples::draw(own.len(), RESAMPLES, SEED).difference(&own, &english);
    }
    Figure::exactly(mean(&own) - mean(&english))
}
