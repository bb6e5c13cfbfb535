//! A started proxy: the real binary with its own configuration and data directory, and a client for it.
//!
//! It knows the command line, the configuration file and the endpoints.

mod builder;
mod home;
mod output;
mod requests;

use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use builder::ProxyBuilder;
pub use home::Home;
use output::Output;

use crate::{ScriptedUpstream, binary, models, wait_until};

/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(60);

/// The caller whose requests name no other.
pub const TENANT: &str = "Bearer sk-test-tenant-a";

/// A running proxy; it is ended when dropped.
#[derive(Debug)]
pub struct StartedProxy {
    child: Child,
    base_url: String,
    home: Arc<Home>,
    output: Output,
    client: reqwest::Client,
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

    /// The same in front of this upstream.
    ///
    /// # Panics
    /// When a model is not installed.
    #[must_use]
    pub fn before(upstream: &ScriptedUpstream) -> ProxyBuilder {
        Self::builder().upstream(&upstream.base_url())
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
        self.origin().split('/').next_back().expect("a host")
    }

    /// The URL up to host and port.
    fn origin(&self) -> &str {
        let begin = self.base_url.find("://").expect("a URL") + 3;
        let end = self.base_url[begin..].find('/').map_or(self.base_url.len(), |length| begin + length);
        &self.base_url[..end]
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
        self.output.text()
    }

    /// The same for when the process has ended.
    pub fn transcript(&self) -> impl Fn() -> String + use<> {
        let output = self.output.clone();
        move || output.text()
    }

    /// The client, for requests of any other kind.
    #[must_use]
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Asks the process to start its program anew, and waits until `count` of them have served.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn upgrade(&self, count: usize) {
        assert!(binary::signal(self.process_id(), "USR2"), "the process is there");
        wait_until("the new process serves", STOP, || async { self.successors().len() >= count }).await;
    }

    /// Waits until the process has ended because another one serves, and gives that one's number.
    ///
    /// # Panics
    /// When it does not end, or not with status 0.
    pub async fn succeeded(&mut self) -> u32 {
        let end = Instant::now() + STOP;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of the process") {
                assert!(status.success(), "{status}; it said:\n{}", self.output.last_lines());
                return *self.successors().last().expect("another process");
            }
            assert!(Instant::now() < end, "the process before an upgrade does not end:\n{}", self.output.last_lines());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The processes that took over, one from the other, as the log names them.
    fn successors(&self) -> Vec<u32> {
        let said = self.output();
        let lines = said.lines().filter(|line| line.contains("another process serves from now on"));
        lines.filter_map(|line| line.rsplit_once("process=")?.1.trim().parse().ok()).collect()
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
            self.output.last_lines()
        );
        self.child.kill().expect("the process is killed");
        let ended = tokio::task::spawn_blocking(move || binary::wait(&mut self.child, STOP));
        ended.await.expect("a thread");
    }

    /// Ends the process in good order, as a service manager would.
    ///
    /// # Panics
    /// When it does not end in time, or not with status 0.
    pub async fn stop(self) -> Arc<Home> {
        let home = Arc::clone(&self.home);
        self.last_words().await;
        home
    }

    /// Ends the process in good order and gives the last lines that it wrote.
    ///
    /// # Panics
    /// When it does not end in time, or not with status 0.
    pub async fn last_words(mut self) -> String {
        binary::terminate(self.child.id());
        let stopped =
            tokio::task::spawn_blocking(move || (binary::wait(&mut self.child, STOP), self.output.last_lines()));
        let (code, said) = stopped.await.expect("a thread");
        assert_eq!(code, Some(0), "after SIGTERM the proxy ends with status 0 within {STOP:?}; it said:\n{said}");
        said
    }
}

impl Drop for StartedProxy {
    fn drop(&mut self) {
        self.successors().into_iter().for_each(binary::terminate);
        if let Ok(None) = self.child.try_wait() {
            binary::terminate(self.child.id());
            let _ = binary::wait(&mut self.child, STOP);
        }
        if std::thread::panicking() {
            self.output.show();
        }
    }
}
