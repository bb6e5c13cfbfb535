//! Progress of long work on standard error: a bar on a terminal, now and then a line elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of one piece of work; ends when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    bar: ProgressBar,
    total: usize,
    done: usize,
    said: usize,
}

impl Progress {
    /// Begins work of `total` steps.
    pub(crate) fn begin(title: impl Into<String>, total: usize) -> Self {
        let title = title.into();
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(total as u64).with_message(title.clone())
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{msg:40} {wide_bar} {pos}/{len} {eta:>4}") {
            bar.set_style(style);
        }
        Self { title, bar, total, done: 0, said: 0 }
    }

    /// Says that `steps` more steps are done.
    pub(crate) fn advance(&mut self, steps: usize) {
        self.done += steps;
        self.bar.inc(steps as u64);
        let quarter = 4 * self.done / self.total.max(1);
        if !std::io::stderr().is_terminal() && quarter > self.said {
            self.said = quarter;
            anstream::eprintln!("{}: {} of {}", self.title, self.done, self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
