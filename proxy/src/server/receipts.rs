//! Receipts: what was done to recent requests, for whoever sent them.
//!
//! Bounded and in memory only.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use mainpoint_store::Scope;
use uuid::Uuid;

use crate::prompt::recall_tool_context::Found;
use crate::prompt::receipt::{Receipt, ReplyNote};

/// The receipts of recent requests; the oldest go first.
#[derive(Debug)]
pub(crate) struct Receipts {
    cache: Option<Mutex<LruCache<Uuid, Stored>>>,
}

#[derive(Debug)]
struct Stored {
    /// Whose request it was.
    scope: Scope,
    receipt: Receipt,
}

impl Receipts {
    /// Keeps at most `most` receipts.
    pub(crate) fn new(most: usize) -> Self {
        let most = NonZeroUsize::new(most);
        Self { cache: most.map(|most| Mutex::new(LruCache::new(most))) }
    }

    /// Keeps the receipt of a request.
    pub(crate) fn put(&self, id: Uuid, scope: Scope, receipt: Receipt) {
        self.change(|cache| cache.push(id, Stored { scope, receipt }));
    }

    /// Forgets the receipt of a request.
    pub(crate) fn forget(&self, id: Uuid) {
        self.change(|cache| cache.pop(&id));
    }

    /// Notes what was seen of the reply.
    pub(crate) fn note_reply(&self, id: Uuid, reply: ReplyNote) {
        self.change(|cache| {
            if let Some(stored) = cache.peek_mut(&id) {
                stored.receipt.reply = Some(reply);
            }
        });
    }

    /// Notes a call of our tool, and what it brought.
    pub(crate) fn note_recall(&self, id: Uuid, found: Found) {
        self.change(|cache| {
            if let Some(stored) = cache.peek_mut(&id) {
                stored.receipt.recall_calls += 1;
                stored.receipt.recall_memories.extend(found.sources);
            }
        });
    }

    /// The receipt of a request that was sent with the credentials behind `key`, whichever project and user it was for.
    pub(crate) fn get(&self, id: Uuid, key: &Scope) -> Option<Receipt> {
        self.change(|cache| {
            let stored = cache.peek(&id)?;
            let rest = stored.scope.as_str().strip_prefix(key.as_str())?;
            (rest.is_empty() || rest.starts_with('.')).then(|| stored.receipt.clone())
        })
        .flatten()
    }

    fn change<T>(&self, work: impl FnOnce(&mut LruCache<Uuid, Stored>) -> T) -> Option<T> {
        let mut cache = self.cache.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut cache))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::new(text).unwrap()
    }

    #[test]
    fn only_the_credentials_of_a_request_open_its_receipt() {
        let receipts = Receipts::new(2);
        let id = Uuid::new_v4();
        receipts.put(id, scope("k-a.u-b"), Receipt::default());
        receipts.note_reply(id, ReplyNote::new("hello"));
        assert_eq!(receipts.get(id, &scope("k-a")).unwrap().reply.unwrap().bytes, 5);
        assert!(receipts.get(id, &scope("k-b")).is_none());
        assert!(receipts.get(id, &scope("k")).is_none());
        receipts.forget(id);
        assert!(receipts.get(id, &scope("k-a")).is_none());
    }

    #[test]
    fn the_oldest_receipts_go_first_and_none_are_kept_where_none_may_be() {
        let receipts = Receipts::new(2);
        let ids = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
        for id in ids {
            receipts.put(id, scope("k-a"), Receipt::default());
        }
        let there = ids.map(|id| receipts.get(id, &scope("k-a")).is_some());
        assert_eq!(there, [false, true, true]);
        let none = Receipts::new(0);
        none.put(ids[0], scope("k-a"), Receipt::default());
        assert!(none.get(ids[0], &scope("k-a")).is_none());
    }
}
