//! `mainpoint-bench recall`: how often every evidence turn of a question is found.
//!
//! Question: does the product's memory find the turns that answer a question, and does each of its
//! parts earn its place? Method: the product's own engine reads LoCoMo session by session, the
//! product's own store keeps it, and every arm ranks all turns of the question's conversation.
//! Baseline: whole turns, mean-pooled, as everyone does. Heads and constants were chosen on other
//! conversations than the ones reported.

mod arms;
mod costs;
mod gathering;
mod kept;
mod rankings;
mod reading;
mod report;
mod results;
mod shelf;

use std::path::PathBuf;

use self::arms::SHIPPED;
use self::rankings::{Material, dense_arms, rankings};
use self::reading::Library;
use self::results::Results;
use crate::BenchError;
use crate::bootstrap::Resamples;
use crate::cache::{Cache, write_whole};
use crate::locomo::{self, Conversation};
use crate::metrics::{mean, measure};
use crate::progress::Progress;
use crate::reference;
use crate::report::{Report, Row, write_rows};

/// What to measure and where to put the results.
#[derive(Debug, Clone)]
pub struct RecallOptions {
    /// The LoCoMo file.
    pub data: PathBuf,
    /// Conversations to report on.
    pub conversations: Vec<String>,
    /// Conversations that heads and constants were chosen on; reporting on them is marked as no evidence.
    pub heads: Vec<String>,
    /// The reader's GGUF file.
    pub reader: PathBuf,
    /// The embedder's GGUF file.
    pub embedder: PathBuf,
    /// Directory for `recall.md` and `recall.jsonl`.
    pub out: PathBuf,
    /// Directory for readings that take long to make.
    pub cache: PathBuf,
}

/// Resamples of every bootstrap interval.
const RESAMPLES: usize = 10_000;
/// The seed that they are drawn from.
const SEED: u64 = 20_261_122;

/// Measures every arm, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine, store or files.
pub async fn run(options: &RecallOptions) -> Result<(), BenchError> {
    let conversations = chosen(locomo::load(&options.data)?, &options.conversations)?;
    let mut library = Library::open(&options.reader, &options.embedder, Cache::at(options.cache.clone()))?;
    let mut materials = gathering::read(&mut library, &conversations).await?;
    let shelf = gathering::store(&materials).await?;
    gathering::search(&mut library, &shelf, &mut materials).await?;
    drop(library);
    let results = evaluate(&materials);
    let resamples = Resamples::draw(results.questions(), RESAMPLES, SEED);
    let rows = report::rows(&results, &bench_name(&options.conversations), &resamples);
    let mut report = Report::default();
    let turns: usize = conversations.iter().map(|conversation| conversation.turns.len()).sum();
    add_tables(&mut report, &heading(options, &results, turns), &results, &rows);
    report.add(
        "Bytes stored",
        "On disk after compaction, and what the rows hold.",
        costs::sizes_table(&shelf, &materials)?,
    );
    report.add(
        "Reading",
        "Time of the passes when they were made (kept in the cache).",
        costs::speed_table(&materials),
    );
    shelf.close().await?;
    anstream::println!("{}", report.terminal());
    write(options, &mut report, &rows)?;
    say_verdict(&results);
    Ok(())
}

fn evaluate(materials: &[Material<'_>]) -> Results {
    let mut results = Results::default();
    for material in materials {
        let conversation = material.conversation;
        let dense = dense_arms(material);
        let tokens: Vec<usize> = material.reading(SHIPPED).map_or_else(Vec::new, |reading| {
            reading.turns.iter().map(|turn| turn.tokens).collect()
        });
        let mut progress = Progress::begin(format!("ranking {}", conversation.name), conversation.questions.len());
        for (index, question) in conversation.questions.iter().enumerate() {
            let Some(asking) = material.asking(index) else {
                continue;
            };
            let scores = rankings(&dense, &asking).into_iter().map(|(arm, variants)| {
                let scores = variants
                    .iter()
                    .map(|ranking| measure(ranking, &question.evidence, &tokens));
                (arm, mean(&scores.collect::<Vec<_>>()))
            });
            results.add(question.category, scores);
            progress.advance(1);
        }
    }
    results
}

fn add_tables(report: &mut Report, heading: &str, results: &Results, rows: &[Row]) {
    const METHOD: &str = "recall_all@k: the share of questions with every evidence turn among the first k of all turns of their \
        conversation. Rankings of BM25 and of the shipped main point come out of the store, the other vectors are ranked by \
        exact cosine in memory. `design` is the prototype's figure, `±` the difference to it.";
    report.add(heading, METHOD, report::recall_table(results));
    report.add("Fractional recall and nDCG", "", report::fraction_table(results));
    for category in 1..=4 {
        report.add(
            report::category_heading(results, category),
            "",
            report::category_table(results, category),
        );
    }
    let note = "The share of the evidence among the best turns that fit a budget of the reader's tokens together.";
    report.add("Evidence coverage", note, report::coverage_table(results));
    let note = format!("In points; paired bootstrap over questions, {RESAMPLES} resamples, seed {SEED}.");
    report.add("Differences", note, report::difference_table(rows));
}

fn heading(options: &RecallOptions, results: &Results, turns: usize) -> String {
    let names = options.conversations.join(" + ");
    let chosen_on: Vec<&str> = options
        .heads
        .iter()
        .filter(|name| options.conversations.contains(name))
        .map(String::as_str)
        .collect();
    let warning = if chosen_on.is_empty() {
        format!("heads chosen on {}", options.heads.join(" + "))
    } else {
        format!(
            "NO EVIDENCE: heads and constants were chosen on {}",
            chosen_on.join(" + ")
        )
    };
    format!(
        "recall_all on {names}, {} questions over {turns} turns ({warning})",
        results.questions()
    )
}

/// Results of other conversations never pass for those of the report.
fn bench_name(conversations: &[String]) -> String {
    if conversations == reference::CONVERSATIONS {
        "locomo-dev-report".to_owned()
    } else {
        format!("locomo-{}", conversations.join("+"))
    }
}

fn write(options: &RecallOptions, report: &mut Report, rows: &[Row]) -> Result<(), BenchError> {
    let markdown = options.out.join("recall.md");
    write_whole(&markdown, report.markdown("Recall on LoCoMo").as_bytes())?;
    let path = options.out.join("recall.jsonl");
    write_rows(&path, rows)?;
    anstream::println!("Written: {} and {}", markdown.display(), path.display());
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

fn chosen(mut all: Vec<Conversation>, names: &[String]) -> Result<Vec<Conversation>, BenchError> {
    let known = all
        .iter()
        .map(|conversation| conversation.name.clone())
        .collect::<Vec<_>>()
        .join(", ");
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
        }
    }

    #[test]
    fn conversations_come_in_the_order_asked_for() -> Result<(), BenchError> {
        let all = vec![conversation("a"), conversation("b"), conversation("c")];
        let found = chosen(all, &["c".to_owned(), "a".to_owned()])?;
        assert_eq!(
            found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(),
            ["c", "a"]
        );
        Ok(())
    }

    #[test]
    fn an_unknown_conversation_is_named_with_those_that_exist() {
        let error = chosen(vec![conversation("a"), conversation("b")], &["x".to_owned()]).err();
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some("--conversations x: the file has a, b")
        );
    }

    #[test]
    fn other_conversations_have_another_name_in_the_results() {
        assert_eq!(
            bench_name(&["conv-41".to_owned(), "conv-42".to_owned()]),
            "locomo-dev-report"
        );
        assert_eq!(bench_name(&["conv-26".to_owned()]), "locomo-conv-26");
    }
}
