//! `mainpoint-bench recall`: how often every evidence turn of a question is found.
//!
//! Question: does the product's memory find the turns that answer a question, in every language, does each of its parts earn
//! its place, and is it silent where nothing bears on what is said? Method: the product's own engine reads recorded
//! conversations, every token once; the product's own store keeps their main points, its own search finds the candidates, and
//! every arm ranks all turns of the question's conversation. Baselines: mean vectors of main points, of all tokens and of the
//! first passage, BM25, the fusion of both, MaxSim over all tokens, and over as many tokens chosen in other ways.
//! Weights and constants were chosen on other conversations than the ones reported.

mod arms;
mod choosing;
mod costs;
mod end_to_end;
mod floor;
mod kept;
mod languages;
pub(crate) mod library;
mod material;
mod picture;
mod rankings;
mod report;
mod results;
mod shelf;
mod small_talk;
mod weights;

use std::path::PathBuf;

pub use self::weights::learn as learn_weights;

use self::costs::Stored;
use self::languages::Languages;
use self::library::Library;
use self::material::{Extent, Material, gather};
use self::picture::Pictured;
use self::rankings::rankings;
use self::results::Results;
use self::small_talk::SmallTalk;
use crate::BenchError;
use crate::bootstrap::Resamples;
use crate::cache::{Cache, write_whole};
use crate::metrics::{mean, measure};
use crate::product::Product;
use crate::progress::Progress;
use crate::recorded::{self, Conversation, Kind};
use crate::report::{Report, Row, write_rows};

/// What to measure and where to put the results.
#[derive(Debug, Clone)]
pub struct RecallOptions {
    /// The data sets.
    pub sets: Vec<DataSet>,
    /// Conversations that weights were chosen on; reporting on them is marked as no evidence.
    pub learned_on: Vec<String>,
    /// The product's settings.
    pub product: Product,
    /// The `mainpoint` program, which languages are sent through.
    pub program: PathBuf,
    /// Directory for `recall.md`, `recall.jsonl` and `recall.svg`.
    pub out: PathBuf,
    /// Directory for readings that take long to make.
    pub cache: PathBuf,
}

/// Conversations of one file or directory.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// A LoCoMo or LongMemEval file, or a directory of BEAM chats or of one language.
    pub path: PathBuf,
    /// Conversations to report on; all that nothing was chosen on if there is none.
    pub conversations: Vec<String>,
}

/// Conversations that weights and constants were chosen on; the languages were, too, and are reported on nevertheless, since
/// there are no others.
pub const CHOSEN_ON: [&str; 4] = ["conv-26", "conv-30", "beam-1", "beam-3"];

/// Resamples of every bootstrap interval.
const RESAMPLES: usize = 10_000;
/// The seed that they are drawn from.
const SEED: u64 = 20_261_122;

/// Everything that comes of the data sets, one after the other.
#[derive(Default)]
struct Measured {
    report: Report,
    rows: Vec<Row>,
    pictured: Vec<Pictured>,
    languages: Languages,
    small_talk: SmallTalk,
}

/// Measures every arm on every data set, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine, store, program or files.
pub async fn run(options: &RecallOptions) -> Result<(), BenchError> {
    let library = Library::open(&options.product, Cache::at(options.cache.clone())).await?;
    let mut measured = Measured::default();
    let mut loaded = Vec::with_capacity(options.sets.len());
    for set in &options.sets {
        let (kind, all) = recorded::load(&set.path)?;
        loaded.push((kind, chosen(all, &set.conversations, &options.learned_on)?));
    }
    measured.small_talk.languages(&loaded);
    for (kind, conversations) in &loaded {
        measure_set((options, &library), (*kind, conversations), &mut measured).await?;
    }
    measured.conclude();
    anstream::println!("{}", measured.report.terminal());
    write(options, &mut measured)
}

