//! A started proxy: the real binary with its own configuration and data directory, and a client for it.
//!
//! It knows the command line, the configuration file and the endpoints; it must not know what a test wants to show.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::answer::Answer;
use crate::deadline::{wait_until, within};
use crate::metrics::Metrics;
use crate::{binary, models, wire};

/// How long the proxy may take to load its models and listen, on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(120);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(60);
/// How long the reader may take for everything it was given.
const READING: Duration = Duration::from_secs(300);
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(120);

/// So many lines of the proxy's output are shown by a test that fails.
const LAST_LINES: usize = 60;

/// The caller whose requests name no other.
pub const TENANT: &str = "Bearer sk-test-tenant-a";

/// A folder for the configuration and the data of one proxy or of several that run one after the other.
#[derive(Debug)]
pub struct Home(TempDir);

/// A proxy to be started.
#[derive(Debug, Default)]
pub struct ProxyBuilder {
    /// Sections and lines of the configuration; of two lines with the same key the last one counts.
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    upstream: Option<String>,
    home: Option<Arc<Home>>,
    open_files: Option<usize>,
    outlives_file_limits: bool,
}

/// A running proxy; it is ended when dropped.
#[derive(Debug)]
pub struct StartedProxy {
    child: Child,
    base_url: String,
    home: Arc<Home>,
    output: Arc<Mutex<String>>,
    client: reqwest::Client,
}

impl Home {
    /// A fresh folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(
            TempDir::with_prefix("mainpoint-test-").expect("a temporary folder"),
        ))
    }

    /// The configuration file.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.0.path().join("config.toml")
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes the configuration file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.configuration(), text).expect("the configuration is written");
    }
}

impl ProxyBuilder {
    /// A proxy with the product's own settings: what is not set is what it ships with.
    #[must_use]
    pub fn as_shipped() -> Self {
        Self::default()
    }

    /// Sends everything to this upstream; without one the embedded chat model answers.
    #[must_use]
    pub fn upstream(mut self, base_url: &str) -> Self {
        self.upstream = Some(base_url.to_owned());
        self
    }

    /// Reads with the model that is used by default, and not with the light one: for what depends on how well memories are found.
    #[must_use]
    pub fn default_model(mut self) -> Self {
        self.settings.retain(|(_, line)| key(line) != "reader");
        self
    }

    /// Adds a line such as `budget_tokens = 2000` to a section of the configuration.
    #[must_use]
    pub fn setting(mut self, section: &str, line: &str) -> Self {
        self.settings
            .retain(|(other, set)| other != section || key(set) != key(line));
        self.settings.push((section.to_owned(), line.to_owned()));
        self
    }

