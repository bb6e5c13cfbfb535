//! `mainpoint-bench handles`: whether a proxy that is maintained all the time keeps opening files.
//!
//! Question: how many files does the proxy have open after an hour in which the store is maintained every second, beside how
//! many it had after a few minutes? Method: the built program runs with `store.maintenance_interval_seconds = 1` in front of
//! a scripted upstream; a client talks to it steadily, in conversations that outgrow their budget, so that every maintenance
//! finds rows to index and every request searches the indices; the entries of `/proc/PID/fd` are counted every few seconds.
//! Baseline: the same program in the second tenth of the run, when caches and connections have settled.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use mainpoint_tests::StartedProxy;

use crate::progress::bar;
use crate::report::{Report, rows_of, table};
use crate::running::{Client, program, talkative_upstream};
use crate::stats::as_float;
use crate::{BenchError, locate};

/// How long open files are counted.
#[derive(Debug, Clone, Args)]
pub struct HandlesOptions {
    /// Minutes of the run.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Directory for handles.md and handles.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

/// Open files of a process at a time after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    after: Duration,
    open: usize,
}

const EVERY: Duration = Duration::from_secs(2);
const BUDGET: u32 = 900;
/// So many files more than in the second tenth may be open in the last one: those that are open while they are read.
const SLACK: usize = 16;
/// So many turns make a conversation; it has outgrown the budget long before.
const TURNS: usize = 60;
/// A turn every so often, so that each second brings new rows.
const PACE: Duration = Duration::from_millis(500);
const NOTE: &str = "A client says something about twice a second, in conversations of 60 turns with a budget of 900 tokens; the \
    store is maintained every second. The most files that were open in each tenth of the run.";

/// Runs the program, counts, prints the course and writes the result files.
///
/// # Errors
/// Any failure of files; also a number of open files that grows.
pub async fn run(options: &HandlesOptions) -> Result<(), BenchError> {
    let upstream = talkative_upstream().await;
    let settings = [("store.maintenance_interval_seconds", "1"), ("memory.memory_tokens", "300")];
    let proxy = program(&upstream, BUDGET, settings).start().await;
    let length = Duration::from_secs(60 * u64::from(options.minutes));
    let mut counted = Vec::new();
    tokio::select! {
        () = count(&proxy, length, &mut counted) => {}
        () = talk(&proxy) => {}
    }
    proxy.stop().await;
    let tenth = counted.len() / 10;
    let most = |counts: &[Count]| counts.iter().map(|count| count.open).max();
    let early = counted.get(tenth..2 * tenth).and_then(most);
    let late = counted.get(counted.len() - tenth..).and_then(most);
    let (Some(early), Some(late)) = (early, late) else {
        return Err(BenchError::program("mainpoint", "its open files cannot be counted"));
    };
    let mut report = Report::default();
    let mut tenths = table(["minutes", "open files, at most"]);
    for counts in counted.chunks(tenth) {
        let minutes = counts.last().map_or(0.0, |last| last.after.as_secs_f64() / 60.0);
        tenths.add_row([format!("{minutes:.1}"), most(counts).unwrap_or(0).to_string()]);
    }
    report.add(format!("{} minutes", options.minutes), NOTE, tenths);
    let figures = [
        ("minutes", f64::from(options.minutes), "min"),
        ("open_first", as_float(counted[0].open), "files"),
        ("open_early_most", as_float(early), "files"),
        ("open_late_most", as_float(late), "files"),
    ];
    report.rows = rows_of("handles", "mainpoint", figures);
    report.publish(&options.out, "handles", "Open files under maintenance", "handles.jsonl")?;
    if late > early + SLACK {
        let grown = format!("its open files grow: {early} at the most at first, {late} in the end");
        return Err(BenchError::program("mainpoint", grown));
    }
    Ok(())
}

async fn count(proxy: &StartedProxy, length: Duration, counted: &mut Vec<Count>) {
    let started = Instant::now();
    let bar = bar("counting open files", (length.as_secs() / EVERY.as_secs()) as usize);
    while started.elapsed() < length {
        tokio::time::sleep(EVERY).await;
        if let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", proxy.process_id())) {
            let (after, open) = (started.elapsed(), open.count());
            counted.push(Count { after, open });
        }
        bar.inc(1);
    }
}

/// Talks without end, one conversation after the other.
async fn talk(proxy: &StartedProxy) {
    for conversation in 0_usize.. {
        let mut client = Client::new("m", "k", "You keep notes about birds.");
        for turn in 0..TURNS {
            client.say(proxy, &line(conversation, turn)).await;
            tokio::time::sleep(PACE).await;
        }
    }
}

/// What is said in a turn; no two are alike, and every third one asks about an earlier one.
fn line(conversation: usize, turn: usize) -> String {
    match turn % 3 {
        2 => format!("Where was heron{conversation}x{} seen, and what did it do there?", turn / 2),
        _ => format!(
            "On day {turn} of walk {conversation} heron{conversation}x{turn} stood by pond {} and caught {} fish before noon.",
            turn * 7 % 31,
            turn % 5 + 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_turns_are_alike() {
        let lines: HashSet<String> =
            (0..5).flat_map(|conversation| (0..TURNS).map(move |turn| line(conversation, turn))).collect();
        assert_eq!(lines.len(), 5 * TURNS);
    }
}
