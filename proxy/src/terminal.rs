//! What a person sees on the terminal: progress bars and ruled tables where there is a terminal, plain lines where not.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
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

/// A table for standard output with this header: ruled and as wide as the terminal; elsewhere each row is one line, for
/// other programs.
#[must_use]
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let preset = if std::io::stdout().is_terminal() { presets::UTF8_HORIZONTAL_ONLY } else { presets::NOTHING };
    table.load_preset(preset).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    table
}

/// Where a table has the ids of what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdPlace {
    /// In a column of their own.
    Column,
    /// Below the text, since the terminal is narrow.
    BelowText,
}

impl IdPlace {
    /// The place that there is room for on standard output.
    #[must_use]
    pub fn of_standard_output() -> Self {
        Self::for_width(Table::new().width())
    }

    fn for_width(width: Option<u16>) -> Self {
        if width.is_some_and(|width| width < WIDE) { Self::BelowText } else { Self::Column }
    }
}

/// Columns of a terminal on which ids and texts fit beside each other.
const WIDE: u16 = 120;
/// Columns that an id takes with a space on both sides.
const ID_WIDTH: u16 = 34;

/// Keeps ids in a column of a table in one piece.
pub fn keep_ids_whole(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(ID_WIDTH)));
    }
}

/// A table as it is printed, without the spaces that would fill its last column.
#[must_use]
pub fn lines(table: &Table) -> String {
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_of_a_table_is_filled_with_spaces_and_a_name_stays_in_one_piece() {
        let mut table = table(&["score", "id", "turn"]);
        table.add_row(["0.5", "0123456789abcdef0123456789abcdef", "Short."]);
        table.add_row(["0.25", "1123456789abcdef0123456789abcdef", &"long words ".repeat(20)]);
        table.set_width(60);
        keep_ids_whole(&mut table, 1);
        let shown = lines(&table);
        assert!(shown.contains("0123456789abcdef0123456789abcdef"), "{shown}");
        assert!(shown.lines().all(|line| !line.ends_with(' ')), "{shown:?}");
    }

    #[test]
    fn only_a_narrow_terminal_has_ids_below_the_text() {
        assert_eq!(
            [None, Some(WIDE), Some(80)].map(IdPlace::for_width),
            [IdPlace::Column, IdPlace::Column, IdPlace::BelowText]
        );
    }
}