    /// Sets the budget, and the share of it that memories may take.
    #[must_use]
    pub fn budget(self, tokens: usize, memory: usize) -> Self {
        self.setting("memory", &format!("budget_tokens = {tokens}"))
            .setting("memory", &format!("memory_tokens = {memory}"))
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses an existing folder, with the data that are in it.
    #[must_use]
    pub fn home(mut self, home: &Arc<Home>) -> Self {
        self.home = Some(Arc::clone(home));
        self
    }

    /// Lets the process open so many files and no more.
    #[must_use]
    pub fn open_files(mut self, most: usize) -> Self {
        self.open_files = Some(most);
        self
    }

    /// Lets the process go on when a file would grow beyond a limit that it was set, as on a full disk.
    #[must_use]
    pub fn outliving_file_limits(mut self) -> Self {
        self.outlives_file_limits = true;
        self
    }

    /// Starts the proxy and waits until it listens.
    ///
    /// # Panics
    /// When it does not; the message holds what the process said.
    pub async fn start(self) -> StartedProxy {
        let home = self.home.clone().unwrap_or_else(Home::new);
        home.configure(&self.document(&home));
        let mut command = match self.open_files {
            Some(most) => binary::command_with_files(most),
            None if self.outlives_file_limits => binary::command_outliving_file_limits(),
            None => binary::command(),
        };
        command
            .arg("serve")
            .arg("--config")
            .arg(home.configuration())
            .args(["--listen", "127.0.0.1:0"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the proxy's process starts");
        let output = Arc::new(Mutex::new(String::new()));
        let lines = watch(child.stdout.take().expect("a pipe"), &output);
        let _ = watch(child.stderr.take().expect("a pipe"), &output);
        let listening = tokio::task::spawn_blocking(move || listening_line(&lines))
            .await
            .expect("a thread");
        let client = wire::client();
        let mut proxy = StartedProxy {
            child,
            base_url: String::new(),
            home,
            output,
            client,
        };
        match listening {
            Some(url) => proxy.base_url = url,
            None => {
                let state = proxy.child.try_wait();
                panic!(
                    "the proxy does not listen; its process: {state:?}; it said:\n{}",
                    proxy.output()
                );
            }
        }
        proxy
    }

    fn document(&self, home: &Home) -> String {
        let mut lines = self.settings.clone();
        if !lines
            .iter()
            .any(|(section, line)| section == "store" && key(line) == "directory")
        {
            lines.push(("store".to_owned(), format!("directory = {:?}", home.data())));
        }
        let upstream = self.upstream.as_deref().unwrap_or("embedded");
        lines.push(("upstream".to_owned(), format!("url = {upstream:?}")));
        lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut text = String::new();
        let mut open = "";
        for (section, line) in &lines {
            if open != section {
                text.push_str(&format!("[{section}]\n"));
                open = section;
            }
            text.push_str(&format!("{line}\n"));
        }
        text
    }
}

impl StartedProxy {
    /// A proxy to be set up and started as tests need it: it reads with the light model and gives the memory time, since tests
    /// run beside each other on few cores and how fast the memory is belongs to the benchmarks.
    ///
    /// # Panics
    /// When a model is not installed.
    #[must_use]
    pub fn builder() -> ProxyBuilder {
        models::require();
        ProxyBuilder::as_shipped()
            .setting("models", "reader = \"all-minilm-l6-v2\"")
            .setting("memory", "deadline_ms = 60000")
    }

    /// The base URL that the process printed, including `/v1`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Host and port.
    ///
    /// # Panics
    /// When the base URL has none.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.base_url.strip_prefix("http://").expect("a http URL");
        rest.split('/').next().expect("a host")
    }

    /// The folder of configuration and data.
    #[must_use]
    pub fn home(&self) -> Arc<Home> {
        Arc::clone(&self.home)
    }

    /// The number that the system has given the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Everything the process wrote so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last lines of what the process wrote.
    fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// The client, for requests of any other kind.
    #[must_use]
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// A request to a path of the server, such as `/v1/models`, with the caller's key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.authority()))
            .header("authorization", TENANT)
    }

    /// Asks for a chat completion and leaves the answer's body to be read.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn open_chat(&self, body: impl Into<Bytes>) -> reqwest::Response {
        self.open_chat_as(TENANT, body).await
    }

