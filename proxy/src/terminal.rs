//! What a person sees on the terminal while work goes on: progress bars where there is a terminal, plain lines where not.
//!
//! It must not know which work is shown.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// On standard error: bars on a terminal, plain lines otherwise.
    StandardError,
    /// Nowhere.
    Silent,
}

/// One piece of work that is being shown, counted in bytes, tokens or steps.
#[derive(Debug)]
pub struct Transfer {
    progress: Progress,
    label: String,
    bar: ProgressBar,
    quarters: Mutex<u64>,
}

impl Progress {
    /// Shows one line.
    pub fn line(self, text: &str) {
        if self == Self::StandardError {
            anstream::eprintln!("{text}");
        }
    }

    /// Shows a transfer of `total` bytes, or of an unknown number.
    #[must_use]
    pub fn transfer(self, label: &str, total: Option<u64>) -> Transfer {
        let template = match total {
            Some(_) => {
                "{prefix} {wide_bar:.cyan/dim} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}"
            }
            None => "{prefix} {spinner} {decimal_bytes} {decimal_bytes_per_sec}",
        };
        let transfer = self.begin(label, total, template);
        if let (true, Some(total)) = (transfer.is_plain(), total) {
            self.line(&format!("{label}: {}", DecimalBytes(total)));
        }
        transfer
    }

    /// Shows work of `total` steps.
    #[must_use]
    pub fn steps(self, label: &str, total: usize) -> Transfer {
        let template = "{prefix} {wide_bar:.cyan/dim} {pos}/{len} {eta}";
        self.begin(label, u64::try_from(total).ok(), template)
    }

    /// Shows the reading of `total` tokens.
    #[must_use]
    pub fn tokens(self, label: &str, total: u64) -> Transfer {
        let template = "{prefix} {wide_bar:.cyan/dim} {human_pos}/{human_len} tokens {per_sec} {eta}";
        self.begin(label, Some(total), template)
    }

    fn begin(self, label: &str, total: Option<u64>, template: &str) -> Transfer {
        let target = match self {
            Self::StandardError => ProgressDrawTarget::stderr(),
            Self::Silent => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target).with_prefix(label.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Transfer { progress: self, label: label.to_owned(), bar, quarters: Mutex::new(0) }
    }
}

impl Transfer {
    /// Says how many bytes or steps are done in all.
    pub fn set(&self, position: u64) {
        self.bar.set_position(position);
        self.plain_quarter();
    }

    /// Says that `count` more bytes or steps are done.
    pub fn advance(&self, count: u64) {
        self.bar.inc(count);
        self.plain_quarter();
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn is_plain(&self) -> bool {
        self.progress == Progress::StandardError && self.bar.is_hidden()
    }

    /// Without a terminal, one line for every quarter.
    fn plain_quarter(&self) {
        let Some(total) = self.bar.length().filter(|total| *total > 0 && self.is_plain()) else {
            return;
        };
        let quarter = (self.bar.position() * 4 / total).min(4);
        if let Ok(mut shown) = self.quarters.lock()
            && quarter > *shown
        {
            *shown = quarter;
            self.progress.line(&format!("{}: {} %", self.label, quarter * 25));
        }
    }
}

/// A number of bytes for people, such as `253.11 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}
