//! `mainpoint-bench weights`: learns what the signals of relevance are worth.
//!
//! Question: which weights find most, in every kind of conversation, language and role? Method: over the conversations that
//! things are chosen on, the softmax loss of each evidence turn against all turns that are no evidence, among the candidates of
//! the product's own search, plus a small quadratic one that keeps weights small; BEAM's few questions count several times.
//! Baseline: the weights that are shipped. Whether what is learned holds elsewhere is seen by learning without each conversation
//! and judging on it; one chat in several languages is one conversation there. It must not know where signals come from.

mod learning;

use std::collections::BTreeSet;

use comfy_table::Table;
use mainpoint::memory::recall::relevance::{WEIGHTS, signals};

use self::learning::{Example, Weights, finds, learned_on, shipped};
use super::library::Library;
use super::material::{Extent, Material, gather};
use super::{RecallOptions, SEED};
use crate::BenchError;
use crate::bootstrap::Resamples;
use crate::cache::Cache;
use crate::progress::Progress;
use crate::recorded::{self, Conversation, Kind};
use crate::report::table;

/// A question, and what it is counted under.
struct Case {
    example: Example,
    /// What is left out together.
    family: String,
    /// The groups that it is shown in.
    groups: Vec<String>,
}

/// What every question of BEAM counts: there are 36 beside LoCoMo's 231 and 30 in each language.
const BEAM_WEIGHT: f64 = 5.0;
/// The depths that are shown.
const DEPTHS: [usize; 2] = [5, 10];
const RESAMPLES: usize = 2000;

/// Learns weights on the conversations of `options.learned_on` and on all languages, and prints them beside those that are
/// shipped.
///
/// # Errors
/// Any failure of data, engine, store or files.
pub async fn learn(options: &RecallOptions) -> Result<(), BenchError> {
    let library = Library::open(&options.product, Cache::at(options.cache.clone())).await?;
    let mut cases = Vec::new();
    for set in &options.sets {
        let (kind, all) = recorded::load(&set.path)?;
        let is_chosen = |one: &Conversation| kind == Kind::Language || options.learned_on.contains(&one.name);
        let chosen: Vec<Conversation> = all.into_iter().filter(is_chosen).collect();
        if chosen.is_empty() {
            continue;
        }
        let (materials, shelf) = gather(&library, &chosen, Extent::Shipped).await?;
        shelf.close().await?;
        materials
            .iter()
            .for_each(|material| cases.extend(cases_of(kind, material)));
    }
    let learned = learned_on(&cases.iter().map(|case| &case.example).collect::<Vec<_>>());
    anstream::println!("{}", weights_table(&learned));
    anstream::println!("{}", judged_table(&cases, &learned));
    Ok(())
}

fn cases_of(kind: Kind, material: &Material<'_>) -> Vec<Case> {
    let conversation = material.conversation;
    let questions = conversation.questions.iter().zip(&material.candidates);
    let cases = questions.map(|(question, found)| {
        let is_evidence: Vec<bool> = found
            .turns
            .iter()
            .map(|turn| question.evidence.contains(turn))
            .collect();
        let count = is_evidence.iter().filter(|is_evidence| **is_evidence).count();
        let told_by = conversation.told_by(question).map(|role| format!("told by {role}"));
        Case {
            example: Example {
                weight: if kind == Kind::Beam { BEAM_WEIGHT } else { 1.0 },
                signals: signals(&found.candidates),
                missing: question.evidence.len().saturating_sub(count),
                is_evidence,
            },
            family: match kind {
                Kind::Language => kind.name().to_owned(),
                _ => conversation.name.clone(),
            },
            groups: [conversation.name.clone(), format!("all of {}", kind.name())]
                .into_iter()
                .chain(told_by)
                .collect(),
        }
    });
    cases.collect()
}

fn weights_table(learned: &Weights) -> Table {
    let mut table = table(["signal", "shipped", "learned"]);
    for ((name, shipped), learned) in WEIGHTS.iter().zip(learned) {
        table.add_row([(*name).to_owned(), format!("{shipped:.2}"), format!("{learned:.2}")]);
    }
    table
}

/// `recall_all` of the shipped weights, of the learned ones, and of those learned without the conversation that they are judged
/// on, for every group of questions.
fn judged_table(cases: &[Case], learned: &Weights) -> Table {
    let mut table = table([
        "questions",
        "n",
        "depth",
        "shipped",
        "learned",
        "learned on the others",
        "minus shipped, points",
    ]);
    let apart = learned_on_others(cases);
    let groups: BTreeSet<&String> = cases.iter().flat_map(|case| &case.groups).collect();
    for group in groups {
        let own = || cases.iter().zip(&apart).filter(|(case, _)| case.groups.contains(group));
        let resamples = Resamples::draw(own().count(), RESAMPLES, SEED);
        for depth in DEPTHS {
            let with = |weights: &Weights| {
                own()
                    .map(|(case, _)| finds(&case.example, weights, depth))
                    .collect::<Vec<_>>()
            };
            let held_out: Vec<f64> = own().map(|(case, apart)| finds(&case.example, apart, depth)).collect();
            let mean = |found: &[f64]| format!("{:.3}", resamples.interval(found).mean);
            let gain = resamples.difference(&held_out, &with(&shipped()));
            table.add_row([
                group.clone(),
                own().count().to_string(),
                format!("@{depth}"),
                mean(&with(&shipped())),
                mean(&with(learned)),
                mean(&held_out),
                format!(
                    "{:+.1} ({:+.1} to {:+.1})",
                    100.0 * gain.mean,
                    100.0 * gain.low,
                    100.0 * gain.high
                ),
            ]);
        }
    }
    table
}

/// For each question, the weights that were learned without its conversation.
fn learned_on_others(cases: &[Case]) -> Vec<Weights> {
    let families: BTreeSet<&str> = cases.iter().map(|case| case.family.as_str()).collect();
    let mut progress = Progress::begin("learning without each conversation", families.len());
    let mut all = vec![shipped(); cases.len()];
    for family in families {
        let others: Vec<&Example> = cases
            .iter()
            .filter(|case| case.family != family)
            .map(|case| &case.example)
            .collect();
        let weights = learned_on(&others);
        for (own, _) in all.iter_mut().zip(cases).filter(|(_, case)| case.family == family) {
            *own = weights;
        }
        progress.advance(1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(family: &str, better: usize) -> Case {
        let signals = [true, false, false].map(|is_evidence| {
            let mut signals = [0.0; WEIGHTS.len()];
            signals[better] = if is_evidence { 1.0 } else { 0.0 };
            signals
        });
        Case {
            example: Example {
                weight: 1.0,
                signals: signals.to_vec(),
                is_evidence: vec![true, false, false],
                missing: 0,
            },
            family: family.to_owned(),
            groups: vec![family.to_owned()],
        }
    }

    #[test]
    fn weights_are_judged_on_what_they_were_not_learned_on() {
        let cases = [case("a", 0), case("b", 1)];
        let apart = learned_on_others(&cases);
        assert!(apart[0][0].abs() < 1e-6 && apart[0][1] > 0.5, "{:?}", apart[0]);
        assert!(apart[1][1].abs() < 1e-6 && apart[1][0] > 0.5, "{:?}", apart[1]);
        let learned = learned_on(&cases.iter().map(|case| &case.example).collect::<Vec<_>>());
        assert_eq!(judged_table(&cases, &learned).row_iter().count(), 4);
    }
}
