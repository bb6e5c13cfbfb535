//! The settings of the stores that studies fill themselves.
//!
//! It must not know what is studied.

use std::path::Path;
use std::time::Duration;

use mainpoint_store::{Retain, StoreConfig};

/// A store in `directory` for vectors of `vector_width` numbers, kept as the shipped configuration keeps one.
pub(crate) fn store_settings(directory: &Path, vector_width: usize) -> StoreConfig {
    StoreConfig {
        directory: directory.to_owned(),
        vector_width,
        model: None,
        retain: Retain::Turns,
        flush_interval: Duration::from_secs(10),
        flush_turns: 256,
        maintenance_interval: Duration::from_secs(600),
        ledger_age: Duration::from_secs(30 * 86_400),
        recent_bytes: 256 << 20,
        cpu_threads: 2,
    }
}
