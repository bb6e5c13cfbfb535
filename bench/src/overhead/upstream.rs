//! The upstream as a child process of the benchmark.
//!
//! It must not know what the upstream answers.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::mock::LISTENING;
use crate::BenchError;

/// A running upstream. It ends when its standard input does, and is killed when dropped.
#[derive(Debug)]
pub(super) struct Upstream {
    child: Child,
    url: String,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Upstream {
    /// Starts `program upstream` and waits until it listens.
    ///
    /// # Errors
    /// [`BenchError::Program`] if it does not.
    pub(super) async fn start(program: &Path) -> Result<Self, BenchError> {
        let failed = |reason: String| BenchError::program("the upstream", reason);
        let mut child = Command::new(program)
            .arg("upstream")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("{} cannot be started: {error}", program.display())))?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| failed("it has no output".to_owned()))?;
        let mut lines = BufReader::new(output).lines();
        let line = match timeout(PATIENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => return Err(failed("it does not listen".to_owned())),
        };
        let url = line.strip_prefix(LISTENING).map(|url| url.trim().to_owned());
        let url = url.ok_or_else(|| failed(format!("it says \"{line}\"")))?;
        Ok(Self { child, url })
    }

    /// Its base URL, version included.
    #[must_use]
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it; waiting for a child closes its standard input first.
    pub(super) async fn end(mut self) {
        // Whatever does not end by itself is killed as this is dropped.
        let _ = timeout(PATIENCE, self.child.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn script(directory: &Path, text: &str) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn it_says_where_it_listens_and_ends_with_its_input() {
        let directory = tempfile::tempdir().unwrap();
        let text = format!("[ \"$1\" = upstream ] && echo '{LISTENING}http://127.0.0.1:4/v1'\ncat > /dev/null");
        let upstream = Upstream::start(&script(directory.path(), &text)).await.unwrap();
        assert_eq!(upstream.url(), "http://127.0.0.1:4/v1");
        upstream.end().await;
    }

    #[tokio::test]
    async fn anything_else_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = Upstream::start(&script(directory.path(), "echo hello"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("hello"), "{error}");
    }
}
