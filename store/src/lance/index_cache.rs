//! What Lance keeps of opened indices, in memory.
//!
//! Responsible for: handing entries out, holding no more bytes than it may, and letting go of what nothing has asked
//! for since the indices changed.
//!
//! Lance's own cache forgets only for want of room. But an entry of a full-text or vector index holds its files open, and every
//! maintenance writes new parts and leaves the old ones behind: small entries that are never asked for again, whose files
//! stay open and, once pruned, on the disk. So maintenance calls [`IndexCache::sweep`], and an entry that was not used between
//! two sweeps goes. What searches use stays, so they find their indices open after a maintenance as before it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lance::cache::{CacheBackend, CacheCodec, CacheEntry, InternalCacheKey};
use lru::LruCache;
use tokio::sync::OnceCell;

/// The entries by their keys, the one used longest ago first to go.
#[derive(Debug)]
pub(crate) struct IndexCache {
    inner: Mutex<Inner>,
    most_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    slots: LruCache<InternalCacheKey, Slot>,
    bytes: usize,
    round: u64,
}

/// An entry, or the place where one is being loaded.
#[derive(Debug, Clone)]
struct Slot {
    cell: Arc<OnceCell<(CacheEntry, usize)>>,
    /// The bytes that are counted for it; 0 while it is being loaded.
    counted: usize,
    /// The round in which it was last asked for.
    used: u64,
}

/// What an entry takes besides itself: its key and its place in the list and the table.
const OVERHEAD: usize = 128;

impl IndexCache {
    /// Holds at most so many bytes.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { inner: Mutex::new(Inner { slots: LruCache::unbounded(), bytes: 0, round: 0 }), most_bytes }
    }

    /// Begins a new round and forgets what was not asked for in the one that ends. Returns how many entries went.
    pub(crate) fn sweep(&self) -> usize {
        let mut inner = self.inner();
        let ending = inner.round;
        inner.round += 1;
        let stale = inner.slots.iter().filter(|(_, slot)| slot.used < ending);
        let stale: Vec<InternalCacheKey> = stale.map(|(key, _)| *key).collect();
        let gone: Vec<_> = stale.iter().filter_map(|key| inner.remove(key)).collect();
        // Entries close files as they go; nobody waits for that.
        drop(inner);
        gone.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resident(&self, key: &InternalCacheKey) -> Option<CacheEntry> {
        let mut inner = self.inner();
        let round = inner.round;
        let slot = inner.slots.get_mut(key)?;
        slot.used = round;
        slot.cell.get().map(|(entry, _)| Arc::clone(entry))
    }

    fn put(&self, key: InternalCacheKey, entry: CacheEntry, bytes: usize) {
        let mut inner = self.inner();
        let replaced = inner.remove(&key);
        let cell = Arc::new(OnceCell::new_with(Some((entry, bytes))));
        let evicted = inner.add(key, cell, bytes, self.most_bytes);
        drop(inner);
        drop((replaced, evicted));
    }

    /// The place of a key, made where there is none.
    fn place(&self, key: &InternalCacheKey) -> Arc<OnceCell<(CacheEntry, usize)>> {
        let mut inner = self.inner();
        let used = inner.round;
        let fresh = || Slot { cell: Arc::default(), counted: 0, used };
        let slot = inner.slots.get_or_insert_mut(*key, fresh);
        slot.used = used;
        Arc::clone(&slot.cell)
    }

    /// Counts what was loaded, if its place is still kept; forgets the place where nothing came.
    fn settle(&self, key: &InternalCacheKey, cell: &Arc<OnceCell<(CacheEntry, usize)>>) {
        let mut inner = self.inner();
        let is_kept = inner.slots.peek(key).is_some_and(|slot| Arc::ptr_eq(&slot.cell, cell));
        if !is_kept {
            return;
        }
        let removed = inner.remove(key);
        let evicted = match cell.get() {
            Some((_, bytes)) => inner.add(*key, Arc::clone(cell), *bytes, self.most_bytes),
            None => Vec::new(),
        };
        drop(inner);
        drop((removed, evicted));
    }
}

impl Inner {
    fn remove(&mut self, key: &InternalCacheKey) -> Option<Slot> {
        let slot = self.slots.pop(key)?;
        self.bytes -= slot.counted;
        Some(slot)
    }

    /// Adds a loaded entry and returns what had to go for it; an entry that is larger than everything goes itself.
    fn add(
        &mut self,
        key: InternalCacheKey,
        cell: Arc<OnceCell<(CacheEntry, usize)>>,
        bytes: usize,
        most_bytes: usize,
    ) -> Vec<Slot> {
        let counted = bytes.saturating_add(OVERHEAD);
        let slot = Slot { cell, counted, used: self.round };
        if counted > most_bytes {
            return vec![slot];
        }
        self.slots.push(key, slot);
        self.bytes += counted;
        let mut evicted = Vec::new();
        while self.bytes > most_bytes
            && let Some((_, oldest)) = self.slots.pop_lru()
        {
            self.bytes -= oldest.counted;
            evicted.push(oldest);
        }
        evicted
    }
}

