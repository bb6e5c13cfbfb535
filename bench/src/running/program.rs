//! The built `mainpoint` program as a child process: started, listened to, and ended by SIGTERM.
//!
//! It must not know what is asked of the proxy.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::BenchError;

/// What the program is started with, beside its upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Most tokens of a forwarded prompt.
    pub budget: u32,
    /// Keys and values of the configuration as TOML writes them, such as `memory.low_water` and `0.4`. With any, the
    /// program reads a file with these alone; without, it looks for its configuration as always.
    pub overrides: Vec<(String, String)>,
    /// The data directory; without one the program gets an empty one that is gone afterwards.
    pub data: Option<PathBuf>,
}

/// A running proxy with a data directory of its own, or a given one. It is killed if dropped before [`Program::end`].
#[derive(Debug)]
pub struct Program {
    child: Child,
    url: String,
    directory: TempDir,
}

/// How much memory a process has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At the most.
    pub peak: u64,
}

/// Loading the model on a busy machine takes seconds; a first start may also fetch it.
const START_PATIENCE: Duration = Duration::from_secs(600);
const END_PATIENCE: Duration = Duration::from_secs(60);
const LISTENING: &str = "mainpoint listening on ";
const LOG: &str = "proxy.log";
const CONFIGURATION: &str = "config.toml";

impl Settings {
    /// Writes the configuration file into an existing directory; nothing without overrides.
    ///
    /// # Errors
    /// [`BenchError::Write`] if it cannot be written.
    pub(crate) fn write(&self, directory: &Path) -> Result<Option<PathBuf>, BenchError> {
        let Some(text) = configuration(&self.overrides) else {
            return Ok(None);
        };
        let file = directory.join(CONFIGURATION);
        std::fs::write(&file, text).map_err(BenchError::writing(&file))?;
        Ok(Some(file))
    }
}

impl Program {
    /// Starts the program on a free port and waits until it listens. `upstream` is a URL or `embedded`.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] with the end of its log if it does not listen, [`BenchError::Write`] if its directory
    /// cannot be filled.
    pub async fn start(path: &Path, upstream: &str, settings: &Settings) -> Result<Self, BenchError> {
        let directory = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
        let log = directory.path().join(LOG);
        let log_file = std::fs::File::create(&log).map_err(BenchError::writing(&log))?;
        let mut command = Command::new(path);
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--upstream",
                upstream,
                "--budget",
                &settings.budget.to_string(),
            ])
            .arg("--data-dir")
            .arg(settings.data.clone().unwrap_or_else(|| directory.path().join("data")));
        if let Some(file) = settings.write(directory.path())? {
            command.arg("--config").arg(file);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                BenchError::Proxy(format!("cannot start {}: {error}; set MAINPOINT_BIN", path.display()))
            })?;
        let stdout = child.stdout.take();
        let url = match timeout(START_PATIENCE, listening(stdout)).await {
            Ok(Some(url)) => url,
            Ok(None) => {
                return Err(BenchError::Proxy(format!(
                    "it ended before it listened:\n{}",
                    end_of(&log)
                )));
            }
            Err(_) => return Err(BenchError::Proxy(format!("it does not listen:\n{}", end_of(&log)))),
        };
        Ok(Self { child, url, directory })
    }

    /// The base URL that clients use.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of its process while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// A URL beside the base path, such as `/metrics`.
    #[must_use]
    pub fn beside(&self, path: &str) -> String {
        let authority = self.url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        format!("{authority}{path}")
    }

    /// Memory that it has now and the most it has had, in bytes, where the system says so.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        Some(Memory {
            resident: field(&status, "VmRSS:")?,
            peak: field(&status, "VmHWM:")?,
        })
    }

    /// Asks the program to end and waits until it has.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if it does not end well.
    pub async fn end(mut self) -> Result<(), BenchError> {
        let Some(id) = self.child.id() else {
            return Err(BenchError::Proxy(format!("it ended by itself:\n{}", self.log())));
        };
        // The standard library has no way to send SIGTERM; this tool is part of every Unix.
        let sent = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
        if !sent.is_ok_and(|status| status.success()) {
            return Err(BenchError::Proxy(format!("process {id} cannot be sent SIGTERM")));
        }
        match timeout(END_PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(BenchError::Proxy(format!("it ended with {status}:\n{}", self.log()))),
            Ok(Err(error)) => Err(BenchError::Proxy(format!("it cannot be waited for: {error}"))),
            Err(_) => Err(BenchError::Proxy(format!("it does not end:\n{}", self.log()))),
        }
    }

    /// Kills the program at once and waits until it is gone.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if it had ended by itself, or cannot be killed.
    pub async fn kill(mut self) -> Result<(), BenchError> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(BenchError::Proxy(format!(
                "it ended by itself with {status}:\n{}",
                self.log()
            )));
        }
        let killed = self.child.kill().await;
        killed.map_err(|error| BenchError::Proxy(format!("it cannot be killed: {error}")))
    }

    /// The end of its log.
    #[must_use]
    pub fn log(&self) -> String {
        end_of(&self.directory.path().join(LOG))
    }
}

