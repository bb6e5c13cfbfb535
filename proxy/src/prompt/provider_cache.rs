//! Whether the provider still has a conversation's last prompt in its cache, by the clock.
//!
//! Bounded and in memory only. A conversation that no request since the start belongs to counts as cached; at worst its
//! first request is forwarded as if its provider's cache were there. The journal would not tell it better: it has the
//! times at which turns came first, and a prompt that is sent again keeps the cache all the same.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lru::LruCache;
use mainpoint_store::PrefixId;
use serde::Serialize;

use crate::config::Prices;

/// What a request finds of its conversation's last prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CacheState {
    /// The provider has it, as far as is known.
    #[default]
    Warm,
    /// It was sent so long ago that nothing is left of it.
    Cold,
}

impl CacheState {
    /// The prices of a request that finds the cache like this: of a cold one nothing can be read, all is written.
    pub(crate) fn prices(self, prices: Prices) -> Prices {
        match self {
            Self::Warm => prices,
            Self::Cold => Prices { cache_read: prices.cache_write, ..prices },
        }
    }
}

/// When the prompts of recent conversations were sent last; the oldest go first.
#[derive(Debug)]
pub(crate) struct ProviderCache {
    lifetime: Option<Duration>,
    /// By the last prefix of the conversation's last prompt.
    sent: Mutex<LruCache<PrefixId, DateTime<Utc>>>,
}

impl ProviderCache {
    /// A provider that keeps what was sent last for so long; `None` for ever.
    pub(crate) fn new(lifetime: Option<Duration>) -> Self {
        Self { lifetime, sent: Mutex::new(LruCache::unbounded()) }
    }

    /// What the prompt of these prefixes finds, the shortest first, and notes that it is sent `now`.
    pub(crate) fn visit(&self, prefixes: &[Option<PrefixId>], now: DateTime<Utc>) -> CacheState {
        let Some(lifetime) = self.lifetime else {
            return CacheState::Warm;
        };
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest = prefixes.iter().rev().flatten().take(SEARCHED).copied();
        let last = newest.clone().find_map(|prefix| sent.pop(&prefix));
        if let Some(prefix) = newest.next() {
            sent.put(prefix, now);
        }
        if sent.len() > CONVERSATIONS {
            sent.pop_lru();
        }
        let idle = last.and_then(|last| (now - last).to_std().ok());
        if idle.is_some_and(|idle| idle > lifetime) { CacheState::Cold } else { CacheState::Warm }
    }
}

/// Most conversations that are remembered, about a megabyte.
const CONVERSATIONS: usize = 10_000;
/// A request adds fewer turns than this to the one before it.
const SEARCHED: usize = 256;

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn turns(ids: &[u32]) -> Vec<Option<PrefixId>> {
        let id = |id: &u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&id.to_le_bytes());
            Some(PrefixId(bytes))
        };
        // Instructions have no id.
        std::iter::once(None).chain(ids.iter().map(id)).collect()
    }

    fn after(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn a_conversation_is_cold_when_its_last_prompt_was_sent_too_long_ago() {
        let cache = ProviderCache::new(Some(HOUR));
        assert_eq!(cache.visit(&turns(&[1]), after(0)), CacheState::Warm, "nothing is known yet");
        assert_eq!(cache.visit(&turns(&[1, 2, 3]), after(3600)), CacheState::Warm);
        assert_eq!(cache.visit(&turns(&[1, 2, 3]), after(7200)), CacheState::Warm, "the same prompt again");
        assert_eq!(cache.visit(&turns(&[1, 2, 3, 4, 5]), after(10_801)), CacheState::Cold);
        assert_eq!(cache.visit(&turns(&[1, 2, 3, 4, 5, 6, 7]), after(10_802)), CacheState::Warm, "sent anew");
        assert_eq!(
            cache.visit(&turns(&[1, 2, 3, 4, 5, 6, 7, 8]), after(0)),
            CacheState::Warm,
            "the clock was set back"
        );
    }

    #[test]
    fn a_conversation_that_is_not_known_is_warm_and_so_is_every_one_where_the_clock_does_not_tell() {
        let cache = ProviderCache::new(Some(HOUR));
        cache.visit(&turns(&[1]), after(0));
        assert_eq!(cache.visit(&turns(&[2, 3]), after(9999)), CacheState::Warm);
        assert_eq!(cache.visit(&turns(&[]), after(9999)), CacheState::Warm);
        let endless = ProviderCache::new(None);
        endless.visit(&turns(&[1]), after(0));
        assert_eq!(endless.visit(&turns(&[1, 2]), after(1_000_000)), CacheState::Warm);
    }

    #[test]
    fn only_so_many_conversations_are_remembered_each_once() {
        let cache = ProviderCache::new(Some(HOUR));
        for conversation in 0..11_000 {
            cache.visit(&turns(&[conversation]), after(0));
            cache.visit(&turns(&[conversation, 100_000 + conversation]), after(1));
        }
        assert_eq!(cache.visit(&turns(&[0, 100_000, 7]), after(9999)), CacheState::Warm, "forgotten");
        assert_eq!(cache.visit(&turns(&[10_999, 110_999, 8]), after(9999)), CacheState::Cold);
        let remembered = cache.sent.lock().map(|sent| sent.len());
        assert_eq!(remembered.ok(), Some(CONVERSATIONS));
    }
}
