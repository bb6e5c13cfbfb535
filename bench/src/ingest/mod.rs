//! `mainpoint-bench ingest`: a long history taken in at once, by an import that is killed on the way.
//!
//! Question: how fast does `mainpoint import` read a history of a million tokens, what does it keep on disk, what does being
//! killed cost, and how soon does a proxy answer on the store that comes of it? Method: recorded conversations of short turns
//! and of long messages, repeated in other words, are written as the import's JSON Lines; the built program imports them, is
//! killed by SIGKILL at a share of the way and started again; a third run, which must find nothing left to do, and the
//! number of rows say whether every turn was read once; then the proxy is started on the store. Baselines: that third run for
//! what starting anew costs, the proxy's start on an empty store, and the light model.

mod checks;
mod history;
mod importing;
mod mixing;
mod presentation;
mod readiness;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use self::history::Extent;
use self::importing::{Finished, Importer, Killed};
use self::presentation::present;
use self::readiness::Readiness;
use crate::BenchError;
use crate::cache::write_whole;
use crate::product;
use crate::recorded::{self, Conversation};
use crate::report::{Report, write_rows};
use crate::running::program::Settings;

/// What to import and where to put the results.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Tokens of the history, at four bytes each.
    pub tokens: usize,
    /// At which share of the history the first run is killed, in per cent, 25 to 99.
    pub kill_at: u32,
    /// Files of recorded conversations, and directories of BEAM chats, that the history takes turns with.
    pub data: Vec<PathBuf>,
    /// The models that read, as `models.reader` names them; `None` for the product's own.
    pub readers: Vec<Option<String>>,
    /// The `mainpoint` program.
    pub program: PathBuf,
    /// Directory for `ingest.md` and `ingest.jsonl`.
    pub out: PathBuf,
}

/// Everything that was measured.
#[derive(Debug)]
struct Measured {
    /// The model that read; `None` for the product's own.
    reader: Option<String>,
    /// What the history holds.
    extent: Extent,
    /// What it is made of.
    material: String,
    killed: Killed,
    resumed: Finished,
    /// The run that has nothing left to do.
    again: Finished,
    readiness: Readiness,
}

/// What the history is made of.
#[derive(Debug, Default)]
struct Sources {
    name: String,
    conversations: Vec<Vec<Conversation>>,
}

/// A run may take this long, whatever it imports …
const PATIENCE: Duration = Duration::from_secs(600);
/// … and a second longer for so many tokens.
const SLOWEST: usize = 20;

/// Imports, starts, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, files or the program; also an import that loses, repeats or starts over what it had read.
pub async fn run(options: &IngestOptions) -> Result<(), BenchError> {
    let sources = Sources::load(&options.data)?;
    let directory = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
    let file = directory.path().join("history.jsonl");
    let extent = history::write(&file, &sources.conversations, options.tokens)?;
    let (mut report, mut figures) = (Report::default(), Vec::new());
    for reader in &options.readers {
        let home = tempfile::tempdir_in(directory.path()).map_err(BenchError::writing(directory.path()))?;
        let importer = Importer {
            program: options.program.clone(),
            settings: Settings {
                overrides: product::overrides(reader.as_deref()),
                ..Settings::default()
            },
            history: file.clone(),
            store: home.path().join("store"),
            logs: home.path().to_owned(),
            patience: PATIENCE + Duration::from_secs((options.tokens / SLOWEST) as u64),
        };
        let killed = importer.until(options.kill_at).await?;
        let resumed = importer.to_the_end("resumed").await?;
        let again = importer.to_the_end("again").await?;
        let once = checks::once(&extent, &resumed.summary, &again.summary);
        once.map_err(|reason| BenchError::program("mainpoint import", reason))?;
        let measured = Measured {
            reader: reader.clone(),
            extent,
            material: sources.name.clone(),
            killed,
            resumed,
            again,
            readiness: readiness::measure(&importer).await?,
        };
        figures.extend(present(options, &measured, &mut report));
    }
    anstream::println!("{}", report.terminal());
    let markdown = options.out.join("ingest.md");
    write_whole(&markdown, report.markdown("Taking in a long history").as_bytes())?;
    let lines = options.out.join("ingest.jsonl");
    write_rows(&lines, &figures)?;
    anstream::println!("Written: {} and {}", markdown.display(), lines.display());
    Ok(())
}

impl Sources {
    /// Reads every path; conversations in which nothing is said are left out.
    fn load(paths: &[PathBuf]) -> Result<Self, BenchError> {
        let (mut names, mut all) = (Vec::new(), Vec::new());
        for path in paths {
            let (kind, mut conversations) = recorded::load(path)?;
            conversations.retain(|found| found.turns.iter().any(|turn| !turn.text.trim().is_empty()));
            if conversations.is_empty() {
                return Err(BenchError::Data {
                    path: path.clone(),
                    reason: "it has no conversations".to_owned(),
                });
            }
            names.push(kind.name());
            all.push(conversations);
        }
        Ok(Self {
            name: names.join(" + "),
            conversations: all,
        })
    }
}
