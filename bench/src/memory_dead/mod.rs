//! `mainpoint-bench memory-dead`: what clients notice while a part of the memory is dead.
//!
//! Question: is every request answered, with its own bytes where the memory fails, and how much later than without a memory? Method:
//! several callers talk to the built program at a steady rate, streamed and not, within the budget and over it. The reader, the
//! encoder of questions or the store is stopped under it, or the store's directory is removed; where the system lets one process
//! freeze another's threads, reader and questions are frozen as well, which nothing announces, so that only the deadline helps.
//! The upstream says the hash of the body that reached it. Baseline: the same load on the same program with everything alive, and
//! beside it with `memory.mode = "off"`.

mod dying;
mod load;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use mainpoint::config::Config;
use mainpoint_tests::ScriptedUpstream;

use self::dying::Death;
use self::load::{Tally, fill, rush, seal};
use crate::progress::over;
use crate::report::{RELIABILITY, Report, Row, rows_of};
use crate::running::{Door, panics, program};
use crate::stats::{as_float, percentile};
use crate::{BenchError, locate};

/// How long every death is looked at.
#[derive(Debug, Clone, Args)]
pub struct MemoryDeadOptions {
    /// Two seconds of load instead of ten: enough to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// Directory for memory-dead.md and reliability.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

/// What came of one death.
#[derive(Debug)]
struct Outcome {
    death: Death,
    tally: Tally,
    panics: usize,
}

const STUDY: &str = "memory-dead";
const BUDGET: u32 = 300;
const NOTE: &str = "Four callers, each five requests a second, half of them streamed, half of them over the budget of 300 tokens. \
    Answered: whole and rightly. Untouched: of those that were not rewritten, how many reached the upstream with exactly their \
    own bytes. Added: the 99th percentile, from sending to the last byte, minus that with everything alive. Stopped: the part is \
    ended and says so; frozen: it neither works nor says anything, so that a request that needs it waits for the whole deadline and is \
    then forwarded. The row without a death is the worst of all of them.";

/// Lets parts of the program die under load, prints the table and writes the result files.
///
/// # Errors
/// Any failure of files; afterwards also any request without its answer or with other bytes, one that waited beyond the deadline,
/// and any panic.
pub async fn run(options: &MemoryDeadOptions) -> Result<(), BenchError> {
    let length = Duration::from_secs(if options.quick { 2 } else { 10 });
    let mut outcomes = Vec::new();
    for death in over("letting parts of the memory die", Death::ALL) {
        outcomes.extend(measure(death, length).await?);
    }
    let deadline_ms = Config::defaults().memory.deadline.as_secs_f64() * 1e3;
    let mut report = Report::default();
    report.rows = rows(&outcomes, deadline_ms);
    report.tabulate("Requests while a part is dead", NOTE, |_| true);
    report.publish(&options.out, STUDY, "Without a memory", RELIABILITY)?;
    verdict(&outcomes, deadline_ms)
}

/// Plays one death; none where it cannot be had here.
async fn measure(death: Death, length: Duration) -> Result<Option<Outcome>, BenchError> {
    let upstream = ScriptedUpstream::start().await;
    upstream.always(|request| request.said(&seal(&request.body)));
    let mode = if death == Death::Off { "\"off\"" } else { "\"on\"" };
    let settings = [("memory.mode", mode), ("memory.memory_tokens", "90"), ("server.fault_injection", "true")];
    let proxy = program(&upstream, BUDGET, settings).start().await;
    proxy.ready().await;
    let door = Door::to(&proxy);
    fill(&door).await;
    if death != Death::Off {
        proxy.everything_read().await;
    }
    let said = proxy.transcript();
    let Some(ice) = death.strike(&proxy).await? else {
        anstream::eprintln!("{} is left out: threads of other processes cannot be frozen here", death.arm());
        return Ok(None);
    };
    let tally = rush(&door, length).await?;
    let is_healthy = proxy.get("/healthz").await.status == 200;
    // What is frozen could not end.
    ice.melt().await;
    proxy.stop().await;
    let panics = panics(&said());
    if is_healthy {
        Ok(Some(Outcome { death, tally, panics }))
    } else {
        Err(failed(death, "it is not healthy any more"))
    }
}

fn failed(death: Death, reason: &str) -> BenchError {
    BenchError::program(&death.arm(), reason)
}

impl Outcome {
    fn p99_ms(&self) -> f64 {
        percentile(&self.tally.times_ms, 990)
    }

