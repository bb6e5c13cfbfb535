//! What a proxy's process says: all of it is collected, and the line with its address is waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the proxy may take to load its models and listen, on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(120);
/// So many lines are shown by a test that fails.
const LAST_LINES: usize = 60;

/// The lines of both of a process's pipes, as they come.
#[derive(Debug, Clone, Default)]
pub(super) struct Output(Arc<Mutex<String>>);

impl Output {
    /// Collects what `child` says. What comes back are the lines of its standard output.
    pub(super) fn new(child: &mut Child) -> (Self, Receiver<String>) {
        let output = Self::default();
        let lines = output.watch(child.stdout.take().expect("a pipe"));
        let _ = output.watch(child.stderr.take().expect("a pipe"));
        (output, lines)
    }

    /// Everything that was said so far.
    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last lines of it.
    pub(super) fn last_lines(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// Shows the last lines of it beside a failure.
    #[expect(clippy::print_stderr, reason = "a failing test shows what the proxy said")]
    pub(super) fn show(&self) {
        eprintln!("--- the proxy said ---\n{}\n----------------------", self.last_lines());
    }

    /// Collects what a pipe carries, and hands out its lines.
    fn watch(&self, pipe: impl Read + Send + 'static) -> Receiver<String> {
        let (sender, lines) = channel();
        let output = Arc::clone(&self.0);
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
}

/// The base URL from the line that says it listens; `None` when the process ends or takes too long.
pub(super) fn listening_line(lines: &Receiver<String>) -> Option<String> {
    let start = Instant::now();
    while let Ok(line) = lines.recv_timeout(START.saturating_sub(start.elapsed())) {
        if let Some(url) = line.strip_prefix("mainpoint listening on ") {
            return Some(url.trim().to_owned());
        }
    }
    None
}
