//! `mainpoint topics`: what a memory is about, as a table.

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;
use comfy_table::Table;
use serde_json::Value;

use super::{Memory, MemoryArguments, shown};
use crate::cli::CliError;
use crate::memory::TopicsWanted;
use crate::terminal;

#[derive(Debug, Args)]
pub(in crate::cli) struct TopicsArguments {
    #[command(flatten)]
    memory: MemoryArguments,
    /// Most topics to show; without it as is usual for the memory's size, 30 at most. Those that hardly differ are one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    topics: Option<u16>,
    /// Most turns to show of each topic, those that are most typical of it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=20))]
    nearest: u16,
    /// Print JSON, as the API answers.
    #[arg(long)]
    json: bool,
}

/// Shows the topics of a memory.
pub(in crate::cli) async fn topics(arguments: TopicsArguments) -> Result<(), CliError> {
    let wanted = TopicsWanted { topics: arguments.topics.map(usize::from), nearest: usize::from(arguments.nearest) };
    let found = match arguments.memory.open().await? {
        Memory::Remote(memory) => memory.topics(wanted).await?,
        Memory::Local(memory) => memory.topics(wanted).await?,
    };
    let mut output = anstream::stdout();
    if arguments.json {
        writeln!(output, "{found:#}")?;
        return Ok(());
    }
    writeln!(output, "{}", terminal::lines(&table(&found)))?;
    if found["main_points_looked_at"] != found["main_points"] {
        writeln!(output, "{} of {} main points were looked at.", found["main_points_looked_at"], found["main_points"])?;
    }
    Ok(())
}

fn table(found: &Value) -> Table {
    let mut table = terminal::table(&["topic", "turns", "from", "to", "over time", "most typical"]);
    let topics = || found["data"].as_array().into_iter().flatten();
    let dates: BTreeSet<&str> = topics().flat_map(counts).map(|(from, _)| from).collect();
    let dates: Vec<&str> = dates.into_iter().collect();
    for topic in topics() {
        let words: Vec<&str> = list(&topic["words"]).filter_map(Value::as_str).collect();
        let nearest: Vec<String> = list(&topic["nearest"]).map(|turn| shown(&turn["main_point"])).collect();
        table.add_row([
            words.join(", "),
            topic["turns"].to_string(),
            day(&topic["first_time"]),
            day(&topic["last_time"]),
            bars(topic, &dates),
            nearest.join("\n"),
        ]);
    }
    table
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The first day of each count of a topic's timeline, and its turns.
fn counts(topic: &Value) -> impl Iterator<Item = (&str, u64)> {
    list(&topic["timeline"]).filter_map(|count| Some((count["from"].as_str()?, count["turns"].as_u64()?)))
}

fn day(time: &Value) -> String {
    time.as_str().and_then(|time| time.get(..DAY)).unwrap_or_default().to_owned()
}

/// Bytes of the day in a time.
const DAY: usize = 10;
/// Most bars beside each other.
const BARS: usize = 24;
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The turns of a topic over all days or months in which the memory has any, the earliest first, as bars; several of them share a bar
/// where there are many.
fn bars(topic: &Value, dates: &[&str]) -> String {
    let shared = dates.len().div_ceil(BARS).max(1);
    let mut bars = vec![0_u64; dates.len().div_ceil(shared)];
    for (from, turns) in counts(topic) {
        let place = dates.binary_search(&from).ok();
        if let Some(bar) = place.and_then(|place| bars.get_mut(place / shared)) {
            *bar += turns;
        }
    }
    let highest = bars.iter().copied().max().unwrap_or_default().max(1);
    let tallest = HEIGHTS.len() as u64 - 1;
    let height = |bar: u64| usize::try_from((bar * tallest).div_ceil(highest)).ok();
    bars.into_iter().filter_map(|bar| HEIGHTS.get(height(bar)?).copied()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn topic(counts: &[(&str, u64)]) -> Value {
        let counts: Vec<Value> = counts.iter().map(|(from, turns)| json!({"from": from, "turns": turns})).collect();
        json!({
            "words": ["heron", "pond"], "turns": 9, "first_time": "2026-05-08T13:56:00Z", "last_time": "2026-06-01T00:00:00Z",
            "timeline": counts, "nearest": [{"main_point": "the heron\n stands"}],
        })
    }

    #[test]
    fn a_topic_is_a_row_with_its_words_days_and_bars() {
        let found = json!({"data": [topic(&[("2026-05-08", 8), ("2026-06-01", 1)]), topic(&[("2026-05-20", 2)])]});
        let shown = table(&found).to_string();
        for part in ["heron, pond", "2026-05-08", "2026-06-01", "the heron stands", "█"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(bars(&found["data"][0], &["2026-05-08", "2026-05-20", "2026-06-01"]), "█ ▁");
    }

    proptest! {
        #[test]
        fn there_are_few_bars_and_the_highest_is_full(counts in prop::collection::btree_map("[0-9]{4}", 1..99_u64, 1..80)) {
            let pairs: Vec<(&str, u64)> = counts.iter().map(|(from, turns)| (from.as_str(), *turns)).collect();
            let dates: Vec<&str> = pairs.iter().map(|(from, _)| *from).collect();
            let bars = bars(&topic(&pairs), &dates);
            prop_assert!(bars.chars().count() <= BARS && bars.contains('█') && !bars.contains(' '));
        }
    }
}
