//! `mainpoint-bench reliability`: the page that says what is claimed of the program's reliability, what was measured, and how to
//! measure it again.
//!
//! Responsible for `bench/RELIABILITY.md`. It measures nothing itself: the figures are the rows of `reliability.jsonl`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::cache::write_whole;
use crate::report::RELIABILITY;
use crate::{BenchError, Failing, locate};

/// Where the figures lie.
#[derive(Debug, Clone, Args)]
pub struct ReliabilityOptions {
    /// Directory of reliability.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    results: PathBuf,
    /// The page.
    #[arg(long, value_name = "FILE", default_value_os_t = locate::bench().join("RELIABILITY.md"))]
    page: PathBuf,
}

/// What is claimed of the program, by the name of the study that measures it.
struct Claim {
    bench: &'static str,
    claim: &'static str,
    /// The measures of the program that say whether it holds; all of the study's where none are named.
    measures: &'static [&'static str],
    command: &'static str,
}

/// A line of the file, as studies and tests write them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Measured {
    bench: String,
    metric: String,
    arm: String,
    value: f64,
}

const PROGRAM: &str = "mainpoint";
const CLAIMS: [Claim; 8] = [
    Claim {
        bench: "kill-9",
        claim: "What a client has seen answered outlives SIGKILL at any moment, once.",
        measures: &["kills", "acknowledged", "lost", "doubled", "panics"],
        command: "make bench-kills",
    },
    Claim {
        bench: "simulation",
        claim: "Whatever happens in whatever order, the store's promises hold: every case is generated and can be played again by its \
            seed.",
        measures: &[],
        command: "make bench-simulation",
    },
    Claim {
        bench: "memory-dead",
        claim: "With reader, questions or store dead every request is answered within the deadline, and with its own bytes where the \
            memory fails.",
        measures: &["requests", "answered_share", "untouched_share", "added_p99_ms", "deadline_ms", "panics"],
        command: "make bench-memory-dead",
    },
    Claim {
        bench: "storm",
        claim: "A client that leaves is noticed within 100 ms, and nothing stays open behind a storm of them.",
        measures: &["clients", "cancelled_within_ms", "sockets_left", "handles_left", "closed_after_s", "panics"],
        command: "make bench-storm",
    },
    Claim {
        bench: "fuzz",
        claim: "No bytes that a client or an upstream sends make it panic, hang or take memory without end.",
        measures: &[],
        command: "make bench-fuzz",
    },
    Claim {
        bench: "soak",
        claim: "Over hours of everything, with an upstream that comes and goes, it answers and does not grow but by what it remembers.",
        measures: &[
            "minutes",
            "answered_share",
            "rss_slope_mib_per_hour",
            "rss_slope_kib_per_turn",
            "handles_slope_per_hour",
            "threads_slope_per_hour",
            "panics",
        ],
        command: "make bench-soak",
    },
    Claim {
        bench: "isolation",
        claim: "Nobody is ever answered from somebody else's memory, and no conversation from another's branch.",
        measures: &[],
        command: "make bench-privacy",
    },
    Claim {
        bench: "forget",
        claim: "After a deletion no file holds a word of what was deleted.",
        measures: &[],
        command: "make bench-privacy",
    },
];
const BEFORE: &str = "# Reliability\n\nWhat mainpoint promises when things go wrong, what was measured, and how to measure it again. Each \
    study plays the built program, or its own parts, as its users would, over real sockets and on a real disk. The figures are the \
    rows of [results/reliability.jsonl](results/reliability.jsonl); this page is made of them by `mainpoint-bench reliability`.\n\n";
const AFTER: &str = "Every command takes `ARGS=\"--quick\"` where it names a study of `mainpoint-bench`, which shows in half a minute \
    that everything runs; `make bench-faults` runs all studies of faults and writes this page. A study ends with an error where its claim \
    does not hold.\n\n\
    How each study works stands at the head of its folder below `bench/src/`, and with its figures in \
    [kill-9](results/kill-9.md), [memory-dead](results/memory-dead.md), [storm](results/storm.md) and [soak](results/soak.md) with its \
    [course](results/soak.svg).\n";
