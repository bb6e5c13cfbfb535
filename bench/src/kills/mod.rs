//! `mainpoint-bench kills`: whether turns that were acknowledged outlive the process that took them.
//!
//! Question: when the program is killed at any moment under more load than its reader can follow, is every turn of every answer
//! that a client has seen still there, and there once? Method: many conversations of several callers talk to the built program as
//! fast as it answers, half of them as streams; after a random time it is killed (SIGKILL) and started again on the same
//! directory, round after round, with a new directory now and then, since a start takes the longer the more waits to be read; a request that the kill left without an answer is sent again, as clients do. Afterwards the store
//! says what it holds, read or still to be read, and that is compared with what the clients have seen. A turn counts as
//! acknowledged as soon as the answer's last byte has come, for a stream its `[DONE]`. Second arm: the same, ended by SIGTERM.

mod comparison;
mod crowd;
mod inspection;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{RecordedRequest, Reply, ScriptedUpstream, StartedProxy, prompt};
use tokio_util::sync::CancellationToken;

use self::comparison::Comparison;
use self::crowd::{Crowd, Talk, reply_to};
use crate::progress::over;
use crate::report::{RELIABILITY, Report, Row, rows_of};
use crate::running::{Door, panics, program};
use crate::stats::as_float;
use crate::{BenchError, Failing, locate};

/// How often the program is ended, and how.
#[derive(Debug, Clone, Args)]
pub struct KillOptions {
    /// What every random choice begins with; default: another one each time, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How often it is killed.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    kills: u16,
    /// Four kills and two stops: enough to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// Directory for kill-9.md and reliability.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// By SIGKILL.
    Kill,
    /// By SIGTERM: it may finish what it is at.
    Stop,
}

/// What came of one way of ending the program.
#[derive(Debug)]
struct Outcome {
    ending: Ending,
    rounds: usize,
    played: Played,
    acknowledged: usize,
    comparison: Comparison,
    /// Turns that are kept and still to be read, in all directories.
    unread: usize,
}

#[derive(Debug, Default)]
struct Played {
    talk: Talk,
    /// How long the program was talked to.
    talking: Duration,
    /// The longest time from starting the program until it listened.
    slowest_start: Duration,
    /// The longest time from the signal to the end.
    slowest_end: Duration,
    /// How often a thread of the program panicked.
    panics: usize,
}

const STUDY: &str = "kill-9";
/// After how many milliseconds of talk the program is ended.
const MOMENTS: Range<u64> = 50..1500;
/// Most rounds on one data directory.
const ROUNDS: usize = 8;
/// How often the program is stopped in good order.
const STOPS: usize = 10;
/// Nothing is rewritten.
const BUDGET: u32 = 16_000;
/// What was read moves on to the tables within a round, so that a kill meets that, too.
const FLUSH: (&str, &str) = ("store.flush_interval_ms", "500");
/// Between two words of a stream, so that many streams are on their way at any moment.
const PAUSE: Duration = Duration::from_millis(2);

/// Kills, stops, compares, prints the table and writes the result files.
///
/// # Errors
/// Any failure of the store or of files; afterwards also any acknowledged turn that is not there exactly once.
pub async fn run(options: &KillOptions) -> Result<(), BenchError> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    anstream::println!("Every random choice begins with --seed {seed}.");
    let (kills, stops) = if options.quick { (4, 2) } else { (usize::from(options.kills), STOPS) };
    let mut outcomes = Vec::new();
    for (ending, rounds) in [(Ending::Kill, kills), (Ending::Stop, stops)] {
        outcomes.push(measure(seed, ending, rounds).await?);
    }
    let mut report = report(seed, &outcomes);
    report.publish(&options.out, STUDY, "What outlives a kill", RELIABILITY)?;
    outcomes.iter().try_for_each(Outcome::verdict)
}

async fn measure(seed: u64, ending: Ending, rounds: usize) -> Result<Outcome, BenchError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (played, comparison) = (Played::default(), Comparison::default());
    let mut outcome = Outcome { ending, rounds, played, acknowledged: 0, comparison, unread: 0 };
    for begin in (0..rounds).step_by(ROUNDS) {
        let home = Home::new();
        play(&home, &mut random, &mut outcome, begin..rounds.min(begin + ROUNDS)).await?;
        let kept = inspection::inspect(&home.data()).await?;
        // Clients say the same in every directory, so each is looked at by itself.
        let acknowledged = std::mem::take(&mut outcome.played.talk.acknowledged);
        outcome.comparison.add(Comparison::of(&acknowledged, &kept));
        outcome.acknowledged += acknowledged.len();
        outcome.unread += kept.unread;
    }
    Ok(outcome)
}

