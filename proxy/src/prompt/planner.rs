//! What prompts are planned with: a memory, and the settings that hold for all requests.
//!
//! It must not know how a prompt is planned or built.

use crate::config::{Config, MemoryConfig, PricesConfig};
use crate::conversation::prepare::Preparation;
use crate::error::MemoryError;
use crate::memory::Memory;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// Plans prompts. One per process.
pub(crate) struct Planner<M = Memory> {
    /// What is remembered.
    pub(crate) memory: M,
    /// What computes without waiting.
    pub(crate) preparation: Preparation,
    /// Budgets and limits.
    pub(crate) config: MemoryConfig,
    /// What a provider charges.
    pub(crate) prices: PricesConfig,
    warnings: OncePerMinute,
}

impl<M> Planner<M> {
    /// Puts the parts together.
    pub(crate) fn new(memory: M, preparation: Preparation, config: &Config) -> Self {
        Self {
            memory,
            preparation,
            config: config.memory.clone(),
            prices: config.prices,
            warnings: OncePerMinute::default(),
        }
    }

    /// Counts a failure that the client does not see, and logs it once a minute.
    pub(crate) fn report(&self, error: &MemoryError) {
        let label = error.label();
        metrics::failure(label);
        if self.warnings.allows(label) {
            tracing::warn!(kind = label, error = %error, "the memory stepped aside; the original request was forwarded");
        }
    }
}
