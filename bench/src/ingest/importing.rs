//! `mainpoint import` as a child process: run to its end or killed on the way, and what it says.
//!
//! It must not know what is imported nor what the figures are for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::process::Command;

use super::watching::{NAME, Run, Watched};
use crate::BenchError;
use crate::running::program::Settings;

/// What is imported, into which store.
#[derive(Debug)]
pub(super) struct Importer {
    /// The `mainpoint` program.
    pub(super) program: PathBuf,
    /// What its configuration says.
    pub(super) settings: Settings,
    /// The file of conversations.
    pub(super) history: PathBuf,
    /// The store's directory.
    pub(super) store: PathBuf,
    /// Existing directory for what runs print.
    pub(super) logs: PathBuf,
    /// How long one run may take.
    pub(super) patience: Duration,
}

/// A run that was killed.
#[derive(Debug)]
pub(super) struct Killed {
    pub(super) run: Run,
    /// From the last time that its journal was written to the end: what it read then is read again.
    pub(super) repeated: Duration,
}

/// A run that came to its end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) run: Run,
    pub(super) summary: Summary,
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

/// Where a store keeps what it was given last.
const JOURNAL: &str = "journal.redb";
const MEBIBYTE: f64 = 1024.0 * 1024.0;

impl Importer {
    /// Runs the program until about `share` per cent are read, 25 to 99, and kills it there.
    ///
    /// # Errors
    /// [`BenchError::Program`] if it cannot be started, takes too long or comes to its end before.
    pub(super) async fn until(&self, share: u32) -> Result<Killed, BenchError> {
        let mut watched = self.start("killed")?;
        if let Some(status) = watched.watch(|heard, time| heard.is_at(share, time)).await? {
            return Err(watched.failed(&format!(
                "it ended with {status} before it was killed; a longer history lasts"
            )));
        }
        let killed = SystemTime::now();
        let kill = watched.child.kill().await;
        kill.map_err(|error| watched.failed(&format!("it cannot be killed: {error}")))?;
        let journal = self.store.join(JOURNAL);
        let written = std::fs::metadata(&journal).and_then(|found| found.modified());
        let written = written.map_err(BenchError::reading(journal))?;
        Ok(Killed {
            run: watched.run,
            repeated: killed.duration_since(written).unwrap_or_default(),
        })
    }

    /// Runs the program to its end. `name` is that of its files.
    ///
    /// # Errors
    /// [`BenchError::Program`] if it cannot be started, takes too long or fails; [`BenchError::Data`] if it says something
    /// else than expected.
    pub(super) async fn to_the_end(&self, name: &str) -> Result<Finished, BenchError> {
        let mut watched = self.start(name)?;
        let status = watched.watch(|_, _| false).await?;
        if !status.is_some_and(|status| status.success()) {
            return Err(watched.failed("it failed"));
        }
        let summary = read_summary(&self.output(name))?;
        let peak_mib = summary.peak_memory_bytes.unwrap_or_default() / MEBIBYTE;
        Ok(Finished {
            run: Run {
                peak_mib: watched.run.peak_mib.max(peak_mib),
                ..watched.run
            },
            summary,
        })
    }

    fn start(&self, name: &str) -> Result<Watched, BenchError> {
        let (log, output) = (self.logs.join(format!("{name}.log")), self.output(name));
        let errors = File::create(&log).map_err(BenchError::writing(&log))?;
        let answers = File::create(&output).map_err(BenchError::writing(&output))?;
        let mut command = Command::new(&self.program);
        command
            .arg("import")
            .arg(&self.history)
            .arg("--data-dir")
            .arg(&self.store)
            .arg("--json");
        if let Some(configuration) = self.settings.write(&self.logs)? {
            command.arg("--config").arg(configuration);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(answers)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let path = self.program.display();
                BenchError::program(NAME, format!("cannot start {path}: {error}; set MAINPOINT_BIN"))
            })?;
        Ok(Watched::new(child, (name, log), self.patience))
    }

    /// Where a run of this name leaves what it prints on standard output.
    fn output(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.json"))
    }
}

fn read_summary(path: &Path) -> Result<Summary, BenchError> {
    let text = std::fs::read_to_string(path).map_err(BenchError::reading(path))?;
    serde_json::from_str(&text).map_err(|error| BenchError::Data {
        path: path.to_owned(),
        reason: format!("{error} in {text}"),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that finds the journal in its fourth argument, and an importer of it.
    fn importer(directory: &Path, script: &str) -> Importer {
        let program = directory.join("mainpoint");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Importer {
            program,
            settings: Settings::default(),
            history: directory.join("history.jsonl"),
            store: directory.join("store"),
            logs: directory.to_owned(),
            patience: Duration::from_secs(60),
        }
    }

    #[tokio::test]
    async fn a_run_is_killed_where_it_is_to_be() {
        let directory = tempfile::tempdir().unwrap();
        let script = "mkdir -p \"$4\"; echo x > \"$4/journal.redb\"; echo 'reading: 50 %' >&2; exec sleep 600";
        let killed = importer(directory.path(), script).until(33).await.unwrap();
        assert!(
            killed.repeated <= killed.run.time + Duration::from_secs(1),
            "{killed:?}"
        );
        assert!(killed.run.time < Duration::from_secs(50), "{killed:?}");
    }

    #[tokio::test]
    async fn a_run_that_ends_before_it_is_killed_or_fails_is_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let importer = importer(directory.path(), "echo \"$1 $3 $5\" >&2; exit 65");
        let early = importer.until(33).await.unwrap_err().to_string();
        assert!(
            early.contains("exit status: 65") && early.contains("import --data-dir --json"),
            "{early}"
        );
        let failed = importer.to_the_end("some").await.unwrap_err().to_string();
        assert!(failed.contains("import --data-dir --json"), "{failed}");
    }

    #[tokio::test]
    async fn what_a_run_says_at_its_end_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let said = r#"{"conversations": 1, "turns": 3, "turns_known": 2, "turns_unreadable": 0, "turns_stored": 5, "tokens": 90,
            "tokens_known": 60, "tokens_per_second": 12.5, "bytes_per_turn": 7, "peak_memory_bytes": 1073741824, "scopes": []}"#;
        let script = format!("cat <<'END'\n{said}\nEND");
        let finished = importer(directory.path(), &script).to_the_end("some").await.unwrap();
        assert_eq!((finished.summary.turns, finished.summary.tokens_known), (3, 60));
        assert_eq!(finished.run.peak_mib, 1024.0);
    }
}
