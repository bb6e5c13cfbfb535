//! `mainpoint-bench recall`: how often every evidence turn of a question is found.
//!
//! Question: does the product's memory find the turns that answer a question, and does each of its
//! parts earn its place? Method: the product's own engine reads recorded conversations session by
//! session, the product's own store keeps them, and every arm ranks all turns of the question's
//! conversation. Baselines: whole turns, mean-pooled, whole and in passages; BM25; their fusion.
//! Heads, weights and constants were chosen on other conversations than the ones reported.

mod abstention;
pub(crate) mod arms;
mod costs;
mod gathering;
mod kept;
mod picture;
mod rankings;
pub(crate) mod reading;
mod report;
mod reranking;
mod results;
mod shelf;
mod shorter_keys;
mod stages;
mod weights;

use std::path::PathBuf;

pub use self::weights::learn as learn_weights;

use self::arms::{SHIPPED, plans};
use self::costs::Stored;
use self::picture::Pictured;
use self::rankings::{Material, dense_arms, rankings};
use self::reading::Library;
use self::results::Results;
use crate::BenchError;
use crate::bootstrap::Resamples;
use crate::cache::{Cache, write_whole};
use crate::metrics::{Size, mean, measure};
use crate::progress::Progress;
use crate::recorded::{self, Conversation, Kind, Unit};
use crate::reference;
use crate::report::{Report, Row, write_rows};

/// What to measure and where to put the results.
#[derive(Debug, Clone)]
pub struct RecallOptions {
    /// The data sets.
    pub sets: Vec<DataSet>,
    /// Conversations that heads and weights were chosen on; reporting on them is marked as no evidence.
    pub heads: Vec<String>,
    /// The reader's GGUF file.
    pub reader: PathBuf,
    /// The embedder's GGUF file.
    pub embedder: PathBuf,
    /// Directory for `recall.md`, `recall.jsonl` and `recall.svg`.
    pub out: PathBuf,
    /// Directory for readings that take long to make.
    pub cache: PathBuf,
}

/// Conversations of one file or directory.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// A LoCoMo or LongMemEval file, or a directory of BEAM chats.
    pub path: PathBuf,
    /// Conversations to report on; all that nothing was chosen on if there is none.
    pub conversations: Vec<String>,
}

/// Conversations that heads, weights and constants were chosen on.
pub const CHOSEN_ON: [&str; 4] = ["conv-26", "conv-30", "beam-1", "beam-3"];

/// Resamples of every bootstrap interval.
const RESAMPLES: usize = 10_000;
/// The seed that they are drawn from.
const SEED: u64 = 20_261_122;

/// Measures every arm on every data set, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine, store or files.
pub async fn run(options: &RecallOptions) -> Result<(), BenchError> {
    let (mut report, mut measured) = (Report::default(), Vec::new());
    for set in &options.sets {
        let (kind, all) = recorded::load(&set.path)?;
        let apart = all.iter().filter(|one| options.heads.contains(&one.name));
        let mut apart: Vec<Conversation> = apart.cloned().collect();
        let conversations = chosen(all, &set.conversations, &options.heads)?;
        apart.retain(|one| !conversations.contains(one));
        measured.push(measure_set(options, (kind, &conversations, &apart), &mut report).await?);
    }
    anstream::println!("{}", report.terminal());
    write(options, &mut report, &measured)
}

async fn measure_set(
    options: &RecallOptions,
    (kind, conversations, apart): (Kind, &[Conversation], &[Conversation]),
    report: &mut Report,
) -> Result<Pictured, BenchError> {
    let cache = Cache::at(options.cache.clone());
    let mut library = Library::open(&options.reader, &options.embedder, cache)?;
    let plans = plans(kind, library.reader_sha256());
    let mut materials = gathering::read(&mut library, conversations, &plans).await?;
    let shelf = gathering::store(&library, &materials).await?;
    gathering::search(&mut library, &shelf, &mut materials).await?;
    gathering::rerank(&mut library, &mut materials).await?;
    let results = evaluate(&materials);
    let resamples = Resamples::draw(results.questions(), RESAMPLES, SEED);
    let bench = bench_name(kind, conversations);
    let mut rows = report::rows(&results, &bench, &resamples);
    if kind == Kind::LongMemory {
        // Nothing is known about what sessions cost to quote.
        rows.retain(|row| !row.metric.starts_with("coverage"));
    }
    let heading = heading(options, (kind, conversations), &results);
    add_tables(report, (kind, &heading), &results, &rows);
    let stored = Stored::of((&library, &shelf), &materials)?;
    report.add(
        format!("{heading}: bytes stored"),
        "On disk after compaction, and what the rows hold.",
        costs::sizes_table(&shelf, &materials, &stored)?,
    );
    report.add(
        format!("{heading}: bytes that each arm needs"),
        costs::NOTE,
        stored.table(&rows),
    );
    rows.extend(stored.rows(&bench, &rows));
    if kind == Kind::Locomo {
        let shorter = shorter_keys::measure(&mut library, &materials, apart).await?;
        let table = shorter.table(&resamples);
        report.add(format!("{heading}: shorter keys"), shorter_keys::NOTE, table);
        rows.extend(shorter.rows(&bench, &resamples));
    }
    report.add(
        format!("{heading}: reading"),
        "Time of the passes when they were made (kept in the cache).",
        costs::speed_table(&materials),
    );
    let timed = stages::time(&mut library, &materials).await?;
    rows.extend(timed.rows(&bench));
    report.add(
        format!("{heading}: added milliseconds per question"),
        stages::NOTE,
        timed.table(),
    );
    if kind == Kind::Locomo {
        let added = abstention::add(&mut library, &materials, (report, &heading, &bench)).await?;
        rows.extend(added);
    }
    shelf.close().await?;
    if kind == Kind::Locomo {
        say_verdict(&results);
    }
    Ok(Pictured { heading, rows })
}

