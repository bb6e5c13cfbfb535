//! The same questions in several languages, side by side.
//!
//! It must not know how anything was measured.

use super::SEED;
use super::arms::LANGUAGE_ARMS;
use super::report::{RECALL, SHIPPED};
use super::scores::Results;
use crate::report::{Report, Row, Table, points, share, table};
use crate::stats::{Figure, RESAMPLES, Resamples, mean};

/// What was measured in each language, in the order of the tables.
#[derive(Default)]
pub(super) struct Languages(Vec<Language>);

struct Language {
    code: String,
    results: Results,
    /// For each question, 1 if its evidence arrived at the upstream, else 0.
    forwarded: Vec<f64>,
}

/// The language that the others are compared with.
const ENGLISH: &str = "en";
const NOTE: &str = "recall_all@5 / @10 in each language. End to end: the share of the questions whose every evidence turn stands word for \
    word in the prompt that the upstream receives, through the built program over loopback, the whole chat before the question \
    and a budget that it has outgrown. Minus English: points of recall_all@10 of the full pipeline, paired by question where \
    the questions are the same ones (paired bootstrap).";

impl Languages {
    /// Adds what was measured with the chats of one language.
    pub(super) fn add(&mut self, code: &str, results: Results, forwarded: Vec<f64>) {
        self.0.push(Language { code: code.to_owned(), results, forwarded });
    }

    /// Adds the table and the differences to English; nothing if no language was measured.
    pub(super) fn conclude(&self, report: &mut Report) {
        if self.0.is_empty() {
            return;
        }
        report.add("Languages", NOTE, self.table());
        for language in &self.0 {
            let Some(difference) = self.minus_english(language) else {
                continue;
            };
            let (bench, arm) = (format!("language-{}", language.code), "full-pipeline − full-pipeline in English");
            let row = Row::new(&bench, RECALL, arm, difference);
            report.rows.push(row.over(language.results.questions()));
        }
    }

    fn table(&self) -> Table {
        let header = ["language", "questions"].into_iter().chain(LANGUAGE_ARMS);
        let mut table = table(header.chain(["end to end", "minus English", "95 % interval"]));
        for language in &self.0 {
            let results = &language.results;
            let mut cells = vec![language.code.clone(), results.questions().to_string()];
            cells.extend(LANGUAGE_ARMS.map(|arm| {
                let [at_5, at_10] = ["recall_all@5", RECALL].map(|measure| share(results.mean(arm, measure)));
                format!("{at_5} / {at_10}")
            }));
            cells.push(share(mean(&language.forwarded)));
            cells.extend(self.minus_english(language).map(points).unwrap_or_default());
            table.add_row(cells);
        }
        table
    }

    fn minus_english(&self, language: &Language) -> Option<Figure> {
        let english = self.0.iter().find(|other| other.code == ENGLISH)?;
        if language.code == ENGLISH {
            return None;
        }
        let [own, theirs] = [language, english].map(|one| one.results.values(SHIPPED, RECALL));
        if own.len() == theirs.len() {
            return Some(Resamples::draw(own.len(), RESAMPLES, SEED).difference(&own, &theirs));
        }
        Some(Figure::exactly(mean(&own) - mean(&theirs)))
    }
}
