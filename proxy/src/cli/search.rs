//! `mainpoint search`: asks the store a question, in the way in which the proxy recalls memories.
//!
//! It must not know how the store searches or how turns are compared; it asks the proxy's own recall and shows the turns, what
//! speaks for each, and whether the proxy would give any.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use mainpoint_engine::Engine;
use mainpoint_store::{Scope, Snapshot, Store, Within};
use serde_json::json;

use super::{CliError, ConfigOption};
use crate::config::{Config, MemoryConfig, Overrides};
use crate::error::{MemoryError, StartError};
use crate::memory::recall::sketching;
use crate::memory::small_talk::SmallTalk;
use crate::memory::{Findings, FoundTurn, Inquiry, one_line};
use crate::{app, models};

/// Characters of a turn that the table shows.
const EXCERPT: usize = 160;
/// Longest time to wait until the search finds what a proxy that has run for a while does.
const MOST_WAITING: Duration = Duration::from_secs(30);

/// How the command is used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  mainpoint search \"Where does she live?\"
  mainpoint search \"Where does she live?\" --data-dir /var/lib/mainpoint --json

A scope is one caller's memory: everything that was said with the same key. For each turn the table says its score, its place
among those that share words with the question, the similarity of its vector (cosine) and of its tokens (MaxSim). The last line
says whether the proxy would put these turns into a prompt.";

#[derive(Debug, Args)]
pub(super) struct SearchArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// The question, in one argument.
    #[arg(value_parser = with_words)]
    question: String,
    /// Whose memories to search; only needed if the store holds several scopes, which are listed then.
    #[arg(long)]
    scope: Option<String>,
    /// Most turns to show.
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Directory of the store, instead of the configuration's.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
    /// Print the turns as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: SearchArguments) -> Result<(), CliError> {
    let overrides = Overrides { data_dir: arguments.data_dir.clone(), ..Overrides::default() };
    let config = arguments.config.load(&overrides)?;
    ensure_store(&config)?;
    let paths = models::resolve(&config.models)?;
    let engine = app::engine(&config, &paths)?;
    let store = app::store(&config, &engine).await?;
    let outcome = search(&arguments, &config, &engine, &store).await;
    store.close().await?;
    let found = outcome?;
    if arguments.json {
        let described = match &found {
            Some(found) => found.describe(),
            None => json!({ "evidence": null, "results": [], "turns_waiting": 0 }),
        };
        writeln!(anstream::stdout(), "{described:#}")?;
    } else if let Some(found) = found {
        show(&found)?;
        if let Some(waiting) = super::waiting(found.turns_waiting as u64) {
            writeln!(anstream::stdout(), "{waiting}")?;
        }
    } else {
        writeln!(anstream::stdout(), "The store holds no memories yet.")?;
    }
    Ok(())
}

/// A question that asks something.
fn with_words(question: &str) -> Result<String, &'static str> {
    if question.trim().is_empty() { Err("expected a question of at least one word") } else { Ok(question.to_owned()) }
}

/// Searches; `None` where the store holds no memories yet and no scope was named.
async fn search(
    arguments: &SearchArguments,
    config: &Config,
    engine: &Engine,
    store: &Store,
) -> Result<Option<Findings>, CliError> {
    let Some(scope) = choose_scope(arguments.scope.as_deref(), store.scopes().await?)? else {
        return Ok(None);
    };
    let small_talk = SmallTalk::read(engine).await?;
    let inquiry = Inquiry { engine, store, config: &config.memory, small_talk: Some(&small_talk) };
    ask(&inquiry, &scope, arguments.question.clone(), arguments.limit).await.map(Some)
}

/// Asks a store that no proxy runs on, and finds what a proxy that has run for a while does.
///
/// # Errors
/// When the engine or the store fails.
pub(super) async fn ask(
    inquiry: &Inquiry<'_>,
    scope: &Scope,
    question: String,
    most: usize,
) -> Result<Findings, CliError> {
    let snapshot = inquiry.store.snapshot(scope, &Within::Scope).await?;
    prepare(&question, inquiry.config, inquiry.engine, snapshot).await.map_err(CliError::Search)?;
    inquiry.ask(scope, question, most).await.map_err(CliError::Search)
}

