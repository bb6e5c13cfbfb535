//! Stores that were filled once by `mainpoint import` and are kept, by what was imported and how it is read.
//!
//! The program runs on a working copy, since a run writes to its store: LanceDB never changes a file once it is
//! written, so its files are linked; others are copied.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use chrono::{DateTime, Utc};
use clap::Args;
use mainpoint_tests::{ScriptedUpstream, StartedProxy, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cache::{files_below, short_hash, write_whole};
use crate::running::{Client, MODEL, program, setting, with};
use crate::{BenchError, Failing, locate};

/// How the program is set that is played with, and where everything is kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlayOptions {
    /// A key of the proxy's configuration, such as memory.low_water=0.4; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, String)>,
    /// Directory of the results.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    pub(crate) out: PathBuf,
    /// Directory of stores that were filled and of answers that were given, so that a run goes on where another ended.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::cache())]
    pub(crate) cache: PathBuf,
}

/// What took place before anything is measured.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) name: &'a str,
    /// The key with which the application sends it.
    pub(crate) key: &'a str,
    /// The conversations, oldest first.
    pub(crate) conversations: Vec<Recorded>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    /// What it is called, unlike every other one of its history.
    pub(crate) name: String,
    /// Its messages as OpenAI's clients send them, with their times.
    pub(crate) messages: Vec<Value>,
}

/// The program on a copy of the store that holds a history, in front of an upstream that says what it is told to.
pub(crate) struct Stage {
    pub(crate) proxy: StartedProxy,
    pub(crate) upstream: ScriptedUpstream,
    key: String,
    _store: TempDir,
}

/// A message as OpenAI's clients send it, with its time.
pub(crate) fn message(role: &str, text: &str, time: DateTime<Utc>) -> Value {
    json!({"role": role, "content": text, "created_at": time.to_rfc3339()})
}

impl<'a> History<'a> {
    /// A history of a single conversation, which is called as its store is.
    pub(crate) fn of_one(name: &'a str, key: &'a str, messages: Vec<Value>) -> Self {
        Self { name, key, conversations: vec![Recorded { name: name.to_owned(), messages }] }
    }

    /// Starts the program with so many tokens for a prompt and these settings, of which the later ones count more.
    ///
    /// # Errors
    /// When a directory cannot be written, or the import fails.
    pub(crate) async fn play(
        &self,
        cache: &Path,
        budget: u32,
        defaults: &[(&str, &str)],
        settings: &[(String, String)],
    ) -> Result<Stage, BenchError> {
        let store = working_copy(&self.stored(cache)?)?;
        let upstream = ScriptedUpstream::start().await;
        let builder = program(&upstream, budget, defaults.iter().copied());
        let builder = with(builder, settings.iter().map(|(key, value)| (key, value)));
        let proxy = with(builder, [("store.directory", format!("{:?}", store.path()))]).start().await;
        Ok(Stage { proxy, upstream, key: self.key.to_owned(), _store: store })
    }

    /// The directory of the store that holds it, filled now if it is not there.
    fn stored(&self, cache: &Path) -> Result<PathBuf, BenchError> {
        let lines = self.lines();
        let hash = short_hash(format!("{}{}\n{lines}", env!("READING_FINGERPRINT"), self.key), 6);
        let home = cache.join("filled").join(format!("{}-{hash}", self.name));
        let (directory, filled) = (home.join("data"), home.join("filled"));
        if filled.is_file() {
            return Ok(directory);
        }
        // What an interrupted import has read is not read again.
        let file = home.join("history.jsonl");
        write_whole(&file, format!("{lines}\n").as_bytes())?;
        anstream::println!("Reading {} …", self.name);
        self.import(&file, &directory)?;
        write_whole(&filled, b"")?;
        Ok(directory)
    }

    /// What is imported: a conversation on each line.
    fn lines(&self) -> String {
        let line = |one: &Recorded| json!({"conversation": one.name, "messages": one.messages}).to_string();
        self.conversations.iter().map(line).collect::<Vec<String>>().join("\n")
    }

