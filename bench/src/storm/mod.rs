//! `mainpoint-bench storm`: whether clients that leave are noticed, and whether anything stays open behind them.
//!
//! Question: when a client leaves, how soon does the upstream know, and after a storm of such clients, are sockets and open files
//! back to what they were? Method: the built program with its own settings; 1,000 clients come within three seconds, in random
//! mixture: they leave in the middle of their request, before or after the first byte of the answer, some with a reset, some close
//! their side and wait, some read slowly, some stay. `/proc/PID/fd` is counted before (sockets at once, files after a small storm that
//! opens what is opened once), and afterwards until nothing more is open than then. How soon the upstream knows is measured at the
//! end, one client after the other. Baseline: what was open before.

mod clients;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use mainpoint_tests::usage::{OpenFiles, open_files};
use mainpoint_tests::{RecordedRequest, Reply, ScriptedUpstream, StartedProxy, reply, wait_until};
use serde_json::json;
use tokio::task::JoinSet;

use self::clients::{Guest, Manner, WIDE};
use crate::report::{RELIABILITY, Report, rows_of};
use crate::running::{panics, program};
use crate::stats::{as_float, percentile};
use crate::{BenchError, Failing, locate};

/// How many clients come.
#[derive(Debug, Clone, Args)]
pub struct StormOptions {
    /// Clients of the storm.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// A hundred clients, a small sample and an upstream that keeps no connections: enough to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// What every random choice begins with; default: another one each time, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Directory for storm.md and reliability.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

/// What the storm left.
#[derive(Debug, Default)]
struct Outcome {
    clients: usize,
    /// Those that stayed for their answer, and those of them that got it.
    stayed: usize,
    answered: usize,
    /// From the last client's end until the upstream answered nobody any more.
    settled_ms: f64,
    before: OpenFiles,
    after: OpenFiles,
    /// From the last client's end until every turn was on disk, and until no more was open than before.
    read_s: f64,
    closed_s: f64,
    /// From a client's leaving until the upstream knew.
    cancelled_ms: Vec<f64>,
    panics: usize,
}

const STUDY: &str = "storm";
const BUDGET: u32 = 16_000;
/// The upstream takes about so long for an answer.
const ANSWER: Duration = Duration::from_secs(3);
const WORDS: u32 = 120;
/// A wide answer is of so many events, each of so many bytes: more than sockets hold.
const WIDE_EVENTS: usize = 400;
const WIDE_BYTES: usize = 16 << 10;
/// How long may pass until what the storm opened is closed: idle connections to the upstream are kept for 90 seconds, and looked at
/// as seldom.
const CLOSING: Duration = Duration::from_secs(200);
/// No client of the quiet sample may be noticed later.
const MOST_MS: f64 = 100.0;

/// Lets the storm pass, prints the table and writes the result files.
///
/// # Errors
/// Any failure of files; afterwards also anything that stays open, a client that is noticed late, and any panic.
pub async fn run(options: &StormOptions) -> Result<(), BenchError> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    anstream::println!("Every random choice begins with --seed {seed}.");
    rlimit::increase_nofile_limit(u64::MAX).because("the limit of open files cannot be raised")?;
    let kept = if options.quick { "close" } else { "keep-alive" };
    let (clients, sample) = if options.quick { (100, 12) } else { (usize::from(options.clients), 60) };
    let upstream = ScriptedUpstream::start().await;
    let wide = (0..WIDE_EVENTS).fold(Reply::events(), |reply, _| reply.event(&wide_chunk()));
    upstream.always(move |request| slow(request, &wide).header("connection", kept));
    let outcome = measure(&upstream, &mut fastrand::Rng::with_seed(seed), clients, sample).await?;
    let mut report = outcome.report(seed);
    report.publish(&options.out, STUDY, "After a storm of clients that leave", RELIABILITY)?;
    outcome.verdict()
}

