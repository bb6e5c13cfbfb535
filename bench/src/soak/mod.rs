//! `mainpoint-bench soak`: whether the program grows, and answers, over a long time of everything that it does.
//!
//! Question: how much do memory, open files and threads grow in an hour of steady work, and is every request answered while the
//! upstream is there? Method: the built program with its own settings but for a small budget; callers chat within it and over it,
//! streamed and not, with tools and in new chats, search their memory and delete conversations; the upstream is broken off and comes
//! again every 60 to 90 seconds. Each second memory, open files and threads are read from `/proc`, and every ten seconds files and
//! versions of the tables in the data directory. Slopes are Theil–Sen: the median of the slopes through all pairs of samples, after a
//! third of the time, in which caches, receipts and indices fill. Baseline: no slope.

mod answers;
mod course;
mod load;
mod outages;

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::join_all;
use mainpoint_tests::{StartedProxy, usage};

use self::course::{Course, Sample, Tables};
use self::load::{CALLERS, Caller, Counted};
use self::outages::{Epoch, Fragile};
use crate::progress::bar;
use crate::report::{RELIABILITY, Report, Row, rows_of};
use crate::running::{Door, panics, program};
use crate::stats::as_float;
use crate::{BenchError, locate};

/// How long the program works.
#[derive(Debug, Clone, Args)]
pub struct SoakOptions {
    /// Minutes of the run.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(3..))]
    minutes: u32,
    /// Twenty-four seconds: enough to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// What every random choice begins with; default: another one each time, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Directory for soak.md, soak.svg and reliability.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

/// How the time of a run is divided.
#[derive(Debug, Clone)]
struct Plan {
    length: Duration,
    /// Between two samples, and between two looks at the tables.
    every: [Duration; 2],
    /// Between two things that a caller does.
    pace: Duration,
    /// Shortest and longest time between two outages, in milliseconds.
    up_ms: Range<u64>,
}

#[derive(Debug, Default)]
struct Outcome {
    course: Course,
    counted: Counted,
    outages: usize,
    /// Share of the machine's processor time that the program used.
    processor_share: f64,
    panics: usize,
}

const STUDY: &str = "soak";
const BUDGET: u32 = 900;
/// What is measured may grow by so much in an hour. Memory grows with what is remembered, which the note says.
const MOST_HANDLES: f64 = 6.0;
const MOST_THREADS: f64 = 2.0;

/// Lets the program work, prints the course and writes the result files.
///
/// # Errors
/// Any failure of files; afterwards also a request that was not answered though the upstream was there, and any panic.
pub async fn run(options: &SoakOptions) -> Result<(), BenchError> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    anstream::println!("Every random choice begins with --seed {seed}.");
    let plan = if options.quick { Plan::quick() } else { Plan::of(options.minutes) };
    let outcome = measure(&plan, &mut fastrand::Rng::with_seed(seed)).await?;
    let mut report = Report::default();
    (report.rows, report.charts) = (outcome.rows(), outcome.course.charts());
    report.tabulate(format!("{:.1} minutes", plan.length.as_secs_f64() / 60.0), note(seed), |_| true);
    report.publish(&options.out, STUDY, "A long time of everything", RELIABILITY)?;
    outcome.verdict()
}

async fn measure(plan: &Plan, random: &mut fastrand::Rng) -> Result<Outcome, BenchError> {
    let fragile = Fragile::start(0).await?;
    let proxy = program(&fragile.upstream, BUDGET, [("memory.memory_tokens", "300")]).start().await;
    proxy.ready().await;
    let (epoch, door) = (Epoch::default(), Door::to(&proxy));
    let callers = (0..CALLERS).map(|number| Caller::new(number, door.clone(), random.fork()));
    let talking = join_all(callers.map(|caller| caller.go_on(&epoch, plan.length, plan.pace)));
    let both = async { tokio::join!(watch(&proxy, plan), talking) };
    let ((course, processor_share), counts) = tokio::select! {
        result = fragile.go_on(&epoch, random.fork(), plan.up_ms.clone()) => return result.map(|()| Outcome::default()),
        done = both => done,
    };
    let mut counted = Counted::default();
    counts.into_iter().for_each(|count| counted.add(count));
    let said = proxy.transcript();
    proxy.stop().await;
    Ok(Outcome { course, counted, outages: epoch.outages(), processor_share, panics: panics(&said()) })
}

