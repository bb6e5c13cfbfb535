//! `mainpoint-bench kills`: whether turns that were acknowledged outlive the process that took them.
//!
//! Question: when the program is killed at any moment under more load than its reader can follow, is every turn of every
//! answer that a client has seen still there, and there once? Method: many conversations of several callers talk to the built
//! program as fast as it answers, half of them as streams; after a random time it is killed (SIGKILL) and started again on the
//! same directory, round after round; a request that the kill left without an answer is sent again, as clients do. Afterwards
//! the store says what it holds, read or still to be read, and that is compared with what the clients have seen. A turn counts
//! as acknowledged as soon as the answer's last byte has come, for a stream its `[DONE]`. Second arm: the same, ended by
//! SIGTERM.

mod asking;
mod comparison;
mod crowd;
mod inspection;
mod presentation;
mod rounds;
mod service;

use std::path::PathBuf;

use self::comparison::Comparison;
use self::presentation::present;
use self::rounds::{Ending, Played};
use crate::BenchError;
use crate::cache::write_whole;
use crate::report::write_study;

/// How often the program is ended, and where the results go.
#[derive(Debug, Clone)]
pub struct KillOptions {
    /// Rounds that end in SIGKILL.
    pub kills: usize,
    /// Rounds that end in SIGTERM.
    pub stops: usize,
    /// What every random choice begins with.
    pub seed: u64,
    /// The `mainpoint` program.
    pub program: PathBuf,
    /// Directory for `reliability.md` and `reliability.jsonl`.
    pub out: PathBuf,
}

/// What came of one way of ending the program.
#[derive(Debug)]
struct Outcome {
    ending: Ending,
    rounds: usize,
    played: Played,
    comparison: Comparison,
    /// Turns that are kept and still to be read.
    unread: usize,
}

/// Kills, stops, compares, prints the table and writes the result files.
///
/// # Errors
/// Any failure of the program or of files; afterwards also any acknowledged turn that is not there exactly once.
pub async fn run(options: &KillOptions) -> Result<(), BenchError> {
    anstream::println!("Every random choice begins with --seed {}.", options.seed);
    let mut outcomes = Vec::new();
    for (ending, rounds) in [(Ending::Kill, options.kills), (Ending::Stop, options.stops)] {
        if rounds > 0 {
            outcomes.push(measure(options, ending, rounds).await?);
        }
    }
    let (mut report, figures) = present(options, &outcomes);
    anstream::println!("{}", report.terminal());
    let markdown = options.out.join("reliability.md");
    write_whole(&markdown, report.markdown("What outlives a kill").as_bytes())?;
    let lines = options.out.join("reliability.jsonl");
    write_study(&lines, presentation::STUDY, &figures)?;
    anstream::println!("Written: {} and {}", markdown.display(), lines.display());
    outcomes.iter().try_for_each(Outcome::verdict)
}

async fn measure(options: &KillOptions, ending: Ending, rounds: usize) -> Result<Outcome, BenchError> {
    let home = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
    let data = home.path().join("data");
    let played = rounds::play((options, &data), ending, rounds).await?;
    let kept = inspection::inspect(&data).await?;
    let comparison = Comparison::of(&played.acknowledged, &kept);
    Ok(Outcome {
        ending,
        rounds,
        played,
        comparison,
        unread: kept.unread,
    })
}

impl Outcome {
    fn verdict(&self) -> Result<(), BenchError> {
        let Comparison {
            lost,
            doubled,
            strayed,
            examples,
        } = &self.comparison;
        if (*lost, *doubled, *strayed) == (0, 0, 0) {
            return Ok(());
        }
        let all = self.played.acknowledged.len();
        let reason = format!(
            "of {all} acknowledged turns, {lost} are lost, {doubled} doubled and {strayed} with another caller ({}), such as:\n{}",
            self.ending.name(),
            examples.join("\n")
        );
        Err(BenchError::program("mainpoint", reason))
    }
}
