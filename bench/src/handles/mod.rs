//! `mainpoint-bench handles`: whether a proxy that is maintained all the time keeps opening files.
//!
//! Question: how many files does the proxy have open after an hour in which the store is maintained every second, beside how
//! many it had after a few minutes? Method: the built program runs with `store.maintenance_interval_seconds = 1` in front of
//! a scripted upstream; a client talks to it steadily, in conversations that outgrow their budget, so that every maintenance
//! finds rows to index and every request searches the indices; the entries of `/proc/PID/fd` are counted every few seconds.
//! Baseline: the same program in the second tenth of the run, when caches and connections have settled.

mod presentation;
mod talking;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::BenchError;
use crate::cache::write_whole;
use crate::progress::Progress;
use crate::report::write_rows;
use crate::running::program::{Program, Settings};
use crate::running::upstream::ScriptedUpstream;
use presentation::{Course, present};
use talking::talk;

/// How long to watch, and where to put the results.
#[derive(Debug, Clone)]
pub struct HandlesOptions {
    /// Minutes of the run, at least 1.
    pub minutes: u32,
    /// The `mainpoint` program.
    pub program: PathBuf,
    /// Directory for `handles.md` and `handles.jsonl`.
    pub out: PathBuf,
}

/// Open files of a process at a time after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    after: Duration,
    open: usize,
}

const EVERY: Duration = Duration::from_secs(2);
const BUDGET: u32 = 900;
/// So many files more than in the second tenth may be open in the last one: those that are open while they are read.
const SLACK: usize = 16;

/// Runs the program, counts, prints the course and writes the result files.
///
/// # Errors
/// Any failure of files or the program; also a number of open files that grows.
pub async fn run(options: &HandlesOptions) -> Result<(), BenchError> {
    let upstream =
        ScriptedUpstream::start(|number| format!("Noted, that makes {number} notes about herons so far.")).await?;
    let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let settings = Settings {
        budget: BUDGET,
        overrides: vec![
            setting("store.maintenance_interval_seconds", "1"),
            setting("memory.memory_tokens", "300"),
            setting("memory.digest_tokens", "100"),
        ],
        data: None,
    };
    let program = Program::start(&options.program, upstream.url(), &settings).await?;
    let counted = watch(&program, Duration::from_secs(60 * u64::from(options.minutes))).await?;
    program.end().await?;
    let course =
        Course::of(&counted).ok_or_else(|| BenchError::Proxy("its open files cannot be counted".to_owned()))?;
    let (mut report, figures) = present(options, &counted, course);
    anstream::println!("{}", report.terminal());
    let markdown = options.out.join("handles.md");
    write_whole(&markdown, report.markdown("Open files under maintenance").as_bytes())?;
    let lines = options.out.join("handles.jsonl");
    write_rows(&lines, &figures)?;
    anstream::println!("Written: {} and {}", markdown.display(), lines.display());
    if course.late > course.early + SLACK {
        let grown = format!(
            "its open files grow: {} at the most at first, {} in the end",
            course.early, course.late
        );
        return Err(BenchError::Proxy(grown));
    }
    Ok(())
}

/// Counts while somebody talks to the program.
async fn watch(program: &Program, length: Duration) -> Result<Vec<Count>, BenchError> {
    let started = Instant::now();
    let talking = tokio::spawn(talk(program.url().to_owned(), started + length));
    let mut progress = Progress::begin("counting open files", (length.as_secs() / EVERY.as_secs()) as usize);
    let mut counted = Vec::new();
    while started.elapsed() < length && !talking.is_finished() {
        tokio::time::sleep(EVERY).await;
        if let Some(open) = open_files(program) {
            counted.push(Count {
                after: started.elapsed(),
                open,
            });
        }
        progress.advance(1);
    }
    talking
        .await
        .map_err(|error| BenchError::Proxy(format!("nobody talks to it any more: {error}")))??;
    Ok(counted)
}

fn open_files(program: &Program) -> Option<usize> {
    let open = std::fs::read_dir(format!("/proc/{}/fd", program.id()?)).ok()?;
    Some(open.count())
}
