//! The same questions in several languages, side by side.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::arms::LANGUAGE_ARMS;
use super::end_to_end::Forwarded;
use super::report::{points, share};
use super::results::{Measure, Results};
use super::{RESAMPLES, SEED};
use crate::bootstrap::{Interval, Resamples};
use crate::metrics::as_float;
use crate::recorded::Conversation;
use crate::report::{Report, Row, table};

/// What was measured in each language, in the order of the tables.
#[derive(Default)]
pub(super) struct Languages {
    all: Vec<Language>,
}

struct Language {
    code: String,
    results: Results,
    forwarded: Forwarded,
}

/// The language that the others are compared with.
const ENGLISH: &str = "en";
const NOTE: &str = "recall_all@5 / @10 in each language. End to end: the share of the questions whose every evidence turn stands word for \
    word in the prompt that the upstream receives, through the built program over loopback, the whole chat before the question \
    and a budget that it has outgrown. Minus English: points of recall_all@10 of the full pipeline, paired by question where \
    the questions are the same ones (paired bootstrap).";

impl Languages {
    /// Adds what was measured with the chats of one language.
    pub(super) fn add(&mut self, conversations: &[Conversation], (results, forwarded): (Results, Forwarded)) {
        let code = conversations.first().map_or("", Conversation::language).to_owned();
        self.all.push(Language {
            code,
            results,
            forwarded,
        });
    }

    /// Adds the table and the differences to English; nothing if no language was measured.
    pub(super) fn conclude(&self, report: &mut Report, rows: &mut Vec<Row>) {
        if self.all.is_empty() {
            return;
        }
        report.add("Languages", NOTE, self.table());
        for language in &self.all {
            let Some(difference) = self.minus_english(language) else {
                continue;
            };
            let bench = format!("language-{}", language.code);
            let row = Row::new(
                &bench,
                "recall_all@10",
                "full-pipeline − full-pipeline in English",
                difference,
            );
            rows.push(row.over(language.results.questions()));
        }
    }

    fn table(&self) -> Table {
        let header = ["language", "questions"].into_iter().chain(LANGUAGE_ARMS);
        let mut table = table(header.chain(["end to end", "minus English", "95 % interval"]));
        for language in &self.all {
            let mut cells = vec![language.code.clone(), language.results.questions().to_string()];
            cells.extend(LANGUAGE_ARMS.map(|arm| {
                let [at_5, at_10, ..] = language.results.mean(arm, None).recall_all;
                format!("{} / {}", share(at_5), share(at_10))
            }));
            cells.push(share(language.forwarded.share()));
            let difference = self.minus_english(language);
            cells.push(difference.map_or_else(String::new, |difference| points(difference.mean)));
            let interval = |difference: Interval| format!("{} to {}", points(difference.low), points(difference.high));
            cells.push(difference.map_or_else(String::new, interval));
            table.add_row(cells);
        }
        table
    }

    fn minus_english(&self, language: &Language) -> Option<Interval> {
        let english = self.all.iter().find(|other| other.code == ENGLISH)?;
        if language.code == ENGLISH {
            return None;
        }
        let of = |language: &Language| language.results.values("full-pipeline", Measure::RecallAll(1));
        let (own, theirs) = (of(language), of(english));
        if own.len() == theirs.len() {
            return Some(Resamples::draw(own.len(), RESAMPLES, SEED).difference(&own, &theirs));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / as_float(values.len().max(1));
        Some(Interval::exactly(mean(&own) - mean(&theirs)))
    }
}
