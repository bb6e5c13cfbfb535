//! `mainpoint search`: asks a memory a question, through a running proxy or in the way in which the proxy recalls memories.

use std::io::Write;

use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::Table;
use serde_json::{Value, json};

use super::CliError;
use super::memories::{Memory, MemoryArguments};
use crate::mcp::Ask;
use crate::memory::one_line;
use crate::terminal::{self, IdPlace};

/// Characters of a turn that the table shows.
const EXCERPT: usize = 160;

/// How the command is used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  mainpoint search \"Where does she live?\"
  mainpoint search \"Where does she live?\" --data-dir /var/lib/mainpoint --json
  MY_KEY=sk-… mainpoint search \"Where does she live?\" --url http://127.0.0.1:8787 --key-env MY_KEY --header 'x-mainpoint-user: ann'

With --url a running proxy is asked, and without an address that of server.listen. Without --url the store is opened, which a running
proxy does not allow. A scope is one caller's memory: everything that was said with the same key. For each turn the table says its
score, its place among those that share words with the question, the similarity of its vector (cosine) and of its tokens (MaxSim),
and its id, as `mainpoint forget --turn` takes it. The last line says whether the proxy would put these turns into a prompt.";

#[derive(Debug, Args)]
pub(super) struct SearchArguments {
    /// The question, in one argument.
    #[arg(value_parser = with_words)]
    question: String,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Most turns to show; a running proxy gives 100 at most.
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Print the turns as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: SearchArguments) -> Result<(), CliError> {
    let SearchArguments { question, memory, limit, json } = arguments;
    let found = match memory.find(&memory.configuration()?).await? {
        None => None,
        Some(Memory::Remote(memory)) => Some(memory.answer(&Ask::Search { question, limit }).await?),
        Some(Memory::Local(memory)) => Some(memory.found(question, limit).await?),
    };
    let mut output = anstream::stdout();
    match found {
        found if json => {
            let nothing = || json!({ "evidence": null, "results": [], "turns_waiting": 0 });
            writeln!(output, "{:#}", found.unwrap_or_else(nothing))?;
        }
        Some(found) => {
            show(&found)?;
            if let Some(waiting) = super::waiting(found["turns_waiting"].as_u64().unwrap_or_default()) {
                writeln!(output, "{waiting}")?;
            }
        }
        None => writeln!(output, "The store holds no memories yet.")?,
    }
    Ok(())
}

/// A question that asks something.
fn with_words(question: &str) -> Result<String, &'static str> {
    if question.trim().is_empty() { Err("expected a question of at least one word") } else { Ok(question.to_owned()) }
}

/// Shows what was found, as the API describes it.
fn show(found: &Value) -> Result<(), CliError> {
    let mut output = anstream::stdout();
    let turns = found["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    if turns.is_empty() {
        writeln!(output, "Nothing was found.")?;
        return Ok(());
    }
    writeln!(output, "{}", terminal::lines(&table(turns, IdPlace::of_standard_output())))?;
    let evidence = &found["evidence"];
    let would = if evidence["is_enough"] == true { "recalls these" } else { "recalls nothing" };
    writeln!(
        output,
        "Best MaxSim {} (memory.least_match is {}), best cosine {}, of small talk {}: the proxy {would}.",
        two_digits(&evidence["max_sim"]),
        two_digits(&evidence["least_match"]),
        two_digits(&evidence["cosine"]),
        two_digits(&evidence["small_talk"]),
    )?;
    Ok(())
}

fn table(turns: &[Value], ids: IdPlace) -> Table {
    let last: &[&str] = match ids {
        IdPlace::Column => &["id of the turn", "turn"],
        IdPlace::BelowText => &["turn and its id"],
    };
    let header = [&["score", "place by words", "cosine", "MaxSim", "date", "role"], last].concat();
    let mut table = terminal::table(&header);
    for turn in turns {
        let mut row = vec![
            two_digits(&turn["score"]),
            turn["words"].as_u64().map_or_else(String::new, |place| format!("{place}.")),
            two_digits(&turn["cosine"]),
            two_digits(&turn["max_sim"]),
            minute(&turn["time"]),
            turn["role"].as_str().unwrap_or_default().to_owned(),
        ];
        let id = turn["turn"].as_str().unwrap_or_default();
        match ids {
            IdPlace::Column => row.extend([id.to_owned(), excerpt(turn)]),
            IdPlace::BelowText => row.push(format!("{}\n{id}", excerpt(turn))),
        }
        table.add_row(row);
    }
    terminal::keep_ids_whole(&mut table, ID_COLUMN);
    table
}

/// The column with the ids, counted from 0.
const ID_COLUMN: usize = 6;

fn two_digits(number: &Value) -> String {
    number.as_f64().map_or_else(String::new, |number| format!("{number:.2}"))
}

fn minute(time: &Value) -> String {
    let time = time.as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
    time.map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// The turn's words where they are kept, else its main point, cut to what a table can show.
fn excerpt(turn: &Value) -> String {
    let words = turn["text"].as_str().unwrap_or_default();
    if !words.is_empty() {
        return one_line(words, EXCERPT);
    }
    let main_point: Vec<&str> = turn["main_point"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    one_line(&main_point.join(" … "), EXCERPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_turn_by_its_whole_id_and_says_what_its_place_is_by() {
        let id = "0123456789abcdef0123456789abcdef";
        let turns =
            [json!({"turn": id, "score": 0.5, "words": 2, "role": "user", "text": "The heron stands in the pond."})];
        for (ids, width) in [(IdPlace::Column, 120), (IdPlace::BelowText, 80)] {
            let mut table = table(&turns, ids);
            table.set_width(width);
            let shown = table.to_string();
            assert!(shown.contains(id) && shown.contains("2.") && shown.contains("heron"), "{shown}");
            table.set_width(300);
            assert!(table.to_string().contains("place by words"), "{table}");
        }
    }

    #[test]
    fn a_question_has_at_least_one_word() {
        assert!(with_words("").is_err() && with_words(" \n\u{3000}").is_err());
        assert_eq!(with_words(" where? ").as_deref(), Ok(" where? "));
    }
}
