//! What prompts are planned with: a memory, and the settings that hold for all requests. [`Planner::plan`] plans with
//! it.

use super::provider_cache::ProviderCache;
use crate::config::{Config, MemoryConfig, Prices};
use crate::conversation::request_preparer::RequestPreparer;
use crate::error::MemoryError;
use crate::memory::Memory;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// All that planning a prompt ([`Planner::plan`]) needs besides the request. One per process.
pub(crate) struct Planner<M = Memory> {
    /// What is remembered.
    pub(crate) memory: M,
    /// What computes without waiting.
    pub(crate) preparer: RequestPreparer,
    /// Budgets and limits.
    pub(crate) config: MemoryConfig,
    /// What a provider charges.
    pub(crate) prices: Prices,
    /// What it still has of earlier prompts.
    pub(crate) cache: ProviderCache,
    warnings: OncePerMinute,
}

impl<M> Planner<M> {
    /// Puts the parts together.
    pub(crate) fn new(memory: M, preparer: RequestPreparer, config: &Config) -> Self {
        let prices = config.prices.of_upstream(config.upstream.url.as_ref());
        Self {
            memory,
            preparer,
            config: config.memory.clone(),
            prices,
            cache: ProviderCache::new(prices.cache_lifetime),
            warnings: OncePerMinute::default(),
        }
    }

    /// Counts a failure that the client does not see, and logs it once a minute.
    pub(crate) fn report(&self, error: &MemoryError) {
        let label = error.label();
        metrics::failure(label);
        if self.warnings.allows(label) {
            tracing::warn!(kind = label, error = %error, "the memory stepped aside for this request; it is answered all the same");
        }
    }
}
