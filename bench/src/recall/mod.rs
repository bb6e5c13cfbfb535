//! `mainpoint-bench recall`: how often every evidence turn of a question is found.
//!
//! Question: does the product's memory find the turns that answer a question, in every language, does each of its parts earn
//! its place, and is it silent where nothing bears on what is said? Method: the product's own engine reads recorded
//! conversations, every token once; the product's own store keeps their main points, its own search finds the candidates, and
//! every arm ranks all turns of the question's conversation. Baselines: mean vectors of main points, of all tokens and of the
//! first passage, BM25, the fusion of both, MaxSim over all tokens, and over as many tokens chosen in other ways.
//! Weights and constants were chosen on other conversations than the ones reported.

mod arm_rankings;
mod arms;
mod choosing;
mod costs;
mod end_to_end;
mod languages;
pub(crate) mod library;
mod material;
mod projection;
mod reading;
mod report;
mod scores;
mod shelf;
mod small_talk;
mod weights;

use clap::Args;

pub use self::library::ReadingOptions;
pub use self::projection::learn_projection;
pub use self::weights::learn as learn_weights;

use self::arm_rankings::rankings;
use self::costs::Stored;
use self::languages::{END_TO_END, Languages};
use self::library::Library;
use self::material::{Material, gather};
use self::scores::{Results, mean_of, measure};
use self::small_talk::SmallTalk;
use crate::data::{self, Conversation, DataSet, Kind};
use crate::product::Product;
use crate::progress::over;
use crate::report::{Report, Row, table_of};
use crate::stats::{RESAMPLES, Resamples};
use crate::{BenchError, locate};

/// What recall is measured on.
#[derive(Debug, Clone, Args)]
pub struct RecallOptions {
    /// Conversations to report on; default: all but those that weights were chosen on.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    conversations: Vec<String>,
    #[command(flatten)]
    readings: ReadingOptions,
}

/// Conversations that weights and constants were chosen on; the languages were, too, and are reported on nevertheless, since
/// there are no others.
const CHOSEN_ON: [&str; 4] = ["conv-26", "conv-30", "beam-1", "beam-3"];

const SEED: u64 = 20_261_122;

/// Everything that comes of the data sets, one after the other.
#[derive(Default)]
struct Measured {
    report: Report,
    languages: Languages,
    small_talk: SmallTalk,
}

/// Measures every arm on every data set, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine, store or files.
pub async fn run(options: &RecallOptions) -> Result<(), BenchError> {
    let (mut sets, names) = (sets()?, &options.conversations);
    for set in &mut sets {
        let is_chosen = |name: &String| CHOSEN_ON.contains(&name.as_str());
        set.conversations
            .retain(|one| if names.is_empty() { !is_chosen(&one.name) } else { names.contains(&one.name) });
    }
    sets.retain(|set| !set.conversations.is_empty());
    if let Some(name) =
        names.iter().find(|name| !sets.iter().any(|set| set.conversations.iter().any(|one| one.name == **name)))
    {
        return Err(BenchError::new(format!("--conversations {name}: none of the data sets has it")));
    }
    let (product, library) = options.readings.open().await?;
    let mut measured = Measured::default();
    for set in &sets {
        measure_set(&product, &library, set, &mut measured).await?;
    }
    let Measured { mut report, languages, small_talk } = measured;
    languages::conclude(&languages, &mut report);
    small_talk.conclude(&mut report);
    report.publish(&options.readings.out, "recall", "Recall", "recall.jsonl")
}

async fn measure_set(
    product: &Product,
    library: &Library,
    set: &DataSet,
    measured: &mut Measured,
) -> Result<(), BenchError> {
    let DataSet { kind, conversations } = set;
    let (materials, shelf) = gather(library, conversations).await?;
    let results = evaluate(&materials);
    let resamples = Resamples::draw(results.questions(), RESAMPLES, SEED);
    let bench = bench_name(set);
    let mut rows = report::rows(&results, &bench, &resamples);
    rows.extend(Stored::new(&shelf, &materials)?.rows(&bench, &results));
    if *kind == Kind::Language {
        let forwarded = end_to_end::play(product, conversations).await;
        let interval = resamples.interval(&forwarded);
        rows.push(Row::new(&bench, "forwarded", END_TO_END, interval).over(forwarded.len()));
        measured.languages.insert(bench, results);
    } else {
        let heading = heading(set, &results);
        let report = &mut measured.report;
        add_tables(report, &heading, &results, &rows);
        let sizes = costs::sizes_table(&shelf, &materials)?;
        report.add(format!("{heading}: what was stored and read"), costs::SIZES_NOTE, sizes);
        report.charts.push(report::charts(&heading, &rows, &bench));
    }
    measured.report.rows.extend(rows);
    measured.small_talk.add(library, &shelf, *kind, &materials).await?;
    shelf.close().await
}