async fn measure(
    upstream: &ScriptedUpstream,
    random: &mut fastrand::Rng,
    clients: usize,
    sample: usize,
) -> Result<Outcome, BenchError> {
    let proxy = program(upstream, BUDGET, [("log.filter", "\"warn\"")]).start().await;
    proxy.ready().await;
    let OpenFiles { sockets, .. } = open_files(proxy.process_id());
    storm(random, &proxy, clients / 5).await?;
    proxy.everything_searchable().await;
    let before = OpenFiles { sockets, ..most_open(&proxy).await };

    anstream::eprintln!("{clients} clients come; before, {before:?} are open");
    let (stayed, answered) = storm(random, &proxy, clients).await?;
    let end = Instant::now();
    wait_until("the upstream answers nobody any more", CLOSING, || async { upstream.unfinished() == 0 }).await;
    let settled_ms = end.elapsed().as_secs_f64() * 1e3;
    proxy.everything_searchable().await;
    let read_s = end.elapsed().as_secs_f64();
    let closing = Instant::now();
    let mut after = open_files(proxy.process_id());
    while (after.sockets > before.sockets || after.others > before.others) && closing.elapsed() < CLOSING {
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = open_files(proxy.process_id());
    }
    let closed_s = end.elapsed().as_secs_f64();
    let mut cancelled_ms = Vec::new();
    for number in 0..sample {
        cancelled_ms.push(noticed_ms(upstream, &proxy, number).await?);
    }
    let said = proxy.transcript();
    proxy.stop().await;
    let panics = panics(&said());
    Ok(Outcome { clients, stayed, answered, settled_ms, before, after, read_s, closed_s, cancelled_ms, panics })
}

/// Clients come within three seconds: how many stayed for their answer, and how many of them got it.
async fn storm(random: &mut fastrand::Rng, proxy: &StartedProxy, clients: usize) -> Result<(usize, usize), BenchError> {
    let mut guests = JoinSet::new();
    for number in 0..clients {
        let guest = Guest::random(random, number);
        let authority = proxy.authority().to_owned();
        guests.spawn(async move { (guest.manner == Manner::Stays, guest.visit(&authority).await) });
    }
    let mut found = (0, 0);
    while let Some(visited) = guests.join_next().await {
        let (stays, answered) = visited.because("a client failed")?;
        found.0 += usize::from(stays);
        found.1 += usize::from(stays && answered.unwrap_or(false));
    }
    Ok(found)
}

