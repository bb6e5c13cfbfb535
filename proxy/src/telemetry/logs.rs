//! Logs: one line per event on stderr, filtered by `log.filter`; llama.cpp and every `log` user arrive here too.
//!
//! Nothing here sees header values or bodies.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogConfig;
use crate::error::StartError;

/// Starts logging to stderr. A second call in the same process leaves the first in place.
///
/// # Errors
/// [`StartError::LogFilter`] when the filter cannot be parsed.
pub fn start(config: &LogConfig) -> Result<(), StartError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .map_err(|error| StartError::LogFilter { filter: config.filter.clone(), reason: error.to_string() })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .finish();
    // An error here means that a subscriber is already installed, by an earlier call or by a test.
    let _ = subscriber.try_init();
    Ok(())
}

/// Libraries that say more at `info` than an operator wants, or below it what was said. A filter that names one of them overrides this.
const QUIET: &str = "llama_cpp_2=error,lance=warn,lance_index=warn,lancedb=warn,rmcp=warn";

/// Lets each cause through once a minute, so that a failing part does not flood the log.
#[derive(Debug, Default)]
pub(crate) struct OncePerMinute {
    last: Mutex<HashMap<&'static str, Instant>>,
}

impl OncePerMinute {
    /// Whether `cause` should be logged now.
    pub(crate) fn allows(&self, cause: &'static str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match last.get(cause) {
            Some(before) if now.duration_since(*before) < MINUTE => false,
            _ => {
                last.insert(cause, now);
                true
            }
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_let_through_once_and_another_cause_is_not_held_back() {
        let warnings = OncePerMinute::default();
        assert!(warnings.allows("deadline"));
        assert!(!warnings.allows("deadline"));
        assert!(warnings.allows("busy"));
    }

    #[test]
    fn a_filter_that_is_none_is_refused_with_its_key_and_value() {
        let error = start(&LogConfig { filter: "info,=,=".to_owned() });
        let text = error.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("log.filter") && text.contains("info,=,="), "{text}");
    }
}