fn evaluate(materials: &[Material<'_>]) -> Results {
    let mut results = Results::default();
    for material in materials {
        let conversation = material.conversation;
        let dense = dense_arms(material);
        let sizes = sizes(material);
        let mut progress = Progress::begin(format!("ranking {}", conversation.name), conversation.questions.len());
        for (index, question) in conversation.questions.iter().enumerate() {
            let Some(asking) = material.asking(index) else {
                continue;
            };
            let scores = rankings(&dense, &asking).into_iter().map(|(arm, variants)| {
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

/// What quoting each turn costs; nothing is known about sessions.
fn sizes(material: &Material<'_>) -> Vec<Size> {
    if material.conversation.unit == Unit::Session {
        return Vec::new();
    }
    let turns = material.reading(SHIPPED).into_iter().flat_map(|reading| &reading.turns);
    turns
        .map(|turn| Size {
            whole: turn.tokens,
            passage: turn.tokens / turn.passages.len().max(1),
        })
        .collect()
}

fn add_tables(report: &mut Report, (kind, heading): (Kind, &str), results: &Results, rows: &[Row]) {
    const METHOD: &str = "recall_all@k: the share of questions with every evidence turn (in LongMemEval: session) among the first \
        k of their conversation. Rankings of BM25 and of the shipped main point come out of the store, the other vectors are \
        ranked by exact cosine in memory. `design` is the prototype's figure on conv-41 and conv-42, `±` the difference to it.";
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
    let note = "Whether what is shipped falls significantly below the best of whole turn, truncated turn and BM25.";
    report.add(format!("{heading}: the floor"), note, report::floor_table(results));
    if kind == Kind::Locomo {
        let note = "The share of the evidence among the best turns that fit a budget of the reader's tokens together: whole \
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
        .filter(|name| options.heads.iter().any(|head| head == *name))
        .copied()
        .collect();
    let warning = if chosen_on.is_empty() {
        String::new()
    } else {
        format!(
            " (NO EVIDENCE: heads and weights were chosen on {})",
            chosen_on.join(" + ")
        )
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
        Kind::Locomo => names == reference::CONVERSATIONS,
        Kind::Beam => names == BEAM_REPORT,
        Kind::LongMemory => names == LONG_MEMORY_REPORT,
    };
    if is_report {
        format!("{}-dev-report", kind.name())
    } else {
        format!("{}-{}", kind.name(), names.join("+"))
    }
}

const BEAM_REPORT: [&str; 4] = ["beam-4", "beam-5", "beam-6", "beam-7"];
const LONG_MEMORY_REPORT: [&str; 3] = ["852ce960", "ba358f49", "6a1eabeb"];

fn write(options: &RecallOptions, report: &mut Report, measured: &[Pictured]) -> Result<(), BenchError> {
    let [markdown, rows, picture] = ["recall.md", "recall.jsonl", "recall.svg"].map(|name| options.out.join(name));
    let text = format!("{}![Recall](recall.svg)\n", report.markdown("Recall"));
    write_whole(&markdown, text.as_bytes())?;
    let all: Vec<Row> = measured.iter().flat_map(|set| set.rows.iter().cloned()).collect();
    write_rows(&rows, &all)?;
    write_whole(&picture, picture::draw(measured).as_bytes())?;
    anstream::println!(
        "Written: {}, {} and {}",
        markdown.display(),
        rows.display(),
        picture.display()
    );
    Ok(())
}

fn say_verdict(results: &Results) {
    let short = report::shortfalls(results);
    if short.is_empty() {
        anstream::println!("Every arm is within 2 points of the design's figures at @5, @10 and @20, or better.");
    } else {
        anstream::println!(
            "More than 2 points below the design's figures at @5, @10 or @20: {}.",
            short.join("; ")
        );
    }
}

/// The conversations of these names, in their order; without names, all but those that something was chosen on.
fn chosen(mut all: Vec<Conversation>, names: &[String], heads: &[String]) -> Result<Vec<Conversation>, BenchError> {
    if names.is_empty() {
        all.retain(|conversation| !heads.contains(&conversation.name));
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
    }
}
