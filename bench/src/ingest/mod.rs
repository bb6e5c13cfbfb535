//! `mainpoint-bench ingest`: a long history taken in at once, by an import that is killed on the way.
//!
//! Question: how fast does `mainpoint import` read a history of a million tokens, what does it keep on disk, what does being
//! killed cost, and how soon does a proxy answer on the store that comes of it? Method: recorded conversations of short turns
//! and of long messages, repeated in other words, are written as the import's JSON Lines; the built program imports them, is
//! killed by SIGKILL at a share of the way and started again; a third run, which must find nothing left to do, and the
//! number of rows say whether every turn was read once; then the proxy is started on the store. Baselines: that third run for
//! what starting anew costs, the proxy's start on an empty store, and the light model.

mod history;
mod importing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use mainpoint_tests::ScriptedUpstream;
use mainpoint_tests::proxy::Home;

use self::history::Extent;
use self::importing::{Importer, Run, Summary};
use crate::data;
use crate::product::overrides;
use crate::progress::over;
use crate::report::{Report, Row, SPEED, rows_of, sized};
use crate::running::program;
use crate::stats::{Figure, as_float};
use crate::{BenchError, Failing, locate};

/// What is imported, and where the import is interrupted.
#[derive(Debug, Clone, Args)]
pub struct IngestOptions {
    /// Tokens of the history, at four bytes each, at least 50,000.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(50_000..))]
    tokens: u32,
    /// Models that read, one import for each, as models.reader names them; "default" is the product's own. May be given several
    /// times or with commas.
    #[arg(long, value_name = "MODELS", value_delimiter = ',', default_values = ["default", "all-minilm-l6-v2"])]
    readers: Vec<String>,
    /// Directory for ingest.md and for the rows in speed.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

#[derive(Debug)]
struct Measured {
    /// The model that read; `None` for the product's own.
    reader: Option<String>,
    killed: Run,
    /// From the last time that its journal was written to the end: what it read then is read again.
    repeated: Duration,
    resumed: (Run, Summary),
    /// The run that has nothing left to do.
    again: (Run, Summary),
    /// Milliseconds until the proxy is ready on the store that was imported, and on a directory without a store.
    ready: [Figure; 2],
}

/// The share of the history at which the import is killed, in per cent.
const KILLED_AT: u32 = 25;
/// A run may take this long, whatever it imports …
const PATIENCE: Duration = Duration::from_secs(600);
/// … and a second longer for so many tokens.
const SLOWEST: u32 = 20;
/// Starts on each store.
const ROUNDS: usize = 3;
/// Nothing is asked, so that any budget will do.
const BUDGET: u32 = 16_000;
const OUTCOME: &str = "Tokens and turns a second of the whole: both runs from start to end, loading the model, what was read twice and \
    indexing included. While reading: the program's own figure of the resumed run, from the first turn to the last. Repeated work: \
    from the journal's last write before the kill, when a chunk was finished or moved to the database (at most a second or two \
    later), until the kill. Starting anew: a run that finds nothing left to do, which loads the model and looks every turn up. Bytes \
    a turn: the store's whole directory, as the program counts it at the end of the import. Ready: from starting the program until \
    /readyz answers 200, the model loaded, on this store and on an empty one in turn; median, shortest and longest of three starts.";

/// Imports, starts, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, files or the program; also an import that loses, repeats or starts over what it had read.
pub async fn run(options: &IngestOptions) -> Result<(), BenchError> {
    let sets = [data::load(&locate::locomo())?, data::load(&locate::beam())?];
    let material = sets.each_ref().map(|set| set.kind.name()).join(" + ");
    let sources = sets.map(|set| set.conversations);
    let directory = tempfile::tempdir().when_writing("a temporary directory")?;
    let file = directory.path().join("history.jsonl");
    let extent = history::write(&file, &sources, options.tokens as usize)?;
    let note = format!(
        "{} conversations of {material} in turn, {} turns, {} bytes of text; one that is used again begins \
         otherwise, so that all of its turns are others. The first run is killed (SIGKILL) at {KILLED_AT} % of the tokens; the second \
         goes on where it was; the third finds nothing left to do. Afterwards every turn is in the store once. {OUTCOME}",
        extent.conversations, extent.turns, extent.bytes
    );
    let bench = sized("ingest", options.tokens as usize);
    let mut report = Report::default();
    for reader in &options.readers {
        let importer = Importer {
            home: Home::new(),
            reader: Some(reader.clone()).filter(|reader| reader != "default"),
            history: file.clone(),
            patience: PATIENCE + Duration::from_secs(u64::from(options.tokens / SLOWEST)),
        };
        let measured = measure(importer, &extent).await?;
        report.rows.extend(measured.rows(&bench));
    }
    report.tabulate(format!("Importing {} tokens", options.tokens), note, |_| true);
    report.publish(&options.out, "ingest", "Taking in a long history", SPEED)
}

async fn measure(importer: Importer, extent: &Extent) -> Result<Measured, BenchError> {
    let (killed, repeated) = importer.until(KILLED_AT).await?;
    let resumed = importer.to_the_end("resumed").await?;
    let again = importer.to_the_end("again").await?;
    once(extent.turns, &resumed.1, &again.1).map_err(|reason| BenchError::program("mainpoint import", reason))?;
    let upstream = ScriptedUpstream::start().await;
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in over("starting the proxy", 0..ROUNDS) {
        for (home, times) in [&importer.home, &Home::new()].into_iter().zip(&mut times) {
            times.push(start(&importer, &upstream, home).await);
        }
    }
    Ok(Measured {
        reader: importer.reader,
        killed,
        repeated,
        resumed,
        again,
        ready: times.map(|times| Figure::median(times).unwrap_or_default()),
    })
}

async fn start(importer: &Importer, upstream: &ScriptedUpstream, home: &Arc<Home>) -> f64 {
    let started = Instant::now();
    let builder = program(upstream, BUDGET, overrides(importer.reader.as_deref()));
    let proxy = builder.home(home).start().await;
    proxy.ready().await;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    proxy.stop().await;
    milliseconds
}

/// Whether every turn of the history is in the store exactly once, and `resumed` went on where the run before it was killed;
/// `again` is a run after it, with nothing left to do. If not so, in words what is not.
fn once(turns: usize, resumed: &Summary, again: &Summary) -> Result<(), String> {
    let offered = resumed.turns + resumed.turns_known + resumed.turns_unreadable;
    if offered != turns {
        return Err(format!("it found {offered} turns in a history of {turns}"));
    }
    if resumed.turns_known == 0 {
        return Err("it started over: nothing of the run that was killed was in memory".to_owned());
    }
    let kept = turns.saturating_sub(again.turns_unreadable);
    if (again.turns, again.turns_known) != (0, kept) {
        return Err(format!(
            "a run with nothing left to do read {} turns and knew {} of {kept}",
            again.turns, again.turns_known
        ));
    }
    if again.turns_stored != kept {
        return Err(format!("the store has {} turns instead of {kept}", again.turns_stored));
    }
    Ok(())
}

impl Measured {
    fn arm(&self) -> String {
        let reader = self.reader.as_ref();
        reader.map_or_else(|| "mainpoint".to_owned(), |reader| format!("mainpoint-{reader}"))
    }