/// Plays rounds that all end alike, and starts the program once more at the end, so that it has seen what it left.
async fn play(
    home: &Arc<Home>,
    random: &mut fastrand::Rng,
    outcome: &mut Outcome,
    rounds: Range<usize>,
) -> Result<(), BenchError> {
    let upstream = ScriptedUpstream::start().await;
    upstream.always(repeated);
    let mut crowd = Crowd::gather(random);
    let Outcome { ending, played, .. } = outcome;
    for _ in over(format!("ending it by {}, from {} on", ending.names()[0], rounds.start), rounds) {
        let proxy = played.start(home, &upstream).await;
        let is_ending = CancellationToken::new();
        let talking = tokio::spawn(crowd.talk(Door::to(&proxy), is_ending.clone()));
        let moment = Duration::from_millis(random.u64(MOMENTS));
        tokio::time::sleep(moment).await;
        played.talking += moment;
        is_ending.cancel();
        let said = proxy.transcript();
        let signalled = Instant::now();
        ending.end(proxy).await;
        played.slowest_end = played.slowest_end.max(signalled.elapsed());
        let talk;
        (crowd, talk) = talking.await.because("the clients failed")?;
        played.talk.add(talk);
        played.panics += panics(&said());
    }
    let last = played.start(home, &upstream).await;
    let said = last.transcript();
    last.stop().await;
    played.panics += panics(&said());
    Ok(())
}

/// The same question always gets the same answer, so that a client can tell whether it has seen the whole of it, and a question
/// that is sent again does not begin another branch.
fn repeated(request: &RecordedRequest) -> Reply {
    let request_body = request.json();
    let question = prompt::messages(&request_body).last().map(prompt::text);
    let reply = request.said(&reply_to(&question.unwrap_or_default()));
    if request_body["stream"] == true { reply.paced(PAUSE) } else { reply }
}

impl Ending {
    /// The signal, the arm in result files, and the measure of how often.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::Kill => ["SIGKILL", "mainpoint", "kills"],
            Self::Stop => ["SIGTERM", "mainpoint, stopped", "stops"],
        }
    }

    async fn end(self, proxy: StartedProxy) {
        match self {
            Self::Kill => proxy.kill().await,
            Self::Stop => drop(proxy.stop().await),
        }
    }
}

impl Played {
    async fn start(&mut self, home: &Arc<Home>, upstream: &ScriptedUpstream) -> StartedProxy {
        let begun = Instant::now();
        let proxy = program(upstream, BUDGET, [FLUSH]).home(home).start().await;
        self.slowest_start = self.slowest_start.max(begun.elapsed());
        proxy
    }
}

impl Outcome {
    fn rows(&self) -> Vec<Row> {
        let Self { played, comparison, .. } = self;
        let [_, arm, times] = self.ending.names();
        let acknowledged = as_float(self.acknowledged);
        let figures = [
            ("acknowledged", acknowledged, "turns"),
            ("lost", as_float(comparison.lost), "turns"),
            ("doubled", as_float(comparison.doubled), "turns"),
            (times, as_float(self.rounds), "rounds"),
            ("unread", as_float(self.unread), "turns"),
            ("failed", as_float(played.talk.failed), "requests"),
            ("panics", as_float(played.panics), "panics"),
            ("turns_per_second", acknowledged / played.talking.as_secs_f64(), "turns/s"),
            ("slowest_start_s", played.slowest_start.as_secs_f64(), "s"),
            ("slowest_end_s", played.slowest_end.as_secs_f64(), "s"),
        ];
        rows_of(STUDY, arm, figures)
    }

    fn verdict(&self) -> Result<(), BenchError> {
        let Comparison { lost, doubled, strayed, examples } = &self.comparison;
        let panics = self.played.panics;
        if [*lost, *doubled, *strayed, panics] == [0; 4] {
            return Ok(());
        }
        let all = self.acknowledged;
        let reason = format!(
            "of {all} acknowledged turns, {lost} are lost, {doubled} doubled and {strayed} with another caller ({}, {panics} panics), \
             such as:\n{}",
            self.ending.names()[0],
            examples.join("\n")
        );
        Err(BenchError::program("mainpoint", reason))
    }
}

fn report(seed: u64, outcomes: &[Outcome]) -> Report {
    let note = format!(
        "Many conversations of several callers at once, half of them streamed, as fast as they are answered; the program is ended \
         after a random time, round by round, at most {ROUNDS} of them on one data directory (seed {seed}). Acknowledged: questions and \
         answers of which a client has seen the last byte. Lost: not in the store. Doubled: more than once in it. Unread: kept \
         and not yet read, which is what a reader that is slower than its clients leaves. Failed: requests without a right answer \
         while the program ran. Panics: in anything that it said."
    );
    let mut report = Report::default();
    report.rows = outcomes.iter().flat_map(Outcome::rows).collect();
    report.tabulate("Turns that clients have seen", note, |_| true);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_ending_has_its_arm() {
        let outcome = |ending, rounds| Outcome {
            ending,
            rounds,
            played: Played { talking: Duration::from_secs(5), ..Played::default() },
            acknowledged: 10,
            comparison: Comparison { lost: 3, ..Comparison::default() },
            unread: 4,
        };
        let report = report(7, &[outcome(Ending::Kill, 2), outcome(Ending::Stop, 1)]);
        let value = |metric, arm| crate::report::find(&report.rows, STUDY, metric, arm).map(|row| row.value);
        assert_eq!(value("lost", "mainpoint"), Some(3.0));
        assert_eq!(value("turns_per_second", "mainpoint"), Some(2.0));
        assert_eq!(value("stops", "mainpoint, stopped"), Some(1.0));
    }
}