/// The most that is open within three seconds.
async fn most_open(proxy: &StartedProxy) -> OpenFiles {
    let mut most = OpenFiles::default();
    for _ in 0..30 {
        let OpenFiles { sockets, others } = open_files(proxy.process_id());
        most = OpenFiles { sockets: most.sockets.max(sockets), others: most.others.max(others) };
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    most
}

/// One client comes and leaves while nobody else is there: how long it takes until the upstream knows.
async fn noticed_ms(upstream: &ScriptedUpstream, proxy: &StartedProxy, number: usize) -> Result<f64, BenchError> {
    let (arrived, given_up) = (upstream.requests().len(), upstream.given_up().len());
    let manner = if number.is_multiple_of(2) { Manner::LeavesBefore } else { Manner::LeavesAfter };
    let guest = Guest { number: 1_000_000 + number, manner, resets: number % 4 >= 2, comes: Duration::ZERO };
    let open = guest.arrive(proxy.authority()).await.because("a client cannot come")?;
    upstream.arrived(arrived + 1).await;
    let left = open.leave(guest.resets).because("a client cannot leave")?;
    upstream.abandoned(given_up + 1).await;
    let noticed = upstream.given_up().last().map_or(Duration::MAX, |moment| moment.duration_since(left));
    Ok(noticed.as_secs_f64() * 1e3)
}

/// An answer that takes a while, to whoever waits for it.
fn slow(request: &RecordedRequest, wide: &Reply) -> Reply {
    if request.contains(WIDE) {
        return wide.clone();
    }
    let streams = request.contains("\"stream\":true");
    let words = if streams { "word ".repeat(WORDS as usize) } else { "It is done.".to_owned() };
    request.said(&words).paced(if streams { ANSWER / WORDS } else { ANSWER })
}

fn wide_chunk() -> String {
    reply::chunk(&json!([{"index": 0, "delta": {"content": "w".repeat(WIDE_BYTES)}, "finish_reason": null}]))
}

impl Outcome {
    fn left(&self) -> [usize; 2] {
        let Self { before, after, .. } = self;
        [after.sockets.saturating_sub(before.sockets), after.others.saturating_sub(before.others)]
    }

    fn report(&self, seed: u64) -> Report {
        let [sockets_left, handles_left] = self.left();
        let slowest = self.cancelled_ms.iter().copied().fold(0.0, f64::max);
        let figures = [
            ("clients", as_float(self.clients), "clients"),
            ("cancelled_within_ms", slowest, "ms"),
            ("cancelled_p50_ms", percentile(&self.cancelled_ms, 500), "ms"),
            ("settled_ms", self.settled_ms, "ms"),
            ("sockets_before", as_float(self.before.sockets), "sockets"),
            ("sockets_left", as_float(sockets_left), "sockets"),
            ("handles_before", as_float(self.before.others), "files"),
            ("handles_left", as_float(handles_left), "files"),
            ("read_after_s", self.read_s, "s"),
            ("closed_after_s", self.closed_s, "s"),
            ("stayed", as_float(self.stayed), "clients"),
            ("stayed_and_answered", as_float(self.answered), "clients"),
            ("panics", as_float(self.panics), "panics"),
        ];
        let note = format!(
            "Clients come within three seconds and leave as clients do (seed {seed}). Cancelled: from a client's leaving until the \
             upstream knows, the longest and the median of {} that come alone, before and after the first byte, with and without a reset. \
             Settled: after the last of the storm, until the upstream answered nobody any more. Then it is waited until every turn is read and \
             on disk (read after), which takes its time with a reader on a few cores, and until no more sockets and other files are \
             open than before (closed after): connections to the upstream are kept for a while. Left: what is open even then.",
            self.cancelled_ms.len()
        );
        let mut report = Report::default();
        report.rows = rows_of(STUDY, "mainpoint", figures);
        report.tabulate("What is noticed, and what is left", note, |_| true);
        report
    }

    fn verdict(&self) -> Result<(), BenchError> {
        let late = self.cancelled_ms.iter().any(|time| *time > MOST_MS);
        if self.left() == [0, 0] && !late && self.panics == 0 && self.answered == self.stayed {
            return Ok(());
        }
        let reason = format!(
            "{:?} sockets and files are left, {} of {} who stayed were answered, {} panics, slowest to be noticed: {:.0} ms",
            self.left(),
            self.answered,
            self.stayed,
            self.panics,
            self.cancelled_ms.iter().copied().fold(0.0, f64::max)
        );
        Err(BenchError::program("mainpoint", reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_counts_and_what_was_closed_besides_does_not() {
        let [before, fewer] = [(9, 30), (8, 31)].map(|(sockets, others)| OpenFiles { sockets, others });
        let outcome = Outcome { before, after: fewer, cancelled_ms: vec![1.0, 3.0, 2.0], ..Outcome::default() };
        assert_eq!(outcome.left(), [0, 1]);
        let report = outcome.report(1);
        let value = |metric| crate::report::find(&report.rows, STUDY, metric, "mainpoint").map(|row| row.value);
        assert_eq!((value("sockets_left"), value("handles_left")), (Some(0.0), Some(1.0)));
        assert_eq!((value("cancelled_within_ms"), value("cancelled_p50_ms")), (Some(3.0), Some(2.0)));
        assert!(outcome.verdict().is_err());
        assert!(Outcome { after: before, before, ..Outcome::default() }.verdict().is_ok());
        assert!(Outcome { cancelled_ms: vec![101.0], ..Outcome::default() }.verdict().is_err());
    }
}
