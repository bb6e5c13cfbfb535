//! The load tool `wrk`: it sends one body over and over for some seconds and says how fast that went.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::bodies::Size;
use super::destination::Destination;
use crate::{BenchError, Failing};

/// The tool with its script and bodies, in a directory of its own.
#[derive(Debug)]
pub(super) struct LoadTool {
    directory: TempDir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) size: Size,
    /// Connections at once, each with one request at a time.
    pub(super) connections: u32,
    pub(super) seconds: u64,
}

/// What the tool has counted, as its script says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub(super) struct Counted {
    /// Requests that were answered well.
    pub(super) requests: f64,
    /// How long it took, in seconds.
    pub(super) seconds: f64,
    /// Half of the answers took no longer, in microseconds.
    pub(super) p50_us: f64,
    /// 99 % of the answers took no longer, in microseconds.
    pub(super) p99_us: f64,
    /// Requests without an answer, or with one that says that something failed.
    pub(super) failures: f64,
}

const TOOL: &str = "wrk";
/// A request that takes longer counts as failed.
const REQUEST_PATIENCE: &str = "10s";
/// How long the tool may take beyond the time that it sends for.
const PATIENCE: Duration = Duration::from_secs(60);
const SCRIPT: &str = include_str!("../../compare/load.lua");

impl LoadTool {
    /// Writes the script and the bodies.
    pub(super) fn prepare() -> Result<Self, BenchError> {
        let directory = tempfile::tempdir().when_writing("a temporary directory")?;
        let tool = Self { directory };
        std::fs::write(tool.script(), SCRIPT).when_writing(tool.script())?;
        for size in Size::ALL {
            let path = tool.body(size);
            std::fs::write(&path, size.body()).when_writing(&path)?;
        }
        Ok(tool)
    }

    pub(super) async fn send(&self, to: &Destination, load: Load) -> Result<Counted, BenchError> {
        let failed = |reason: String| BenchError::program(TOOL, reason);
        let headers = to.headers.iter().flat_map(|(name, value)| ["--header".to_owned(), format!("{name}: {value}")]);
        let running = Command::new(TOOL)
            .args(["--threads", "1", "--timeout", REQUEST_PATIENCE])
            .args(["--connections", &load.connections.to_string()])
            .args(["--duration", &format!("{}s", load.seconds)])
            .args(headers)
            .arg("--script")
            .arg(self.script())
            .arg(to.chat())
            .env("BODY", self.body(load.size))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(Duration::from_secs(load.seconds) + PATIENCE, running).await;
        let output = output.map_err(|_| failed("it does not end".to_owned()))?;
        let output = output.map_err(|error| {
            failed(format!("it cannot be started ({error}); scripts/install-load-tools.sh installs it"))
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        parse(&text).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            failed(format!("it ended with {} and said:\n{text}{errors}", output.status))
        })
    }

    fn script(&self) -> PathBuf {
        self.directory.path().join("load.lua")
    }

    fn body(&self, size: Size) -> PathBuf {
        self.directory.path().join(format!("{}.json", size.name()))
    }
}

impl Counted {
    pub(super) fn per_second(&self) -> f64 {
        self.requests / self.seconds.max(f64::MIN_POSITIVE)
    }
}

/// Finds the line of figures in what the tool prints.
fn parse(text: &str) -> Option<Counted> {
    text.lines().find_map(|line| serde_json::from_str(line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_figures_is_found_in_the_report() {
        let text = "Running 2s test\n  2 requests in 2.00s\n\
            {\"requests\": 4000, \"seconds\": 2.0, \"p50_us\": 378, \"p99_us\": 5298, \"failures\": 1}\n";
        let counted = parse(text);
        let expected = Counted { requests: 4000.0, seconds: 2.0, p50_us: 378.0, p99_us: 5298.0, failures: 1.0 };
        assert_eq!(counted, Some(expected));
        assert!((expected.per_second() - 2000.0).abs() < 1e-6);
        assert_eq!(parse("{\"requests\": 4000}"), None);
        assert_eq!(parse("unable to connect"), None);
    }
}
