//! `mainpoint import` as a child process: run to its end or killed on the way, what it uses and what it says.
//!
//! The program names every quarter on standard error where that is no terminal.

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use indicatif::ProgressBar;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{binary, usage};
use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::product::overrides;
use crate::progress::bar;
use crate::{BenchError, Failing};

#[derive(Debug)]
pub(super) struct Importer {
    /// Configuration, logs and the store.
    pub(super) home: Arc<Home>,
    /// The model that reads; `None` for the product's own.
    pub(super) reader: Option<String>,
    pub(super) history: PathBuf,
    pub(super) patience: Duration,
}

/// What a run took, whether or not it came to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Run {
    /// From its start to its end, models and all.
    pub(super) time: Duration,
    pub(super) processor_s: f64,
    /// The most memory that it had, in MiB.
    pub(super) peak_mib: f64,
}

/// What the program says of a run, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct Summary {
    /// Turns that it read.
    pub(super) turns: usize,
    /// Turns that were in memory before.
    pub(super) turns_known: usize,
    /// Turns that the reader cannot take.
    pub(super) turns_unreadable: usize,
    /// Turns in the store at its end.
    pub(super) turns_stored: usize,
    /// Tokens of the turns that it read.
    pub(super) tokens: usize,
    /// Tokens of the turns that were in memory before.
    pub(super) tokens_known: usize,
    /// Speed of reading without loading models and indexing.
    pub(super) tokens_per_second: f64,
    /// Bytes of the store's directory for each turn in it.
    pub(super) bytes_per_turn: usize,
    /// The most memory that it had, in bytes, where the system says so.
    pub(super) peak_memory_bytes: Option<f64>,
}

struct Watched {
    child: Child,
    run: Run,
    /// How much it last said is read, in per cent: 0, 25, 50, 75 or 100.
    share: u32,
    log: PathBuf,
    started: Instant,
    bar: ProgressBar,
}

const NAME: &str = "mainpoint import";
/// Where a store keeps what it was given last.
const JOURNAL: &str = "journal.redb";
const MEBIBYTE: f64 = 1024.0 * 1024.0;
const POLL: Duration = Duration::from_millis(200);
/// More per cent than there are.
const NEVER: u32 = 101;

impl Importer {
    /// Runs the program until it says that `share` per cent are read, a quarter of all or several, and kills it there. With the run
    /// comes the time from the last time that its journal was written to the end.
    pub(super) async fn until(&self, share: u32) -> Result<(Run, Duration), BenchError> {
        let mut watched = self.start("killed")?;
        if let Some(status) = watched.watch(self.patience, share).await? {
            let reason = format!("it ended with {status} before it was killed; a longer history lasts");
            return Err(watched.failed(&reason));
        }
        let killed = SystemTime::now();
        let kill = watched.child.kill().await;
        kill.map_err(|error| watched.failed(&format!("it cannot be killed: {error}")))?;
        let journal = self.home.data().join(JOURNAL);
        let written = std::fs::metadata(&journal).and_then(|found| found.modified()).when_reading(journal)?;
        Ok((watched.run, killed.duration_since(written).unwrap_or_default()))
    }

    /// Runs the program to its end. `name` is that of its files.
    pub(super) async fn to_the_end(&self, name: &str) -> Result<(Run, Summary), BenchError> {
        let mut watched = self.start(name)?;
        let status = watched.watch(self.patience, NEVER).await?;
        if !status.is_some_and(|status| status.success()) {
            return Err(watched.failed("it failed"));
        }
        let output = self.output(name);
        let text = std::fs::read_to_string(&output).when_reading(&output)?;
        let summary: Summary = serde_json::from_str(&text).map_err(|error| BenchError::data(output, error))?;
        let peak_mib = summary.peak_memory_bytes.unwrap_or_default() / MEBIBYTE;
        let run = Run { peak_mib: watched.run.peak_mib.max(peak_mib), ..watched.run };
        Ok((run, summary))
    }

    fn start(&self, name: &str) -> Result<Watched, BenchError> {
        let (log, output) = (self.home.path().join(format!("{name}.log")), self.output(name));
        let errors = File::create(&log).when_writing(&log)?;
        let answers = File::create(&output).when_writing(&output)?;
        let settings = overrides(self.reader.as_deref()).into_iter();
        let settings: String = settings.map(|(key, value)| format!("{key} = {value}\n")).collect();
        self.home.configure(&settings);
        let child = Command::new(binary::path())
            .arg("import")
            .arg(&self.history)
            .args(["--json", "--data-dir"])
            .arg(self.home.data())
            .arg("--config")
            .arg(self.home.configuration())
            .stdin(Stdio::null())
            .stdout(answers)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .because(format!("{NAME} cannot be started"))?;
        Ok(Watched {
            child,
            run: Run::default(),
            share: 0,
            log,
            started: Instant::now(),
            bar: bar(format!("importing, per cent, {name}"), 100),
        })
    }

    /// Where a run of this name leaves what it prints on standard output.
    fn output(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("{name}.json"))
    }
}

impl Watched {
    /// Waits until the child has ended, which gives its status, or says that `share` per cent are read.
    async fn watch(&mut self, patience: Duration, share: u32) -> Result<Option<ExitStatus>, BenchError> {
        loop {
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| self.failed(&format!("it cannot be waited for: {error}")))?;
            self.look();
            if ended.is_some() || self.share >= share {
                return Ok(ended);
            }
            if self.run.time > patience {
                return Err(self.failed("it takes too long"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn look(&mut self) {
        self.run.time = self.started.elapsed();
        // A process that has ended has no number any more, and what it used was seen shortly before.
        if let Some(id) = self.child.id() {
            let used = usage::of_tree(id);
            self.run.processor_s = self.run.processor_s.max(used.processor_us / 1e6);
            self.run.peak_mib = self.run.peak_mib.max(used.peak_mib);
        }
        let share = share_read(&std::fs::read_to_string(&self.log).unwrap_or_default());
        if share > self.share {
            self.bar.inc(u64::from(share - self.share));
            self.share = share;
        }
    }

    /// Why it is of no use, with what it said.
    fn failed(&self, reason: &str) -> BenchError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        BenchError::program(NAME, format!("{reason}\n{log}"))
    }
}

/// The last quarter that a log names, in per cent; 0 before the first.
fn share_read(log: &str) -> u32 {
    let share = |line: &str| line.trim().strip_prefix("reading: ")?.strip_suffix(" %")?.parse().ok();
    log.lines().rev().find_map(share).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_quarter_in_a_log_counts() {
        assert_eq!(share_read("loading\nreading: 25 %\nreading: 50 %\nindexing\n"), 50);
        assert_eq!(share_read("reading: soon\n"), 0);
    }
}
