//! What an import did, as a table and as JSON.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use mainpoint_store::Scope;
use serde_json::json;

use super::speed;
use crate::cli::CliError;
use crate::memory::Imported;
use crate::terminal::size;

/// What an import did.
pub(super) struct Summary {
    /// Conversations in the file.
    pub(super) conversations: usize,
    /// Messages that were passed over, as in a request.
    pub(super) passed_over: usize,
    /// What became of their turns.
    pub(super) imported: Imported,
    /// Time spent reading.
    pub(super) reading: Duration,
    /// Turns in the whole store.
    pub(super) turns_stored: u64,
    /// Bytes of its directory.
    pub(super) bytes_stored: u64,
    /// Whose memories they are.
    pub(super) scopes: BTreeSet<Scope>,
}

impl Summary {
    /// Prints a table on standard output.
    pub(super) fn print(&self) -> Result<(), CliError> {
        let imported = &self.imported;
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["", "imported"]);
        let mut add = |what: &str, value: String| {
            table.add_row([what.to_owned(), value]);
        };
        add("conversations", self.conversations.to_string());
        if self.passed_over > 0 {
            add("messages passed over", self.passed_over.to_string());
        }
        add("turns read", imported.turns.to_string());
        add("turns already in memory", imported.known.to_string());
        add("turns that cannot be read", imported.unreadable.to_string());
        add("turns in the store", self.turns_stored.to_string());
        add("tokens read", imported.tokens.to_string());
        add("tokens a second", format!("{:.0}", speed(imported.tokens, self.reading)));
        add("bytes a turn on disk", self.bytes_a_turn().to_string());
        add("peak memory", peak_memory().map_or_else(|| "–".to_owned(), size));
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let scopes: Vec<&str> = self.scopes.iter().map(Scope::as_str).collect();
        writeln!(anstream::stdout(), "{table}\nscope: {}", scopes.join(", "))?;
        Ok(())
    }

    /// Prints the same as JSON.
    pub(super) fn print_json(&self) -> Result<(), CliError> {
        let imported = &self.imported;
        let value = json!({
            "conversations": self.conversations,
            "messages_passed_over": self.passed_over,
            "turns": imported.turns,
            "turns_known": imported.known,
            "turns_unreadable": imported.unreadable,
            "turns_stored": self.turns_stored,
            "tokens": imported.tokens,
            "tokens_known": imported.known_tokens,
            "tokens_per_second": speed(imported.tokens, self.reading),
            "bytes_per_turn": self.bytes_a_turn(),
            "peak_memory_bytes": peak_memory(),
            "scopes": self.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        });
        writeln!(anstream::stdout(), "{value:#}")?;
        Ok(())
    }

    /// Whether the file holds no turn, known or new.
    pub(super) fn has_no_turns(&self) -> bool {
        self.imported.turns + self.imported.known + self.imported.unreadable == 0
    }

    /// Bytes of the whole store for each of its turns.
    fn bytes_a_turn(&self) -> u64 {
        self.bytes_stored.checked_div(self.turns_stored).unwrap_or(0)
    }
}

/// The most memory that this process has had, in bytes, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