fn evaluate(materials: &[Material<'_>]) -> Results {
    let mut results = Results::default();
    for material in materials {
        let conversation = material.conversation;
        let sizes = material.quoted_sizes();
        let questions = conversation.questions.iter().enumerate();
        for (index, question) in over(format!("ranking {}", conversation.name), questions) {
            let scores = rankings(material, index).into_iter().map(|(arm, variants)| {
                let scores = variants.iter().map(|ranking| measure(ranking, &question.evidence, &sizes));
                (arm, mean_of(&scores.collect::<Vec<_>>()))
            });
            let told_by = conversation.told_by(question).map(|role| format!("told by {role}"));
            let groups = std::iter::once(question.category.clone()).chain(told_by);
            results.add(groups.collect(), scores);
        }
    }
    results
}

/// Tables of every arm's measures, of its differences, and of the groups of questions.
fn add_tables(report: &mut Report, heading: &str, results: &Results, rows: &[Row]) {
    const METHOD: &str = "recall_all@k: the share of questions with every evidence turn among the first k of their conversation; \
        recall@k: the share of that; recall_any@k: with any. What is shipped comes out of the store and the product's own search; \
        other vectors and codes are compared one by one in memory.";
    const COVERAGE: &str =
        "The share of the evidence among the best turns that fit a budget of the model's tokens together.";
    const BY_PASSAGE: &str =
        "The same where turns of several passages are quoted by one of average length, for every arm alike.";
    let measures = [
        ("recall_all@", METHOD),
        ("recall@", ""),
        ("recall_any@", ""),
        ("ndcg@", ""),
        ("coverage@", COVERAGE),
        ("coverage_by_passage@", BY_PASSAGE),
        (costs::BYTES, costs::NOTE),
    ];
    for (measure, note) in measures {
        let shown = rows.iter().filter(|row| row.metric.starts_with(measure) && !report::is_difference(row));
        report.add(format!("{heading}: {}", measure.trim_end_matches('@')), note, table_of(shown));
    }
    report.add(format!("{heading}: recall_all@10 by kind of question"), "", report::group_table(results));
    let floor = "What is shipped minus the best single baseline: a vector, BM25 or MaxSim.";
    let differences = format!("Paired bootstrap over questions, {RESAMPLES} resamples, seed {SEED}.");
    for (title, note, is_floor) in [("the floor", floor, true), ("differences", &differences, false)] {
        let of_kind = |row: &&Row| report::is_difference(row) && (row.metric == report::FLOOR) == is_floor;
        report.add(format!("{heading}: {title}"), note, table_of(rows.iter().filter(of_kind)));
    }
}

/// Everything there is to develop with.
fn sets() -> Result<Vec<DataSet>, BenchError> {
    let (beam, languages) = (Some(locate::beam()).filter(|path| path.exists()), locate::languages());
    let languages = if languages.exists() { data::languages(&languages)? } else { Vec::new() };
    std::iter::once(locate::locomo()).chain(beam).chain(languages).map(|path| data::load(&path)).collect()
}

fn heading(set: &DataSet, results: &Results) -> String {
    let turns: usize = set.conversations.iter().map(|conversation| conversation.turns.len()).sum();
    let (kind, names, questions) = (set.kind.name(), names(&set.conversations).join(" + "), results.questions());
    format!("{kind}, {names}: {questions} questions over {turns} turns")
}

fn names(conversations: &[Conversation]) -> Vec<&str> {
    conversations.iter().map(|conversation| conversation.name.as_str()).collect()
}

/// Results of other conversations than those of the report never pass for them.
fn bench_name(set: &DataSet) -> String {
    if set.kind == Kind::Language {
        return set.name();
    }
    let names = names(&set.conversations);
    let names = if names == set.kind.reported() { "dev-report".to_owned() } else { names.join("+") };
    format!("{}-{names}", set.kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::conversation;

    #[test]
    fn other_conversations_have_another_name_in_the_results() {
        let name = |kind, names: &[&str]| {
            let conversations = names.iter().map(|name| conversation(name, &[])).collect();
            bench_name(&DataSet { kind, conversations })
        };
        assert_eq!(name(Kind::Locomo, &["conv-41", "conv-42"]), "locomo-dev-report");
        assert_eq!(name(Kind::Locomo, &["conv-26"]), "locomo-conv-26");
        assert_eq!(name(Kind::Language, &["de-102"]), "language-de");
    }
}