/// The configuration file with these keys; none without any. TOML allows a dotted key for each.
fn configuration(overrides: &[(String, String)]) -> Option<String> {
    let lines = overrides.iter().map(|(key, value)| format!("{key} = {value}\n"));
    (!overrides.is_empty()).then(|| lines.collect())
}

/// Reads standard output until the line that names the address; the rest is read and let go, so
/// that the program never blocks on it.
async fn listening(stdout: Option<ChildStdout>) -> Option<String> {
    let mut lines = BufReader::new(stdout?).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(url) = line.strip_prefix(LISTENING) {
            let url = url.trim().to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(url);
        }
    }
    None
}

/// A field of Linux's description of a process, which counts in KiB.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The last lines of a log, or nothing.
pub(crate) fn end_of(log: &Path) -> String {
    const LINES: usize = 20;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("mainpoint");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn settings(budget: u32) -> Settings {
        Settings {
            budget,
            ..Settings::default()
        }
    }

    #[tokio::test]
    async fn overrides_stand_in_a_configuration_file_of_their_own() {
        let directory = tempfile::tempdir().unwrap();
        let text = "while [ \"$1\" != --config ]; do shift; done\ncat \"$2\" >&2\nexit 1";
        let mut settings = settings(2000);
        settings.overrides = vec![
            ("memory.low_water".to_owned(), "0.4".to_owned()),
            ("memory.mode".to_owned(), "\"on\"".to_owned()),
        ];
        let error = Program::start(&script(directory.path(), text), "embedded", &settings)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("memory.low_water = 0.4\nmemory.mode = \"on\""),
            "{error}"
        );
        assert_eq!(configuration(&[]), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tmainpoint\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(field(status, "VmRSS:"), Some(1024 * 1024));
        assert_eq!(field(status, "VmSwap:"), None);
    }

    #[tokio::test]
    async fn a_program_that_listens_is_asked_to_end() {
        let directory = tempfile::tempdir().unwrap();
        let text = "trap 'exit 0' TERM\necho starting\necho mainpoint listening on http://127.0.0.1:4/v1\nwhile :; do sleep 0.1; done";
        let program = Program::start(&script(directory.path(), text), "embedded", &settings(2000))
            .await
            .unwrap();
        assert_eq!(program.url(), "http://127.0.0.1:4/v1");
        assert_eq!(program.beside("/metrics"), "http://127.0.0.1:4/metrics");
        program.end().await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_fails_to_start_is_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let path = script(directory.path(), "echo \"$@\" >&2; exit 69");
        let error = Program::start(&path, "http://up/v1", &settings(1500))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--upstream http://up/v1 --budget 1500 --data-dir"),
            "{error}"
        );
        let missing = Program::start(&directory.path().join("none"), "embedded", &settings(2000))
            .await
            .unwrap_err()
            .to_string();
        assert!(missing.contains("MAINPOINT_BIN"), "{missing}");
    }
}
