//! A memory whose store cannot be opened at the start, for want of space or because the process before this one still has it: the
//! proxy serves without it, and opens it later.

use std::sync::Arc;
use std::time::Duration;

use mainpoint_engine::Engine;
use mainpoint_store::Store;
use tokio::task::JoinHandle;

use super::{another_reader, remember, settings_for};
use crate::config::Config;
use crate::error::StartError;
use crate::http::identity::Identities;
use crate::server::{LatePlanner, Shared};

/// Opens the memory; on a full disk it comes later.
///
/// # Errors
/// Whatever else keeps it from being opened, which only whoever runs the proxy can make good.
pub(super) async fn open(
    config: &Config,
    engine: &Engine,
    identities: &Arc<Identities>,
) -> Result<LatePlanner, StartError> {
    match remember(config, engine, identities).await {
        Ok(planner) => Ok(LatePlanner::here(planner)),
        Err(error) if error.is_of_full_disk() => {
            tracing::error!(
                error = %error,
                "the store can't be opened on a full disk: nothing is recalled and nothing is kept until it can. Requests pass as they \
                 are; it is tried again by itself"
            );
            Ok(LatePlanner::later(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// The same where another process is still ending: while that has the store, the memory comes later.
///
/// # Errors
/// Whatever else keeps it from being opened, as far as that can be seen while the other one has it.
pub(super) async fn take_over(
    config: &Config,
    engine: &Engine,
    identities: &Arc<Identities>,
) -> Result<LatePlanner, StartError> {
    match Store::examine(&settings_for(config, engine)).await {
        Ok(Some(found)) if found.is_in_use => {
            tracing::info!("the process before this one has the store; until it has ended requests pass as they are");
            Ok(LatePlanner::later("the process before this one still has the store".to_owned()))
        }
        Ok(_) => open(config, engine, identities).await,
        Err(source) => Err(another_reader::refusal(config, source).await),
    }
}

/// Opens what could not be opened at the start, as soon as it can be; `None` where there is nothing to open.
pub(super) fn open_later(shared: &Arc<Shared>, engine: Option<Engine>) -> Option<JoinHandle<()>> {
    shared.planner.trouble()?;
    Some(tokio::spawn(keep_trying(Arc::clone(shared), engine?)))
}

async fn keep_trying(shared: Arc<Shared>, engine: Engine) {
    loop {
        // Looked at again only when nobody writes to it any more.
        while Store::is_in_use(&shared.config.store.directory).await.unwrap_or(false) {
            tokio::time::sleep(SHORT_PAUSE).await;
        }
        match remember(&shared.config, &engine, &shared.identities).await {
            Ok(planner) => {
                shared.planner.come(planner);
                tracing::info!("the store is open; turns are kept and memories recalled from now on");
                return;
            }
            Err(error) => {
                if shared.planner.still_missing(&error.to_string()) {
                    tracing::error!(error = %error, "the store still can't be opened; it is tried again by itself");
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A store that another process has let go is found out this soon.
const SHORT_PAUSE: Duration = Duration::from_millis(100);
/// Space that is back is found out this soon.
const PAUSE: Duration = Duration::from_secs(5);
