//! The load tool `wrk`: it sends one body over and over for some seconds and says how fast that went.
//!
//! It must not know who answers.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::bodies::Size;
use super::destination::Destination;
use crate::BenchError;

/// The tool with its scripts and bodies, in a directory of its own.
#[derive(Debug)]
pub(super) struct LoadTool {
    directory: TempDir,
}

/// How much is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// What is sent.
    pub(super) size: Size,
    /// Connections at once, each with one request at a time.
    pub(super) connections: u32,
    /// For how long.
    pub(super) seconds: u64,
}

/// What the tool has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
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

/// The program's name.
const TOOL: &str = "wrk";
/// A request that takes longer counts as failed.
const REQUEST_PATIENCE: &str = "10s";
/// How long the tool may take beyond the time that it sends for.
const PATIENCE: Duration = Duration::from_secs(60);
/// What its line of figures begins with.
const MARK: &str = "measured ";

impl LoadTool {
    /// Writes the bodies.
    pub(super) fn prepare() -> Result<Self, BenchError> {
        let directory = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
        for size in Size::ALL {
            let path = body_path(directory.path(), size);
            std::fs::write(&path, size.body()).map_err(BenchError::writing(&path))?;
        }
        Ok(Self { directory })
    }

    /// Sends the load and counts.
    pub(super) async fn send(&self, to: &Destination, load: Load) -> Result<Counted, BenchError> {
        let failed = |reason: String| BenchError::program(TOOL, reason);
        let script = self.directory.path().join("load.lua");
        let text = script_text(&body_path(self.directory.path(), load.size), to);
        std::fs::write(&script, text).map_err(BenchError::writing(&script))?;
        let running = Command::new(TOOL)
            .args(["--threads", "1", "--timeout", REQUEST_PATIENCE])
            .args(["--connections", &load.connections.to_string()])
            .args(["--duration", &format!("{}s", load.seconds)])
            .arg("--script")
            .arg(&script)
            .arg(to.chat())
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
}

impl Counted {
    /// Answers in a second.
    pub(super) fn per_second(&self) -> f64 {
        self.requests / self.seconds.max(f64::MIN_POSITIVE)
    }
}

fn body_path(directory: &Path, size: Size) -> PathBuf {
    directory.join(format!("{}.json", size.name()))
}

/// What the tool runs: it sends the body and at the end writes a line of figures.
fn script_text(body: &Path, to: &Destination) -> String {
    let headers: String =
        (to.headers().iter()).map(|(name, value)| format!("wrk.headers[\"{name}\"] = \"{value}\"\n")).collect();
    format!(
        r#"local file = assert(io.open("{}", "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
{headers}
done = function(summary, latency, requests)
    local errors = summary.errors
    local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    local answered = summary.requests - errors.status
    local p50, p99 = latency:percentile(50), latency:percentile(99)
    io.write(string.format("{MARK}%.0f %.0f %.0f %.0f %.0f\n", answered, summary.duration, p50, p99, failures))
end
"#,
        body.display()
    )
}

/// Finds the line of figures: requests, microseconds in all, median, 99th percentile, failures.
fn parse(text: &str) -> Option<Counted> {
    let line = text.lines().find_map(|line| line.strip_prefix(MARK))?;
    let values: Option<Vec<f64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
    let [requests, duration_us, p50_us, p99_us, failures] = values?.try_into().ok()?;
    Some(Counted { requests, seconds: duration_us / 1e6, p50_us, p99_us, failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_figures_is_found_in_the_report() {
        let text = "Running 2s test\n  2 requests in 2.00s\nmeasured 4000 2000000 378 5298 1\n";
        let counted = parse(text);
        let expected = Counted { requests: 4000.0, seconds: 2.0, p50_us: 378.0, p99_us: 5298.0, failures: 1.0 };
        assert_eq!(counted, Some(expected));
        assert!((expected.per_second() - 2000.0).abs() < 1e-6);
        assert_eq!(parse("measured 1 2 3"), None);
        assert_eq!(parse("unable to connect"), None);
    }

    #[test]
    fn the_script_names_the_body_and_every_header() {
        let text = script_text(Path::new("/some/1KB.json"), &Destination::at("http://u/v1").with("x-a", "b"));
        assert!(text.contains("io.open(\"/some/1KB.json\", \"rb\")"));
        assert!(text.contains("wrk.headers[\"x-a\"] = \"b\"\n"));
        assert!(text.contains("\"measured %.0f %.0f %.0f %.0f %.0f\\n\""), "{text}");
    }
}