#[async_trait]
impl CacheBackend for IndexCache {
    async fn get_resident(&self, key: &InternalCacheKey) -> Option<CacheEntry> {
        self.resident(key)
    }

    async fn get(&self, key: &InternalCacheKey, _codec: Option<CacheCodec>) -> Option<CacheEntry> {
        self.resident(key)
    }

    async fn insert(&self, key: &InternalCacheKey, entry: CacheEntry, size_bytes: usize, _codec: Option<CacheCodec>) {
        self.put(*key, entry, size_bytes);
    }

    async fn get_or_insert<'a>(
        &self,
        key: &InternalCacheKey,
        loader: Pin<Box<dyn Future<Output = lance::Result<(CacheEntry, usize)>> + Send + 'a>>,
        _codec: Option<CacheCodec>,
    ) -> lance::Result<(CacheEntry, bool)> {
        if let Some(entry) = self.resident(key) {
            return Ok((entry, true));
        }
        let cell = self.place(key);
        let mut loaded = false;
        let result = cell
            .get_or_try_init(|| {
                loaded = true;
                loader
            })
            .await
            .map(|(entry, _)| Arc::clone(entry));
        if loaded {
            self.settle(key, &cell);
        }
        result.map(|entry| (entry, !loaded))
    }

    async fn clear(&self) {
        let mut inner = self.inner();
        let gone = std::mem::replace(&mut inner.slots, LruCache::unbounded());
        inner.bytes = 0;
        drop(inner);
        drop(gone);
    }

    async fn num_entries(&self) -> usize {
        self.approx_num_entries()
    }

    async fn size_bytes(&self) -> usize {
        self.approx_size_bytes()
    }

    fn approx_num_entries(&self) -> usize {
        self.inner().slots.len()
    }

    fn approx_size_bytes(&self) -> usize {
        self.inner().bytes
    }

    fn capacity_bytes(&self) -> Option<usize> {
        Some(self.most_bytes)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> InternalCacheKey {
        InternalCacheKey::from_bytes([number; 16])
    }

    fn has(cache: &IndexCache, number: u8) -> bool {
        cache.inner().slots.contains(&key(number))
    }

    #[test]
    fn what_was_not_asked_for_between_two_sweeps_goes_and_what_was_stays() {
        let cache = IndexCache::new(1 << 20);
        for number in 0..4 {
            cache.put(key(number), Arc::new(number), 10);
        }
        assert_eq!(cache.sweep(), 0, "all of them are of the round that ends");
        assert!(cache.resident(&key(1)).is_some());
        assert_eq!(cache.sweep(), 3);
        assert!(has(&cache, 1));
        assert_eq!((cache.sweep(), cache.approx_num_entries()), (1, 0));
        assert_eq!(cache.approx_size_bytes(), 0);
    }

    #[tokio::test]
    async fn callers_that_want_the_same_entry_load_it_once_and_a_failure_is_not_kept() {
        let cache = IndexCache::new(1 << 20);
        let wanted = key(1);
        let failing = cache.get_or_insert(&wanted, Box::pin(async { Err(lance::Error::not_found("a file")) }), None);
        assert!(failing.await.is_err());
        assert!(!has(&cache, 1));
        let load = || Box::pin(async { Ok((Arc::new(7_u8) as CacheEntry, 10)) });
        let (one, other) = (key(1), key(1));
        let both =
            futures::future::join(cache.get_or_insert(&one, load(), None), cache.get_or_insert(&other, load(), None));
        let (first, second) = both.await;
        let cached = [first.unwrap().1, second.unwrap().1];
        assert_eq!(cached.iter().filter(|cached| !**cached).count(), 1);
        assert_eq!(cache.approx_size_bytes(), 10 + OVERHEAD);
    }

    proptest! {
        #[test]
        fn no_more_bytes_are_held_than_allowed_and_they_are_counted_rightly(
            steps in proptest::collection::vec((0_u8..20, 0_usize..600, any::<bool>()), 0..200),
        ) {
            let cache = IndexCache::new(2000);
            for (number, bytes, sweeps) in steps {
                cache.put(key(number), Arc::new(()), bytes);
                if sweeps {
                    cache.sweep();
                }
                let inner = cache.inner();
                prop_assert!(inner.bytes <= 2000);
                prop_assert_eq!(inner.bytes, inner.slots.iter().map(|(_, slot)| slot.counted).sum::<usize>());
            }
        }
    }
}