/// Waits for what a search of a large scope looks at in memory, which a proxy loads once for all its questions.
async fn prepare(
    question: &str,
    config: &MemoryConfig,
    engine: &Engine,
    snapshot: Snapshot<'_>,
) -> Result<(), MemoryError> {
    if snapshot.all_rows(config.scan_passages).await?.is_none() {
        let form = engine.question(question).await?.codes.sketch_form();
        sketching::all_loaded(&snapshot, form, MOST_WAITING).await;
    }
    Ok(())
}

/// Makes sure that there is a store, so that asking for what it holds does not make one.
pub(super) fn ensure_store(config: &Config) -> Result<(), CliError> {
    let directory = &config.store.directory;
    match Store::is_there(directory).map_err(|source| StartError::Store { source })? {
        true => Ok(()),
        false => Err(CliError::NoStore { directory: directory.clone() }),
    }
}

/// The scope of this name, or without a name the only one; `None` without a name where there is none at all.
pub(super) fn choose_scope(named: Option<&str>, mut scopes: Vec<Scope>) -> Result<Option<Scope>, CliError> {
    match (named, scopes.len()) {
        (Some(name), _) => named_scope(name, scopes).map(Some),
        (None, 0 | 1) => Ok(scopes.pop()),
        (None, count) => Err(CliError::Argument(format!(
            "the store holds {count} scopes; choose one with --scope: {}",
            list(&scopes)
        ))),
    }
}

/// The scope of this name.
pub(super) fn named_scope(name: &str, scopes: Vec<Scope>) -> Result<Scope, CliError> {
    let known = if scopes.is_empty() { "no memories yet".to_owned() } else { list(&scopes) };
    let unknown = || CliError::Argument(format!("--scope {name}: the store does not have this scope; it has: {known}"));
    scopes.into_iter().find(|scope| scope.as_str() == name).ok_or_else(unknown)
}

fn list(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(", ")
}

fn show(found: &Findings) -> Result<(), CliError> {
    let mut output = anstream::stdout();
    if found.turns.is_empty() {
        writeln!(output, "Nothing was found.")?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["score", "words", "cosine", "MaxSim", "date", "role", "turn"]);
    for found in &found.turns {
        table.add_row([
            format!("{:.2}", found.score),
            found.reasons.lexical.map_or_else(String::new, |place| format!("{}.", place + 1)),
            two_digits(found.reasons.cosine),
            two_digits(found.reasons.max_sim),
            found.turn.time.format("%Y-%m-%d %H:%M UTC").to_string(),
            found.turn.role.clone(),
            excerpt(found),
        ]);
    }
    writeln!(output, "{table}")?;
    let would = if found.are_recalled() { "recalls these" } else { "recalls nothing" };
    writeln!(
        output,
        "Best MaxSim {} (memory.least_match is {:.2}), best cosine {}, of small talk {}: the proxy {would}.",
        two_digits(found.evidence.max_sim),
        found.floor.least_match,
        two_digits(found.evidence.cosine),
        two_digits(found.evidence.small_talk),
    )?;
    Ok(())
}

fn two_digits(number: Option<f32>) -> String {
    number.map_or_else(String::new, |number| format!("{number:.2}"))
}

/// The turn's words where they are kept, else its main point, cut to what a table can show.
fn excerpt(found: &FoundTurn) -> String {
    let whole = if found.turn.text.is_empty() { found.main_point.join(" … ") } else { found.turn.text.clone() };
    one_line(&whole, EXCERPT)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn the_only_scope_needs_no_name_and_a_name_must_be_one_that_is_there() {
        let scopes = |names: &[&str]| names.iter().map(|name| Scope::new(*name).unwrap()).collect::<Vec<_>>();
        assert_eq!(choose_scope(None, scopes(&["a"])).unwrap(), Some(Scope::new("a").unwrap()));
        assert_eq!(choose_scope(None, scopes(&[])).unwrap(), None);
        assert_eq!(choose_scope(Some("b"), scopes(&["a", "b"])).unwrap(), Some(Scope::new("b").unwrap()));
        for (named, known, said) in [
            (Some("b"), &["a"][..], "it has: a"),
            (Some("b"), &[][..], "it has: no memories yet"),
            (None, &["a", "b"][..], "a, b"),
        ] {
            let error = choose_scope(named, scopes(known)).unwrap_err();
            assert_eq!(error.exit_status().code(), 64);
            assert!(error.to_string().ends_with(said), "{error}");
        }
    }

    #[test]
    fn a_question_has_at_least_one_word() {
        assert!(with_words("").is_err() && with_words(" \n\u{3000}").is_err());
        assert_eq!(with_words(" where? ").as_deref(), Ok(" where? "));
    }
}
