//! Sets a proxy up: writes its configuration and starts the real binary.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::output::{self, Output};
use super::{Home, StartedProxy};
use crate::{binary, certificates, wire};

/// A proxy to be started.
#[derive(Debug, Default)]
pub struct ProxyBuilder {
    /// Sections and lines of the configuration; of two lines with the same key the last one counts.
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    upstream: Option<String>,
    home: Option<Arc<Home>>,
    open_files: Option<usize>,
    listen: Option<String>,
    program: Option<PathBuf>,
    socket: Option<OwnedFd>,
    client: Option<reqwest::Client>,
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
        self.settings.retain(|(other, set)| other != section || key(set) != key(line));
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

    /// Listens on this address, and not on loopback with a port of the system's choice.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = Some(address.to_owned());
        self
    }

    /// Speaks TLS with the first certificate of the tests, which lies in its folder.
    #[must_use]
    pub fn tls(mut self) -> Self {
        let home = Arc::clone(self.home.get_or_insert_with(Home::new));
        certificates::FIRST.install(home.path());
        self.client = Some(certificates::client());
        let [certificate, key] = certificates::files(home.path());
        self.setting("server", &format!("tls_certificate = {certificate:?}"))
            .setting("server", &format!("tls_key = {key:?}"))
    }

    /// Starts the program at this path, which is the binary, or will be another one.
    #[must_use]
    pub fn program(mut self, path: &Path) -> Self {
        self.program = Some(path.to_owned());
        self
    }

    /// Is given this socket as a service manager passes one on.
    #[must_use]
    pub fn socket(mut self, socket: TcpListener) -> Self {
        self.socket = Some(socket.into());
        self
    }

    /// Starts the proxy and waits until it listens.
    ///
    /// # Panics
    /// When it does not; the message holds what the process said.
    pub async fn start(self) -> StartedProxy {
        let home = self.home.clone().unwrap_or_else(Home::new);
        home.configure(&self.document(&home));
        let program = self.program.clone().unwrap_or_else(binary::path);
        let mut command = match (self.open_files, self.socket) {
            (_, Some(socket)) => binary::command_with_socket(&program, socket),
            (Some(most), None) => binary::command_with_files(most),
            (None, None) => binary::detached(Command::new(program)),
        };
        let listen = self.listen.as_deref().unwrap_or("127.0.0.1:0");
        command.arg("serve").arg("--config").arg(home.configuration()).args(["--listen", listen]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the proxy's process starts");
        let (output, lines) = Output::new(&mut child);
        let listening = tokio::task::spawn_blocking(move || output::listening_line(&lines)).await.expect("a thread");
        let client = self.client.unwrap_or_else(wire::client);
        let mut proxy = StartedProxy { child, base_url: String::new(), home, output, client };
        match listening {
            Some(url) => proxy.base_url = url,
            None => {
                let state = proxy.child.try_wait();
                panic!("the proxy does not listen; its process: {state:?}; it said:\n{}", proxy.output());
            }
        }
        proxy
    }

    fn document(&self, home: &Home) -> String {
        let mut lines = self.settings.clone();
        if !lines.iter().any(|(section, line)| section == "store" && key(line) == "directory") {
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

/// The key of a line of the configuration.
fn key(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}