    /// What the runs that brought the history in came to together.
    fn whole(&self) -> Run {
        let (first, second) = (self.killed, self.resumed.0);
        Run {
            time: first.time + second.time,
            processor_s: first.processor_s + second.processor_s,
            peak_mib: first.peak_mib.max(second.peak_mib),
        }
    }

    fn rows(&self, bench: &str) -> Vec<Row> {
        let (resumed, whole) = (&self.resumed.1, self.whole());
        let tokens = as_float(resumed.tokens + resumed.tokens_known);
        let turns = as_float(resumed.turns + resumed.turns_known);
        let seconds = whole.time.as_secs_f64().max(f64::MIN_POSITIVE);
        let [ready, ready_empty] = self.ready;
        let figures = [
            ("tokens", tokens.into(), "tokens"),
            ("turns", turns.into(), "turns"),
            ("tokens_per_second", (tokens / seconds).into(), "tokens/s"),
            ("reading_tokens_per_second", resumed.tokens_per_second.into(), "tokens/s"),
            ("turns_per_second", (turns / seconds).into(), "turns/s"),
            ("bytes_per_turn", as_float(resumed.bytes_per_turn).into(), "bytes"),
            ("peak_rss_mib", whole.peak_mib.into(), "MiB"),
            ("processor_s", whole.processor_s.into(), "s"),
            ("repeated_s", self.repeated.as_secs_f64().into(), "s"),
            ("restart_s", self.again.0.time.as_secs_f64().into(), "s"),
            ("ready_ms", ready, "ms"),
            ("ready_ms_empty", ready_empty, "ms"),
        ];
        rows_of(bench, &self.arm(), figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(turns: usize, turns_known: usize, turns_stored: usize) -> Summary {
        Summary { turns, turns_known, turns_stored, ..Summary::default() }
    }

    #[test]
    fn a_lost_a_repeated_and_a_started_over_turn_are_noticed() {
        let check = |resumed: Summary, again: Summary| once(10, &resumed, &again).err().unwrap_or_default();
        assert_eq!(check(said(6, 4, 10), said(0, 10, 10)), "");
        assert!(check(said(6, 3, 9), said(0, 9, 9)).contains("9 turns in a history of 10"));
        assert!(check(said(10, 0, 10), said(0, 10, 10)).contains("started over"));
        assert!(check(said(6, 4, 10), said(1, 9, 10)).contains("read 1 turns"));
        assert!(check(said(6, 4, 11), said(0, 10, 11)).contains("11 turns instead of 10"));
        let (mut resumed, mut again) = (said(5, 4, 9), said(0, 9, 9));
        (resumed.turns_unreadable, again.turns_unreadable) = (1, 1);
        assert_eq!(check(resumed, again), "", "turns that cannot be read are not missed");
    }

    #[test]
    fn both_runs_make_the_whole() {
        let run = |seconds: u64, peak_mib: f64| Run { time: Duration::from_secs(seconds), processor_s: 1.0, peak_mib };
        let summary = Summary { tokens: 600, tokens_known: 400, ..said(60, 40, 100) };
        let measured = Measured {
            reader: Some("light".to_owned()),
            killed: run(10, 900.0),
            repeated: Duration::from_secs(2),
            resumed: (run(15, 800.0), summary.clone()),
            again: (run(3, 700.0), summary),
            ready: [1.0, 2.0].map(Figure::exactly),
        };
        let rows = measured.rows("ingest-1m");
        let value = |metric| crate::report::find(&rows, "ingest-1m", metric, "mainpoint-light").map(|row| row.value);
        assert_eq!((value("tokens"), value("tokens_per_second")), (Some(1000.0), Some(40.0)));
        assert_eq!((value("turns_per_second"), value("peak_rss_mib")), (Some(4.0), Some(900.0)));
        assert_eq!((value("ready_ms"), value("ready_ms_empty")), (Some(1.0), Some(2.0)));
    }
}
