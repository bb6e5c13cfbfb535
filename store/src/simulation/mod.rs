//! The store under a schedule, a clock and faults that a seed chooses, compared with what it has acknowledged.
//!
//! Responsible for: what the store does between a request and the disk, as it is shipped: taking turns in, reading, the ledger,
//! conversations, flushing, trimming, deleting, expiring, repairing and opening again. It runs on one thread; who goes on next is
//! chosen at each step that would block. redb runs on a disk in memory that fails, is full or ends the process at any operation, and
//! that loses at a power loss what was not synced, sector by sector. LanceDB is not simulated: commits that may fail or be gone stand
//! for its two tables (`tables.rs`), and what it does with damaged files is tested elsewhere.
//!
//! A seed that fails prints its story. `MAINPOINT_SIMULATION_SEED` tells that of any seed.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use disk::Planted;
use lives::{Ended, Ground};

mod check;
mod client;
mod commits;
mod disk;
mod file;
mod handle;
mod history;
mod knowledge;
mod lives;
mod names;
mod stories;
mod tables;

/// Seeds of every run of the tests, and of one whose figures are published.
const SEEDS: u64 = 2_000;
const PUBLISHED_SEEDS: u64 = 100_000;
/// Of so many seeds one finds a mistake that is planted.
const ENOUGH: u64 = 500;

#[test]
#[expect(clippy::print_stdout, reason = "the story of a seed is asked for")]
fn whatever_happens_to_the_store_what_it_has_acknowledged_holds() {
    let ground = Ground::new();
    if let Some(seed) = std::env::var("MAINPOINT_SIMULATION_SEED").ok().map(|seed| seed.parse().unwrap()) {
        let ended = lives::run(&ground, seed, None);
        println!("{}", told(seed, &ended));
        assert_eq!(ended.violation, None);
        return;
    }
    let results = std::env::var_os("MAINPOINT_RESULTS").map(PathBuf::from);
    let seeds = if results.is_some() { PUBLISHED_SEEDS } else { SEEDS };
    let violations = violations(&ground, seeds);
    if let Some(directory) = results {
        publish(&directory.join("reliability.jsonl"), &[("seeds", seeds), ("violations", violations.len() as u64)]);
    }
    let told: Vec<String> = violations.iter().take(3).map(|(seed, ended)| told(*seed, ended)).collect();
    assert!(violations.is_empty(), "{} of {seeds} seeds fail\n{}", violations.len(), told.join("\n"));
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    let ground = Ground::new();
    for seed in 0..60 {
        let stories = [0; 2].map(|_| lives::run(&ground, seed, None).story);
        assert_eq!(stories[0], stories[1], "seed {seed}");
    }
}

#[test]
fn a_mistake_that_is_planted_is_found() {
    let ground = Ground::new();
    for planted in [
        Planted::TrimBeforeSync,
        Planted::AcknowledgedBeforeCommit,
        Planted::FlushedTwice,
        Planted::DeletedInJournalAlone,
    ] {
        let found = (0..ENOUGH).find(|seed| lives::run(&ground, *seed, Some(planted)).violation.is_some());
        assert!(found.is_some(), "{planted:?} is not found by {ENOUGH} seeds");
    }
}

/// The seeds that fail, in order.
fn violations(ground: &Ground, seeds: u64) -> Vec<(u64, Ended)> {
    let next = AtomicU64::new(0);
    let search = || {
        let mut found = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return found;
            }
            let ended = lives::run(ground, seed, None);
            if ended.violation.is_some() {
                found.push((seed, ended));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut found: Vec<(u64, Ended)> = thread::scope(|scope| {
        let searching: Vec<_> = (0..threads).map(|_| scope.spawn(search)).collect();
        searching.into_iter().flat_map(|search| search.join().unwrap()).collect()
    });
    found.sort_by_key(|(seed, _)| *seed);
    found
}

fn told(seed: u64, ended: &Ended) -> String {
    let outcome = ended.violation.as_deref().unwrap_or("everything holds");
    format!("seed {seed}: {outcome}\n  {}", ended.story.join("\n  "))
}

/// Puts figures in the place of those of the last run.
fn publish(path: &Path, figures: &[(&str, u64)]) {
    let begin = "{\"bench\":\"simulation\",";
    let before = fs::read_to_string(path).unwrap_or_default();
    let mut lines: Vec<String> = before.lines().filter(|line| !line.starts_with(begin)).map(str::to_owned).collect();
    let row = |(metric, value): &(&str, u64)| {
        format!("{begin}\"metric\":\"{metric}\",\"arm\":\"mainpoint\",\"value\":{value}}}")
    };
    lines.extend(figures.iter().map(row));
    fs::write(path, lines.join("\n") + "\n").unwrap();
}