/// Samples until the time is over; also the share of the machine's processor time that the program took.
async fn watch(proxy: &StartedProxy, plan: &Plan) -> (Course, f64) {
    let (mut course, begun, process) = (Course::default(), Instant::now(), proxy.process_id());
    let first = usage::of_tree(process).processor_us;
    let [each, looks] = plan.every;
    let bar = bar("letting it work, seconds", usize::try_from(plan.length.as_secs()).unwrap_or(0));
    let mut looked = None;
    while begun.elapsed() < plan.length {
        tokio::time::sleep(each).await;
        let (after, open) = (begun.elapsed(), usage::open_files(process));
        bar.set_position(after.as_secs());
        let resident_mib = usage::of_tree(process).resident_mib;
        let [open, threads] = [open.sockets + open.others, usage::threads(process).len()].map(as_float);
        course.samples.push(Sample { hours: hours(after), resident_mib, open, threads });
        if looked.is_none_or(|last| after - last >= looks) {
            looked = Some(after);
            course.tables.push(Tables::of(&proxy.home().data(), hours(after)));
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let used = usage::of_tree(process).processor_us - first;
    (course, used / 1e6 / begun.elapsed().as_secs_f64() / as_float(cores))
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3600.0
}

impl Plan {
    fn of(minutes: u32) -> Self {
        Self {
            length: Duration::from_secs(60 * u64::from(minutes)),
            every: [1, 10].map(Duration::from_secs),
            pace: Duration::from_millis(2100),
            up_ms: 60_000..90_000,
        }
    }

    fn quick() -> Self {
        Self {
            length: Duration::from_secs(24),
            every: [250, 1000].map(Duration::from_millis),
            pace: Duration::from_millis(400),
            up_ms: 5000..7000,
        }
    }
}

impl Outcome {
    fn rows(&self) -> Vec<Row> {
        let Self { course, counted, .. } = self;
        let [rss, open, threads] = course.slopes();
        let hours = course.samples.last().map_or(0.0, |sample| sample.hours);
        let [settled, end] = course.ends();
        let most = |of: fn(&Sample) -> f64| course.samples.iter().map(of).fold(0.0, f64::max);
        let most_tables = |of: fn(&Tables) -> f64| course.tables.iter().map(of).fold(0.0, f64::max);
        let tables = course.tables.last().copied().unwrap_or_default();
        let turns = as_float(counted.turns.max(1));
        let figures = [
            ("minutes", hours * 60.0, "min"),
            ("requests", as_float(counted.asked), "requests"),
            ("answered_share", counted.answered_share(), "share"),
            ("requests_around_outages", as_float(counted.around_outages), "requests"),
            ("outages", as_float(self.outages), "outages"),
            ("rewritten", as_float(counted.rewritten), "requests"),
            ("turns", as_float(counted.turns), "turns"),
            ("processor_share", self.processor_share, "share"),
            ("rss_slope_mib_per_hour", rss, "MiB/h"),
            ("rss_settled_mib", settled, "MiB"),
            ("rss_end_mib", end, "MiB"),
            ("rss_most_mib", most(|sample| sample.resident_mib), "MiB"),
            ("rss_slope_kib_per_turn", rss * 1024.0 * hours / turns, "KiB"),
            ("handles_slope_per_hour", open, "files/h"),
            ("handles_most", most(|sample| sample.open), "files"),
            ("threads_slope_per_hour", threads, "threads/h"),
            ("threads_most", most(|sample| sample.threads), "threads"),
            ("fragments_most", most_tables(|tables| tables.fragments), "files"),
            ("fragments_end", tables.fragments, "files"),
            ("versions_most", most_tables(|tables| tables.versions), "versions"),
            ("versions_end", tables.versions, "versions"),
            ("data_mib", tables.mebibytes, "MiB"),
            ("disk_kib_per_turn", tables.mebibytes * 1024.0 / turns, "KiB"),
            ("panics", as_float(self.panics), "panics"),
        ];
        rows_of(STUDY, "mainpoint", figures)
    }

    fn verdict(&self) -> Result<(), BenchError> {
        let ([_, handles, threads], answered) = (self.course.slopes(), self.counted.answered_share());
        let is_short = self.course.samples.last().is_none_or(|sample| sample.hours < 0.1);
        let is_steady = is_short || (handles <= MOST_HANDLES && threads <= MOST_THREADS);
        if answered >= 1.0 && self.panics == 0 && is_steady {
            return Ok(());
        }
        let reason = format!(
            "{answered} of what was asked is answered, {} panics, {handles:.1} files and {threads:.1} threads more in an hour",
            self.panics
        );
        Err(BenchError::program("mainpoint", reason))
    }
}

fn note(seed: u64) -> String {
    format!(
        "Three callers, together about three requests in two seconds, in chats of 40 exchanges with a budget of 900 tokens, \
         new chats, rounds of tools, searches, lists and deletions (seed {seed}); the upstream is broken off every 60 to 90 seconds for up to \
         three. Requests: those in whose time it was there. Everything else is as shipped: receipts fill to a thousand, the store is \
         maintained every ten minutes. Slopes: the median of the slopes through all pairs of samples of the last two thirds of the time; \
         settled and end: the medians of a twentieth of it at its beginning and its end. What is remembered grows all the time, and \
         with it what is kept of it in memory: the slope for each turn that was said says what that is. Fragments and versions: data files \
         and manifests of all tables."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_and_what_grows_stand_in_the_rows_and_are_judged() {
        let sample = |minute: u32| {
            let hours = f64::from(minute) / 60.0;
            Sample { hours, resident_mib: 400.0 + 60.0 * hours, open: 30.0 + 20.0 * hours, threads: 20.0 }
        };
        let course = Course { samples: (0..=30).map(sample).collect(), tables: vec![Tables::default()] };
        let counted = Counted { asked: 10, answered: 10, turns: 60, ..Counted::default() };
        let mut outcome = Outcome { course, counted, ..Outcome::default() };
        let value = |outcome: &Outcome, metric| {
            crate::report::find(&outcome.rows(), STUDY, metric, "mainpoint").map(|row| row.value)
        };
        assert_eq!(value(&outcome, "rss_slope_mib_per_hour"), Some(60.0));
        assert_eq!(value(&outcome, "rss_slope_kib_per_turn"), Some(512.0));
        assert!(outcome.verdict().is_err(), "twenty files in an hour");
        outcome.course.samples.iter_mut().for_each(|sample| sample.open = 30.0);
        assert!(outcome.verdict().is_ok());
        outcome.counted.answered = 9;
        assert!(outcome.verdict().is_err() && value(&outcome, "answered_share") == Some(0.9));
    }
}