const NOT_YET: &str = "not measured yet";

/// Prints the page and writes it.
///
/// # Errors
/// When the figures cannot be read or the page cannot be written.
pub fn run(options: &ReliabilityOptions) -> Result<(), BenchError> {
    let path = options.results.join(RELIABILITY);
    let page = page(&read(&path)?);
    anstream::println!("{page}");
    write_whole(&options.page, page.as_bytes())?;
    anstream::println!("Written: {}", options.page.display());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Measured>, BenchError> {
    let text = std::fs::read_to_string(path).when_reading(path)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(|error| BenchError::data(path, error))).collect()
}

/// The claims with what was measured, and behind them studies of which nothing is claimed.
fn page(rows: &[Measured]) -> String {
    let mut lines = "| study | what is claimed | what was measured | again |\n|---|---|---|---|\n".to_owned();
    let mut line = |cells: [&str; 4]| lines.push_str(&format!("| {} |\n", cells.join(" | ")));
    for Claim { bench, claim, measures, command } in CLAIMS {
        let measured = measured(rows, bench, measures).unwrap_or_else(|| NOT_YET.to_owned());
        line([bench, claim, &measured, &format!("`{command}`")]);
    }
    let mut others: Vec<&str> = rows.iter().map(|row| row.bench.as_str()).collect();
    others.retain(|bench| CLAIMS.iter().all(|claim| claim.bench != *bench));
    others.dedup();
    for bench in others {
        line([bench, "–", &measured(rows, bench, &[]).unwrap_or_default(), "–"]);
    }
    format!("{BEFORE}{lines}\n{AFTER}")
}

/// What a study has measured of the program in these measures, or in all and of all arms where none are named; nothing if it has not.
fn measured(rows: &[Measured], bench: &str, measures: &[&str]) -> Option<String> {
    let is_shown = |row: &&Measured| match measures {
        [] => true,
        named => row.arm == PROGRAM && named.contains(&row.metric.as_str()),
    };
    let told = |row: &Measured| {
        let arm = row.arm.strip_prefix(PROGRAM).unwrap_or(&row.arm).trim_start_matches(", ");
        let arm = if arm.is_empty() { String::new() } else { format!(" ({arm})") };
        format!("{} {}{arm}", shown(row.value), row.metric.replace('_', " "))
    };
    let parts: Vec<String> = rows.iter().filter(|row| row.bench == bench).filter(is_shown).map(told).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Whole numbers with their thousands, others with as many digits as matter.
fn shown(value: f64) -> String {
    if value.fract() != 0.0 {
        return if value.abs() >= 10.0 { format!("{value:.1}") } else { format!("{value:.2}") };
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bench: &str, metric: &str, arm: &str, value: f64) -> Measured {
        let [bench, metric, arm] = [bench, metric, arm].map(str::to_owned);
        Measured { bench, metric, arm, value }
    }

    #[test]
    fn every_claim_has_a_line_with_what_was_measured_and_its_command() {
        let rows = [
            row("kill-9", "lost", "mainpoint", 0.0),
            row("kill-9", "acknowledged", "mainpoint", 22_130.0),
            row("kill-9", "acknowledged", "mainpoint, stopped", 7.0),
            row("isolation", "cases", "mainpoint, forks", 100_000.0),
            row("weather", "wet_days", "mainpoint", 3.25),
        ];
        let page = page(&rows);
        let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
        let kills = line("| kill-9");
        assert!(kills.contains("| 0 lost, 22,130 acknowledged |") && kills.contains("`make bench-kills`"), "{kills}");
        assert!(line("| isolation").contains("100,000 cases (forks)"), "{page}");
        assert!(line("| weather").contains("3.25 wet days"));
        assert!(line("| fuzz").contains(NOT_YET) && line("| simulation").contains("make bench-simulation"));
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let written = [0.0, 999.0, 1000.0, -100_000.0, 0.25, 1999.5].map(shown);
        assert_eq!(written, ["0", "999", "1,000", "-100,000", "0.25", "1999.5"]);
    }
}
