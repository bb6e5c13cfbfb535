//! How much memory requests and their answers may take together: an account of bytes. Whoever holds something takes as much of it, and
//! gives that back by being dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

/// An account of bytes. Copies share it.
#[derive(Debug, Clone)]
pub struct Room(Arc<Account>);

#[derive(Debug)]
struct Account {
    free: Semaphore,
    /// All that there is, in units of [`UNIT`] bytes.
    units: usize,
    waiting: AtomicUsize,
}

/// Bytes that were taken from an account; they are given back when this is dropped.
pub struct Held {
    room: Room,
    units: usize,
}

impl Room {
    /// An account of so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        let units = (bytes / UNIT).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Account { free: Semaphore::new(units), units, waiting: AtomicUsize::new(0) }))
    }

    /// So many bytes, if they are free.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Held> {
        let units = bytes.div_ceil(UNIT);
        self.0.free.try_acquire_many(u32::try_from(units).ok()?).ok()?.forget();
        Some(Held { room: self.clone(), units })
    }

    /// The same; where they are not free, they are waited for, for a moment, one after the other.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Held> {
        if let Some(held) = self.try_take(bytes) {
            return Some(held);
        }
        let units = bytes.div_ceil(UNIT);
        let wanted = u32::try_from(units).ok().filter(|_| units <= self.0.units)?;
        let _waiting = Waiting::begin(&self.0.waiting);
        let taken = tokio::time::timeout(LONGEST_WAIT, self.0.free.acquire_many(wanted)).await;
        taken.ok()?.ok()?.forget();
        Some(Held { room: self.clone(), units })
    }

    /// Whether somebody waits for bytes.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }

    /// Bytes that are held.
    pub(crate) fn held(&self) -> usize {
        (self.0.units - self.0.free.available_permits().min(self.0.units)) * UNIT
    }
}

impl Held {
    /// How many bytes these are.
    pub(crate) fn bytes(&self) -> usize {
        self.units * UNIT
    }

    /// Has at least so many bytes, where they are free.
    pub(crate) fn try_grow_to(&mut self, bytes: usize) -> bool {
        match self.room.try_take(bytes.saturating_sub(self.bytes())) {
            Some(more) => {
                self.join(more);
                true
            }
            None => false,
        }
    }

    /// The same; where they are not free, they are waited for, for a moment.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> bool {
        let more = self.room.take(bytes.saturating_sub(self.bytes())).await;
        more.map(|more| self.join(more)).is_some()
    }

    /// Keeps so many bytes and gives the rest back.
    pub(crate) fn keep(&mut self, bytes: usize) {
        let kept = self.split(bytes);
        *self = kept;
    }

    /// As many of these bytes as there are, up to so many.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT).min(self.units);
        self.units -= units;
        Self { room: self.room.clone(), units }
    }

    /// The same `bytes`, which hold these until their last copy is dropped.
    pub(crate) fn around(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Owned { bytes, _held: self })
    }

    /// Whether somebody waits for what is held here.
    pub(crate) fn is_wanted(&self) -> bool {
        self.room.is_wanted()
    }

    fn join(&mut self, mut other: Self) {
        self.units += std::mem::take(&mut other.units);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.units > 0 {
            self.room.0.free.add_permits(self.units);
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.bytes())
    }
}

/// What looking into a body of JSON takes at most besides the body: the texts are copied where they are kept, and so is what is noted of
/// each message, part and value.
pub(crate) fn for_reading(json: &[u8]) -> usize {
    let (mut objects, mut values) = (0_usize, 0_usize);
    for byte in json {
        objects += usize::from(*byte == b'{');
        values += usize::from(*byte == b',');
    }
    COPIES * json.len() + OBJECT * objects + VALUE * values
}

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes and what is held for them.
struct Owned {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is counted in, in bytes.
const UNIT: usize = 1 << 10;
/// How long anybody waits for bytes.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often a text is there besides in its body: as it is parsed, as a turn, and masked.
const COPIES: usize = 3;
/// Bytes that are noted of an object at most, such as a message with its names and counts.
const OBJECT: usize = 512;
/// Bytes of a value of a list or an object.
const VALUE: usize = 32;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_done_with_it_all_of_it_is_free_in_the_end(steps in prop::collection::vec((0..5_u8, 0..40_usize), 0..40)) {
            let room = Room::of(64 * UNIT);
            let mut all: Vec<Held> = Vec::new();
            for (step, units) in steps {
                let bytes = units * UNIT;
                match (step, all.last_mut()) {
                    (0, _) | (_, None) => all.extend(room.try_take(bytes)),
                    (1, Some(held)) => {
                        let before = held.bytes();
                        prop_assert_eq!(held.try_grow_to(bytes), held.bytes() >= bytes);
                        prop_assert!(held.bytes() == before || held.bytes() == bytes);
                    }
                    (2, Some(held)) => held.keep(bytes),
                    (3, Some(held)) => {
                        let part = held.split(bytes);
                        all.push(part);
                    }
                    _ => drop(all.remove(0)),
                }
                prop_assert_eq!(room.held(), all.iter().map(Held::bytes).sum::<usize>());
            }
            drop(all);
            prop_assert_eq!(room.held(), 0);
        }
    }

    #[test]
    fn bytes_hold_what_is_around_them_until_their_last_copy_goes() {
        let room = Room::of(10 * UNIT);
        let body = room.try_take(3 * UNIT).unwrap().around(Bytes::from_static(b"body"));
        let copy = body.slice(1..3);
        drop(body);
        assert_eq!((room.held(), &copy[..]), (3 * UNIT, &b"od"[..]));
        drop(copy);
        assert_eq!(room.held(), 0);
    }

    #[tokio::test]
    async fn what_is_not_free_is_waited_for_a_moment_and_what_will_never_be_not_at_all() {
        let room = Room::of(10 * UNIT);
        let held = room.take(6 * UNIT).await.unwrap();
        assert!(room.take(11 * UNIT).await.is_none() && !room.is_wanted());
        let started = std::time::Instant::now();
        assert!(room.take(5 * UNIT).await.is_none());
        assert!(started.elapsed() >= LONGEST_WAIT);
        let other = room.clone();
        let waiting = tokio::spawn(async move { other.take(5 * UNIT).await.is_some() });
        while !room.is_wanted() {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(waiting.await.unwrap() && !room.is_wanted());
        assert_eq!(room.held(), 0);
    }
}
