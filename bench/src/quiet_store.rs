//! Stores that studies fill or look at themselves.
//!
//! It must not know what is studied.

use std::path::Path;
use std::time::Duration;

use mainpoint_store::{Retain, Store, StoreConfig};

use crate::{BenchError, Failing};

/// Longer than any study.
const NEVER: Duration = Duration::from_secs(7 * 86_400);

/// Opens the store in `directory` for vectors of `vector_width` numbers, in which nothing happens by itself.
pub(crate) async fn open(directory: &Path, vector_width: usize) -> Result<Store, BenchError> {
    let config = StoreConfig {
        directory: directory.to_owned(),
        vector_width,
        model: None,
        retain: Retain::Turns,
        flush_interval: NEVER,
        flush_turns: usize::MAX,
        maintenance_interval: NEVER,
        retain_for: None,
        quoted: |_, _| Some(Vec::new()),
        ledger_age: NEVER,
        recent_bytes: 256 << 20,
        cpu_threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    Store::open(config).await.in_store("opening")
}
