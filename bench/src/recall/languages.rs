//! The same questions in several languages, side by side.
//!
//! It must not know how anything was measured.

use super::SEED;
use super::arms::LANGUAGE_ARMS;
use super::report::{RECALL, SHIPPED};
use super::scores::Results;
use crate::report::{Report, Row};
use crate::stats::{Figure, RESAMPLES, Resamples, mean};

/// What was measured in each language.
#[derive(Default)]
pub(super) struct Languages(Vec<Language>);

struct Language {
    code: String,
    results: Results,
}

/// What is forwarded by the built program.
pub(super) const END_TO_END: &str = "end-to-end";
const MINUS_ENGLISH: &str = "full-pipeline − full-pipeline in English";
/// The language that the others are compared with.
const ENGLISH: &str = "en";
const NOTE: &str = "Forwarded: the share of the questions whose every evidence turn stands word for word in the prompt that the upstream \
    receives, through the built program over loopback, the whole chat before the question and a budget that it has outgrown. Minus \
    English: recall_all@10 of the full pipeline, paired by question where the questions are the same ones (paired bootstrap).";

impl Languages {
    /// Adds what was measured with the chats of one language.
    pub(super) fn add(&mut self, code: &str, results: Results) {
        self.0.push(Language { code: code.to_owned(), results });
    }

    /// Adds the differences to English and the table; nothing if no language was measured.
    pub(super) fn conclude(&self, report: &mut Report) {
        if self.0.is_empty() {
            return;
        }
        for language in &self.0 {
            let Some(difference) = self.minus_english(language) else {
                continue;
            };
            let row = Row::new(&bench(&language.code), RECALL, MINUS_ENGLISH, difference);
            report.rows.push(row.over(language.results.questions()));
        }
        let benches: Vec<String> = self.0.iter().map(|language| bench(&language.code)).collect();
        report.tabulate("Languages", NOTE, |row| {
            let is_shown = ["recall_all@5", RECALL, "forwarded"].contains(&row.metric.as_str());
            let mut arms = LANGUAGE_ARMS.into_iter().chain([END_TO_END, MINUS_ENGLISH]);
            benches.contains(&row.bench) && is_shown && arms.any(|arm| arm == row.arm)
        });
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

/// What the rows of a language are called.
pub(super) fn bench(code: &str) -> String {
    format!("language-{code}")
}