    fn rows(&self, alive_p99_ms: f64) -> Vec<Row> {
        let Tally { asked, answered, failed_open, as_sent, times_ms, .. } = &self.tally;
        let figures = [
            ("requests", as_float(*asked), "requests"),
            ("answered_share", share(*answered, *asked), "share"),
            ("failed_open_share", share(*failed_open, *asked), "share"),
            ("untouched_share", share(*as_sent, self.tally.not_rewritten), "share"),
            ("p50_ms", percentile(times_ms, 500), "ms"),
            ("p99_ms", self.p99_ms(), "ms"),
            ("added_p99_ms", self.p99_ms() - alive_p99_ms, "ms"),
            ("panics", as_float(self.panics), "panics"),
        ];
        rows_of(STUDY, &self.death.arm(), figures)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { as_float(part) / as_float(whole) }
}

/// The rows of every death, and before them the worst of all.
fn rows(outcomes: &[Outcome], deadline_ms: f64) -> Vec<Row> {
    let alive = outcomes.iter().find(|outcome| outcome.death == Death::Healthy).map_or(0.0, Outcome::p99_ms);
    let each: Vec<Row> = outcomes.iter().flat_map(|outcome| outcome.rows(alive)).collect();
    let of = |metric: &'static str| {
        let dead = outcomes.iter().filter(|outcome| outcome.death.is_one()).map(|outcome| outcome.death.arm());
        let arms: Vec<String> = dead.collect();
        let rows = each.iter().filter(move |row| row.metric == metric && arms.contains(&row.arm));
        rows.map(|row| row.value).collect::<Vec<f64>>()
    };
    let [least, most] = [f64::min as fn(f64, f64) -> f64, f64::max].map(|pick| move |metric| of_all(&of(metric), pick));
    let all = [
        ("requests", of("requests").iter().sum(), "requests"),
        ("answered_share", least("answered_share"), "share"),
        ("untouched_share", least("untouched_share"), "share"),
        ("added_p99_ms", most("added_p99_ms"), "ms"),
        ("deadline_ms", deadline_ms, "ms"),
        ("panics", of("panics").iter().sum(), "panics"),
    ];
    [rows_of(STUDY, "mainpoint", all), each].concat()
}

fn of_all(values: &[f64], pick: fn(f64, f64) -> f64) -> f64 {
    values.iter().copied().reduce(pick).unwrap_or(0.0)
}

fn verdict(outcomes: &[Outcome], deadline_ms: f64) -> Result<(), BenchError> {
    let rows = rows(outcomes, deadline_ms);
    let value = |metric: &str| crate::report::find(&rows, STUDY, metric, "mainpoint").map_or(0.0, |row| row.value);
    if value("answered_share") < 1.0 || value("untouched_share") < 1.0 {
        return Err(BenchError::program("mainpoint", "requests were not answered, or forwarded with other bytes"));
    }
    if value("added_p99_ms") > deadline_ms || outcomes.iter().any(|outcome| outcome.panics > 0) {
        return Err(BenchError::program("mainpoint", "requests waited beyond the deadline, or a thread panicked"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::find;

    fn outcome(death: Death, times_ms: &[f64], answered: usize) -> Outcome {
        let tally =
            Tally { asked: 4, answered, not_rewritten: 4, as_sent: 4, times_ms: times_ms.to_vec(), failed_open: 4 };
        Outcome { death, tally, panics: 0 }
    }

    #[test]
    fn what_a_death_adds_to_a_program_that_is_alive_is_told_and_the_worst_of_all_counts() {
        let mut outcomes = vec![
            outcome(Death::Off, &[9.0], 4),
            outcome(Death::Healthy, &[10.0], 4),
            outcome(Death::Stopped("reader"), &[12.0, 11.0], 4),
            outcome(Death::Removed, &[30.0], 4),
        ];
        let value = |outcomes: &[Outcome], metric: &str, arm: &str| {
            find(&rows(outcomes, 2000.0), STUDY, metric, arm).map(|row| row.value)
        };
        assert_eq!(value(&outcomes, "added_p99_ms", "mainpoint, reader stopped"), Some(2.0));
        assert_eq!(value(&outcomes, "added_p99_ms", "mainpoint"), Some(20.0));
        assert_eq!(value(&outcomes, "requests", "mainpoint"), Some(8.0));
        assert!(verdict(&outcomes, 2000.0).is_ok() && verdict(&outcomes, 15.0).is_err());
        outcomes.push(outcome(Death::Frozen("questions"), &[1.0], 3));
        assert_eq!(value(&outcomes, "answered_share", "mainpoint"), Some(0.75));
        assert!(verdict(&outcomes, 2000.0).is_err());
    }
}