async fn measure_set(
    (options, library): (&RecallOptions, &Library),
    (kind, conversations): (Kind, &[Conversation]),
    measured: &mut Measured,
) -> Result<(), BenchError> {
    let (materials, shelf) = gather(library, conversations, Extent::EveryArm).await?;
    let results = evaluate(&materials);
    let resamples = Resamples::draw(results.questions(), RESAMPLES, SEED);
    let bench = bench_name(kind, conversations);
    let mut rows = report::rows(&results, &bench, &resamples);
    if kind == Kind::LongMemory {
        // Nothing is known about what sessions cost to quote.
        rows.retain(|row| !row.metric.starts_with("coverage"));
    }
    rows.extend(floor::rows(&floor::floors(&results), &bench));
    let stored = Stored::of(&shelf, &materials)?;
    rows.extend(stored.rows(&bench, &rows));
    if kind == Kind::Language {
        let forwarded = end_to_end::play((&options.program, &options.product), conversations).await?;
        rows.push(forwarded.row(&bench, &resamples));
        measured.languages.add(conversations, (results, forwarded));
    } else {
        let heading = heading(options, (kind, conversations), &results);
        let report = &mut measured.report;
        add_tables(report, (kind, &heading), &results, &rows);
        report.add(
            format!("{heading}: what was stored and read"),
            costs::SIZES_NOTE,
            costs::sizes_table(&shelf, &materials)?,
        );
        report.add(
            format!("{heading}: bytes that each arm needs"),
            costs::NOTE,
            stored.table(&rows),
        );
        measured.pictured.push(Pictured {
            heading,
            rows: rows.clone(),
        });
    }
    measured.rows.extend(rows);
    measured.small_talk.add(library, &shelf, (kind, &materials)).await?;
    shelf.close().await
}

impl Measured {
    /// Adds what all data sets together say.
    fn conclude(&mut self) {
        self.languages.conclude(&mut self.report, &mut self.rows);
        self.small_talk.conclude(&mut self.report, &mut self.rows);
    }
}

