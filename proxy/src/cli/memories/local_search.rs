//! A question to a store that no proxy has open, answered as by a proxy that has run for a while.

use std::time::Duration;

use mainpoint_engine::Engine;
use mainpoint_store::{Scope, Snapshot, Within};

use crate::cli::CliError;
use crate::config::MemoryConfig;
use crate::error::MemoryError;
use crate::memory::recall::sketching;
use crate::memory::{Inquiry, InquiryFindings};

/// Longest time to wait until the search finds what a proxy that has run for a while does.
const MOST_WAITING: Duration = Duration::from_secs(30);

/// Asks a store that no proxy runs on, and finds what a proxy that has run for a while does.
///
/// # Errors
/// When the engine or the store fails.
pub(super) async fn ask(
    inquiry: &Inquiry<'_>,
    scope: &Scope,
    question: String,
    most: usize,
) -> Result<InquiryFindings, CliError> {
    let snapshot = inquiry.store.snapshot(scope, &Within::Scope).await?;
    prepare(&question, inquiry.config, inquiry.engine, snapshot).await.map_err(CliError::Search)?;
    inquiry.ask(scope, question, most).await.map_err(CliError::Search)
}

/// Waits for what a search of a large scope looks at in memory, which a proxy loads once for all its questions.
async fn prepare(
    question: &str,
    config: &MemoryConfig,
    engine: &Engine,
    snapshot: Snapshot<'_>,
) -> Result<(), MemoryError> {
    if snapshot.all_rows(config.scan_passages).await?.is_none() {
        let form = engine.question(question).await?.codes.sketch_form();
        sketching::all_loaded(&snapshot, form, MOST_WAITING).await;
    }
    Ok(())
}