    /// Asks for a chat completion.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn chat(&self, body: impl Into<Bytes>) -> Answer {
        Answer::of(self.open_chat(body).await).await
    }

    /// Asks for a chat completion in another caller's name.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn chat_as(&self, authorization: &str, body: impl Into<Bytes>) -> Answer {
        Answer::of(self.open_chat_as(authorization, body).await).await
    }

    /// Gets a path of the server.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(TENANT, path).await
    }

    /// Gets a path of the server in another caller's name.
    ///
    /// # Panics
    /// When there is no complete answer.
    pub async fn get_as(&self, authorization: &str, path: &str) -> Answer {
        let request = self.client.get(format!("http://{}{path}", self.authority()));
        let sent = request.header("authorization", authorization).send();
        Answer::of(
            sent.await
                .unwrap_or_else(|error| panic!("GET {path}: {error:?}\n{}", self.last_words())),
        )
        .await
    }

    /// The metrics of this moment.
    ///
    /// # Panics
    /// When there are none.
    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").await.text())
    }

    /// Waits until every turn has been read.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn everything_read(&self) {
        wait_until("every turn is read", READING, || async {
            let metrics = self.metrics().await;
            assert!(
                metrics.has("mainpoint_backlog_turns"),
                "the metrics say nothing about the backlog"
            );
            metrics.sum("mainpoint_backlog_turns", &[]) == 0.0
        })
        .await;
    }

    /// Waits until every turn that came has been read, and searches of other conversations find it.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn everything_searchable(&self) {
        self.everything_read().await;
        wait_until("every turn is flushed", READING, || async {
            let metrics = self.metrics().await;
            assert!(
                metrics.has("mainpoint_unflushed_turns"),
                "the metrics say nothing about the store"
            );
            metrics.sum("mainpoint_unflushed_turns", &[]) == 0.0
        })
        .await;
    }

    /// Really stops a part of the process: `reader`, `questions` or `store`.
    ///
    /// # Panics
    /// When the proxy refuses.
    pub async fn stop_part(&self, part: &str) {
        let sent = self
            .request(Method::POST, "/mainpoint/faults")
            .body(json!({"stop": part}).to_string())
            .send();
        let answer = Answer::of(sent.await.expect("an answer")).await;
        assert!(
            answer.status.is_success(),
            "stopping the {part}: {} {}",
            answer.status,
            answer.text()
        );
    }

    /// Ends the process at once, as a crash would.
    ///
    /// # Panics
    /// When it does not end, or has ended by itself before.
    pub async fn kill(mut self) {
        let state = self.child.try_wait();
        assert!(
            matches!(state, Ok(None)),
            "the proxy has ended by itself: {state:?}; it said:\n{}",
            self.last_words()
        );
        self.child.kill().expect("the process is killed");
        let ended = tokio::task::spawn_blocking(move || binary::wait(&mut self.child, STOP));
        ended.await.expect("a thread");
    }

    /// Ends the process in good order, as a service manager would.
    ///
    /// # Panics
    /// When it does not end in time, or not with status 0.
    pub async fn stop(mut self) -> Arc<Home> {
        binary::terminate(&self.child);
        let home = Arc::clone(&self.home);
        let stopped = tokio::task::spawn_blocking(move || (binary::wait(&mut self.child, STOP), self.last_words()));
        let (code, said) = stopped.await.expect("a thread");
        assert_eq!(
            code,
            Some(0),
            "after SIGTERM the proxy ends with status 0 within {STOP:?}; it said:\n{said}"
        );
        home
    }

    async fn open_chat_as(&self, authorization: &str, body: impl Into<Bytes>) -> reqwest::Response {
        let request = self.client.post(format!("{}/chat/completions", self.base_url));
        let request = request
            .header("authorization", authorization)
            .header("content-type", "application/json");
        let sent = within("a chat completion begins", REQUEST, request.body(body.into()).send()).await;
        sent.unwrap_or_else(|error| {
            panic!(
                "no answer to a chat request: {error:?}; the proxy said:\n{}",
                self.last_words()
            )
        })
    }
}

impl Drop for StartedProxy {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            binary::terminate(&self.child);
            let _ = binary::wait(&mut self.child, STOP);
        }
        if std::thread::panicking() {
            report(&self.last_words());
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what the proxy said")]
fn report(output: &str) {
    eprintln!("--- the proxy said ---\n{output}\n----------------------");
}

/// The key of a line of the configuration.
fn key(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}

/// The base URL from the line that says it listens; `None` when the process ends or takes too long.
fn listening_line(lines: &Receiver<String>) -> Option<String> {
    let start = std::time::Instant::now();
    while let Ok(line) = lines.recv_timeout(START.saturating_sub(start.elapsed())) {
        if let Some(url) = line.strip_prefix("mainpoint listening on ") {
            return Some(url.trim().to_owned());
        }
    }
    None
}

/// Collects what a pipe carries, and hands out its lines.
fn watch(pipe: impl Read + Send + 'static, output: &Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, lines) = channel();
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut collected = output.lock().unwrap_or_else(PoisonError::into_inner);
            collected.push_str(&line);
            collected.push('\n');
            drop(collected);
            let _ = sender.send(line);
        }
    });
    lines
}