    fn import(&self, file: &Path, directory: &Path) -> Result<(), BenchError> {
        const KEY: &str = "MAINPOINT_BENCH_KEY";
        let mut command = binary::command();
        // The product's own settings, whatever stands in the directory that the benchmark runs in.
        let settings = file.with_extension("toml");
        write_whole(&settings, b"")?;
        command.arg("import").arg(file).args(["--key-env", KEY, "--data-dir"]).arg(directory);
        command.arg("--config").arg(settings).env(KEY, self.key);
        let output = command.stdin(Stdio::null()).output().because("mainpoint import cannot be started")?;
        if output.status.success() {
            return Ok(());
        }
        Err(BenchError::program("mainpoint import", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Stage {
    /// A chat of whoever the history belongs to.
    pub(crate) fn client(&self, system: &str) -> Client {
        Client::new(MODEL, &self.key, system)
    }

    pub(crate) async fn end(self) {
        self.proxy.stop().await;
    }
}

/// Where LanceDB's files lie in a store's directory.
const IMMUTABLE: &str = "lance";

/// A copy beside the store, which is gone when it is dropped.
pub(crate) fn working_copy(store: &Path) -> Result<TempDir, BenchError> {
    let beside = store.parent().unwrap_or(Path::new("."));
    let copy = TempDir::with_prefix_in("working-", beside).when_writing(beside)?;
    for from in files_below(store)? {
        let below = from.strip_prefix(store).unwrap_or(&from);
        let to = copy.path().join(below);
        let folder = to.parent().unwrap_or(copy.path());
        std::fs::create_dir_all(folder).when_writing(folder)?;
        let is_linked = below.starts_with(IMMUTABLE) && std::fs::hard_link(&from, &to).is_ok();
        if !is_linked {
            std::fs::copy(&from, &to).when_writing(&to)?;
        }
    }
    Ok(copy)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cache::bytes_of;

    /// The options of a study that is started with these arguments.
    pub(crate) fn parsed<O: Args>(arguments: &[&str]) -> O {
        let command = O::augment_args(clap::Command::new("a study").no_binary_name(true));
        O::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
    }

    #[test]
    fn every_conversation_is_a_line_of_its_own() {
        let said = |text: &str| vec![message("user", text, DateTime::UNIX_EPOCH)];
        let recorded = |name: &str| Recorded { name: name.to_owned(), messages: said("two\nlines") };
        let conversations = ["some, session 1", "some, session 2"].map(recorded).to_vec();
        let lines = History { name: "some", key: "k", conversations }.lines();
        let read: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let names: Vec<&str> = read.iter().filter_map(|line| line["conversation"].as_str()).collect();
        assert_eq!(names, ["some, session 1", "some, session 2"]);
        assert_eq!(read[1]["messages"][0]["created_at"], "1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn a_single_conversation_is_called_as_its_store_is() {
        let history = History::of_one("some", "k", Vec::new());
        assert_eq!(history.lines(), r#"{"conversation":"some","messages":[]}"#);
    }

    #[test]
    fn what_is_written_to_a_copy_is_not_in_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("data");
        std::fs::create_dir_all(store.join("lance/turns.lance")).unwrap();
        std::fs::write(store.join("lance/turns.lance/rows"), "rows").unwrap();
        std::fs::write(store.join("journal.redb"), "journal").unwrap();
        let copy = working_copy(&store).unwrap();
        let bytes = |directory: &Path| bytes_of(&files_below(directory).unwrap()).unwrap();
        assert_eq!(bytes(copy.path()), bytes(&store));
        std::fs::write(copy.path().join("journal.redb"), "another").unwrap();
        std::fs::remove_file(copy.path().join("lance/turns.lance/rows")).unwrap();
        assert_eq!(std::fs::read(store.join("journal.redb")).unwrap(), b"journal");
        assert_eq!(std::fs::read(store.join("lance/turns.lance/rows")).unwrap(), b"rows");
    }
}