fn evaluate(materials: &[Material<'_>]) -> Results {
    let mut results = Results::default();
    for material in materials {
        let conversation = material.conversation;
        let sizes = material.quoted_sizes();
        let mut progress = Progress::begin(format!("ranking {}", conversation.name), conversation.questions.len());
        for (index, question) in conversation.questions.iter().enumerate() {
            let scores = rankings(material, index).into_iter().map(|(arm, variants)| {
                let scores = variants
                    .iter()
                    .map(|ranking| measure(&conversation.judged(ranking), &question.evidence, &sizes));
                (arm, mean(&scores.collect::<Vec<_>>()))
            });
            let told_by = conversation.told_by(question).map(|role| format!("told by {role}"));
            let groups = std::iter::once(question.category.clone()).chain(told_by);
            results.add(groups.collect(), scores);
            progress.advance(1);
        }
    }
    results
}

fn add_tables(report: &mut Report, (kind, heading): (Kind, &str), results: &Results, rows: &[Row]) {
    const METHOD: &str = "recall_all@k: the share of questions with every evidence turn (in LongMemEval: session) among the first \
        k of their conversation. What is shipped comes out of the store and the product's own search; other vectors and codes are \
        compared one by one in memory.";
    report.add(heading, METHOD, report::recall_table(results));
    report.add(
        format!("{heading}: recall_all@1 and @3, fractional recall and nDCG"),
        "",
        report::fraction_table(results),
    );
    report.add(
        format!("{heading}: recall_all@10 by kind of question"),
        "",
        report::group_table(results),
    );
    let note = "Whether what is shipped falls significantly below the best single baseline: a vector, BM25 or MaxSim.";
    report.add(
        format!("{heading}: the floor"),
        note,
        floor::table(&floor::floors(results)),
    );
    if kind == Kind::Locomo {
        let note = "The share of the evidence among the best turns that fit a budget of the model's tokens together: whole \
            turns, and turns of several passages quoted by one passage of average length, for every arm alike.";
        report.add(
            format!("{heading}: evidence coverage"),
            note,
            report::coverage_table(results),
        );
    }
    let note = format!("In points; paired bootstrap over questions, {RESAMPLES} resamples, seed {SEED}.");
    report.add(format!("{heading}: differences"), note, report::difference_table(rows));
}

fn heading(options: &RecallOptions, (kind, conversations): (Kind, &[Conversation]), results: &Results) -> String {
    let names: Vec<&str> = conversations
        .iter()
        .map(|conversation| conversation.name.as_str())
        .collect();
    let turns: usize = conversations.iter().map(|conversation| conversation.turns.len()).sum();
    let chosen_on: Vec<&str> = names
        .iter()
        .filter(|name| options.learned_on.iter().any(|known| known == *name))
        .copied()
        .collect();
    let warning = if chosen_on.is_empty() {
        String::new()
    } else {
        format!(" (NO EVIDENCE: weights were chosen on {})", chosen_on.join(" + "))
    };
    format!(
        "{}, {}: {} questions over {turns} turns{warning}",
        kind.name(),
        names.join(" + "),
        results.questions()
    )
}

/// Results of other conversations than those of the report never pass for them.
fn bench_name(kind: Kind, conversations: &[Conversation]) -> String {
    let names: Vec<&str> = conversations
        .iter()
        .map(|conversation| conversation.name.as_str())
        .collect();
    let is_report = match kind {
        Kind::Language => return format!("language-{}", conversations.first().map_or("", Conversation::language)),
        Kind::Locomo => names == LOCOMO_REPORT,
        Kind::Beam => names == BEAM_REPORT,
        Kind::LongMemory => names == LONG_MEMORY_REPORT,
    };
    if is_report {
        format!("{}-dev-report", kind.name())
    } else {
        format!("{}-{}", kind.name(), names.join("+"))
    }
}

/// The LoCoMo conversations of the report.
pub const LOCOMO_REPORT: [&str; 2] = ["conv-41", "conv-42"];
const BEAM_REPORT: [&str; 4] = ["beam-4", "beam-5", "beam-6", "beam-7"];
const LONG_MEMORY_REPORT: [&str; 3] = ["852ce960", "ba358f49", "6a1eabeb"];

fn write(options: &RecallOptions, measured: &mut Measured) -> Result<(), BenchError> {
    let [markdown, rows, picture] = ["recall.md", "recall.jsonl", "recall.svg"].map(|name| options.out.join(name));
    let text = format!("{}![Recall](recall.svg)\n", measured.report.markdown("Recall"));
    write_whole(&markdown, text.as_bytes())?;
    write_rows(&rows, &measured.rows)?;
    write_whole(&picture, picture::draw(&measured.pictured).as_bytes())?;
    anstream::println!(
        "Written: {}, {} and {}",
        markdown.display(),
        rows.display(),
        picture.display()
    );
    Ok(())
}

/// The conversations of these names, in their order; without names, all but those that something was chosen on.
fn chosen(mut all: Vec<Conversation>, names: &[String], apart: &[String]) -> Result<Vec<Conversation>, BenchError> {
    if names.is_empty() {
        all.retain(|conversation| !apart.contains(&conversation.name));
        return Ok(all);
    }
    let known: Vec<&str> = all.iter().map(|conversation| conversation.name.as_str()).collect();
    let known = known.join(", ");
    let mut chosen = Vec::with_capacity(names.len());
    for name in names {
        let at = all.iter().position(|conversation| conversation.name == *name);
        let at = at.ok_or_else(|| BenchError::Conversation {
            name: name.clone(),
            known: known.clone(),
        })?;
        chosen.push(all.swap_remove(at));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::Unit;

    fn conversation(name: &str) -> Conversation {
        Conversation {
            name: name.to_owned(),
            sessions: Vec::new(),
            turns: Vec::new(),
            questions: Vec::new(),
            unanswerable: Vec::new(),
            unit: Unit::Turn,
        }
    }

    #[test]
    fn conversations_come_in_the_order_asked_for() -> Result<(), BenchError> {
        let all = vec![conversation("a"), conversation("b"), conversation("c")];
        let found = chosen(all, &["c".to_owned(), "a".to_owned()], &[])?;
        assert_eq!(
            found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(),
            ["c", "a"]
        );
        Ok(())
    }

    #[test]
    fn an_unknown_conversation_is_named_with_those_that_exist() {
        let error = chosen(vec![conversation("a"), conversation("b")], &["x".to_owned()], &[]).err();
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some("--conversations x: the file has a, b")
        );
    }

    #[test]
    fn without_names_all_are_reported_on_that_nothing_was_chosen_on() -> Result<(), BenchError> {
        let found = chosen(vec![conversation("a"), conversation("b")], &[], &["a".to_owned()])?;
        assert_eq!(found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["b"]);
        Ok(())
    }

    #[test]
    fn other_conversations_have_another_name_in_the_results() {
        let name = |names: &[&str]| {
            let conversations: Vec<Conversation> = names.iter().map(|name| conversation(name)).collect();
            bench_name(Kind::Locomo, &conversations)
        };
        assert_eq!(name(&["conv-41", "conv-42"]), "locomo-dev-report");
        assert_eq!(name(&["conv-26"]), "locomo-conv-26");
        assert_eq!(bench_name(Kind::Language, &[conversation("de-102")]), "language-de");
    }
}
