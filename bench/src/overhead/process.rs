//! A proxy of others as a child process: started in a process group of its own, waited for, and ended with all of its group.
//!
//! Its environment holds only what it is given, so no secrets.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::bodies::Size;
use super::destination::{self, Destination};
use crate::{BenchError, Failing};

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) upstream: String,
    pub(super) installed: PathBuf,
    /// What the repository keeps about them: `bench/compare`.
    pub(super) pins: PathBuf,
    pub(super) directory: PathBuf,
}

/// How a proxy is started and asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Its environment, beside the search path, a home directory of its own, and the language.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) destination: Destination,
    pub(super) version: String,
}

/// A running process. It and its group are killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    id: u32,
    name: String,
    log: PathBuf,
}

const START_PATIENCE: Duration = Duration::from_secs(120);
const END_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

impl Process {
    /// Starts what `recipe` says, with the existing `directory` for its log and as its home, and waits until a chat request
    /// through it is answered. `name` is for messages.
    pub(super) async fn start(name: &str, recipe: &Recipe, directory: &Path) -> Result<Self, BenchError> {
        let log = directory.join(format!("{name}.log"));
        let output = std::fs::File::create(&log).when_writing(&log)?;
        let errors = output.try_clone().when_writing(&log)?;
        let child = Command::new(&recipe.program)
            .args(&recipe.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", directory)
            .env("LANG", "C.UTF-8")
            .envs(recipe.environment.iter().map(|(key, value)| (*key, value.as_str())))
            .current_dir(directory)
            // It is never written to, and ends with whoever holds its other end.
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = recipe.program.display();
                BenchError::program(name, format!("{program} cannot be started: {error}"))
            })?;
        let id = child.id().ok_or_else(|| BenchError::program(name, "it ended at once"))?;
        let name = name.to_owned();
        let mut process = Self { child, id, name, log };
        process.wait_until_it_answers(&recipe.destination).await?;
        Ok(process)
    }

    /// The process and the number of its group.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    async fn wait_until_it_answers(&mut self, destination: &Destination) -> Result<(), BenchError> {
        let client = destination::client(START_PATIENCE)?;
        let started = Instant::now();
        let mut last = "nothing listens".to_owned();
        while started.elapsed() < START_PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(&format!("it ended with {status}")));
            }
            match destination.ask(&client, Size::Small).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error.with_causes(),
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.failed(&format!("it does not answer: {last}")))
    }

    /// Asks the process to end, waits for a while, and ends the rest of its group.
    pub(super) async fn end(mut self) {
        signal("-TERM", self.id);
        // Whatever is left then is killed as this is dropped.
        let _ = tokio::time::timeout(END_PATIENCE, self.child.wait()).await;
    }

    fn failed(&self, reason: &str) -> BenchError {
        const LINES: usize = 20;
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
        BenchError::program(&self.name, format!("{reason}\n{end}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        signal("-KILL", self.id);
    }
}

pub(super) fn free_port() -> Result<u16, BenchError> {
    let address = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .because("there is no free port")?;
    Ok(address.port())
}

/// Sends a signal to a process group that was started here. The standard library cannot; this tool is part of every Unix.
fn signal(name: &str, group: u32) {
    // A group that has ended already is as good as one that ends now.
    let _ = std::process::Command::new("kill")
        .args([name, "--", &format!("-{group}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use mainpoint_tests::wait_until;

    use super::*;

    fn recipe(script: &str) -> Recipe {
        Recipe {
            program: PathBuf::from("/bin/sh"),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![("GIVEN", "yes".to_owned())],
            destination: Destination::at("http://127.0.0.1:1/v1"),
            ..Recipe::default()
        }
    }

    #[tokio::test]
    async fn a_process_that_ends_is_quoted_and_has_only_its_own_environment() {
        let directory = tempfile::tempdir().unwrap();
        let recipe = recipe("echo given $GIVEN, cargo ${CARGO_MANIFEST_DIR:-none}; exit 3");
        let started = Process::start("some", &recipe, directory.path()).await;
        let error = started.map(drop).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("given yes, cargo none"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_children_of_a_process_end_with_it() {
        let upstream = mainpoint_tests::ScriptedUpstream::start().await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("child");
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let recipe = Recipe { destination: Destination::at(upstream.base_url()), ..recipe(&script) };
        let process = Process::start("some", &recipe, directory.path()).await.unwrap();
        wait_until("the script runs", END_PATIENCE, || async { file.exists() }).await;
        let child: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let sleeps = || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| stat.contains(") S "));
        wait_until("the child sleeps", END_PATIENCE, || async { sleeps() }).await;
        process.end().await;
        wait_until("the child sleeps no more", END_PATIENCE, || async { !sleeps() }).await;
    }
}
