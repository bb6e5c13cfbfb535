//! Stores that were filled once by `mainpoint import` and are kept, by what was imported and how it is read.
//!
//! It must not know what they are used for. Whoever runs a program on one takes a working copy, since a run writes to it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use chrono::{DateTime, Utc};
use mainpoint_tests::binary;
use serde_json::{Value, json};

use crate::BenchError;
use crate::cache::{short_hash, write_whole};

/// A conversation that took place before anything is measured.
#[derive(Debug)]
pub(crate) struct History<'a> {
    /// What the store is called.
    pub(crate) name: &'a str,
    /// The key with which the application sends it.
    pub(crate) key: &'a str,
    /// Its messages as OpenAI's clients send them, with their times.
    pub(crate) messages: Vec<Value>,
}

/// A message as OpenAI's clients send it, with its time.
pub(crate) fn message(role: &str, text: &str, time: DateTime<Utc>) -> Value {
    json!({"role": role, "content": text, "created_at": time.to_rfc3339()})
}

impl History<'_> {
    /// The directory of the store that holds it, filled now if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be written, or the import fails.
    pub(crate) fn stored(&self, cache: &Path) -> Result<PathBuf, BenchError> {
        let line = json!({"conversation": self.name, "messages": self.messages}).to_string();
        let hash = short_hash(format!("{}{}\n{line}", env!("READING_FINGERPRINT"), self.key), 6);
        let home = cache.join("filled").join(format!("{}-{hash}", self.name));
        let (directory, filled) = (home.join("data"), home.join("filled"));
        if filled.is_file() {
            return Ok(directory);
        }
        // What an interrupted import has read is not read again.
        let file = home.join("history.jsonl");
        write_whole(&file, format!("{line}\n").as_bytes())?;
        anstream::println!("Reading {} …", self.name);
        self.import(&file, &directory)?;
        write_whole(&filled, b"")?;
        Ok(directory)
    }

    fn import(&self, file: &Path, directory: &Path) -> Result<(), BenchError> {
        const KEY: &str = "MAINPOINT_BENCH_KEY";
        let mut command = binary::command();
        // The product's own settings, whatever stands in the directory that the benchmark runs in.
        let settings = file.with_extension("toml");
        write_whole(&settings, b"")?;
        command.arg("import").arg(file).args(["--key-env", KEY, "--data-dir"]).arg(directory);
        command.arg("--config").arg(settings).env(KEY, self.key);
        let output = command.stdin(Stdio::null()).output();
        let output = output.map_err(BenchError::because("mainpoint import cannot be started"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(BenchError::program("mainpoint import", String::from_utf8_lossy(&output.stderr)))
    }
}
