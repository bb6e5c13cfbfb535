//! The turns that the journal holds and nobody has read yet, by their ids alone, and whose turn it is to be read.
//!
//! Scopes are served one after the other, the oldest turns of each first; what may wait is bounded in all and for each
//! caller, whose projects and users have scopes of their own. Where it is limited how much of a caller is read in a minute, its turns
//! wait beyond that, and others have their turn.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use mainpoint_store::{Scope, Turn, TurnId, WaitingTurn};
use tokio::sync::Notify;

use super::caller_limits::{CallerLimits, caller};
use super::queue::{Era, Load, Queue};
use crate::config::StoreSettings;
use crate::rates::{Rate, UsedBy};
use crate::telemetry::metrics;

/// How much may wait to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BacklogLimits {
    /// All callers together.
    all: Load,
    /// Any one of them.
    each: Load,
}

/// How much is read at a time, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Of a scope that is alone.
    pub(super) alone: usize,
    /// While others wait.
    pub(super) shared: usize,
}

/// Why a turn was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As much waits as may.
    Full,
    /// As much of its caller waits as may.
    Share,
}

/// Which turns a worker takes: one that takes many passes must not keep others waiting, so it is read beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Takes everything but long turns.
    Short,
    /// Takes turns that are longer than [`Sizes::alone`].
    Long,
}

/// Turns of one scope that somebody is reading, oldest first. Those that are neither read, unreadable nor forgotten
/// when it is dropped wait again.
#[derive(Debug)]
pub(super) struct ReadBatch {
    pub(super) scope: Scope,
    pub(super) turns: Vec<TurnId>,
    /// When it was taken.
    pub(super) era: Era,
    backlog: Arc<Backlog>,
}

/// The turns that wait to be read, and those that are known to need no reading.
#[derive(Debug)]
pub(super) struct Backlog {
    inner: Mutex<Inner>,
    changed: Notify,
    limits: BacklogLimits,
    sizes: Sizes,
    of_callers: CallerLimits,
}

#[derive(Debug)]
struct Inner {
    queues: HashMap<Scope, Queue>,
    /// The scopes of which something waits and nothing is being read, in the order in which they are served.
    round_robin: VecDeque<Scope>,
    /// Turns that are read or cannot be, by their scope's hash. Forgetting one only means asking the store again.
    read_or_unreadable: LruCache<(u64, TurnId), ()>,
    hasher: RandomState,
    load: Load,
    callers: HashMap<String, Load>,
    /// Tokens of each caller that were read lately, where that is limited.
    read: UsedBy<String>,
    /// Turns in the journal that are not listed here yet.
    unlisted: usize,
    era: Era,
    /// Deletions that are being carried out, each with what it is told when it ends.
    deletions: Vec<(Scope, Era)>,
    /// Turns were let go of that may still wait in the journal.
    is_to_be_listed: bool,
}

impl BacklogLimits {
    /// What the configuration allows. Each caller may have at least one turn.
    pub(super) fn new(settings: &StoreSettings) -> Self {
        let all = Load { turns: settings.backlog_turns, bytes: settings.backlog_bytes };
        let each = Load {
            turns: share(all.turns, settings.backlog_share).max(1),
            bytes: share(all.bytes, settings.backlog_share),
        };
        Self { all, each }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a limit need not be exact, and is between 0 and the limit"
)]
fn share(whole: usize, share: f64) -> usize {
    (whole as f64 * share) as usize
}

impl Backlog {
    /// Nothing waits yet.
    pub(super) fn new(limits: BacklogLimits, sizes: Sizes, of_callers: CallerLimits) -> Self {
        Self {
            inner: Mutex::new(Inner {
                queues: HashMap::new(),
                round_robin: VecDeque::new(),
                read_or_unreadable: LruCache::new(REMEMBERED),
                hasher: RandomState::new(),
                load: Load::default(),
                callers: HashMap::new(),
                read: UsedBy::default(),
                unlisted: 0,
                era: Era::default(),
                deletions: Vec::new(),
                is_to_be_listed: false,
            }),
            changed: Notify::new(),
            limits,
            sizes,
            of_callers,
        }
    }

    /// The places of those of `ids` that are neither in the journal nor read or unreadable, as far as is known without
    /// asking the store.
    pub(super) fn unseen(&self, scope: &Scope, ids: &[TurnId]) -> Vec<usize> {
        let mut inner = self.lock();
        let mut is_unseen = |at: &usize| ids.get(*at).is_some_and(|id| !inner.is_known(scope, *id));
        (0..ids.len()).filter(|at| is_unseen(at)).collect()
    }

    /// Leaves those out that are in the journal, read or unreadable, as far as is known without asking the store.
    pub(super) fn retain_unseen(&self, turns: &mut Vec<Turn>) {
        let mut inner = self.lock();
        turns.retain(|turn| !inner.is_known(&turn.scope, turn.id));
    }

    /// Why a scope may have no more turns waiting than it has, if so.
    pub(crate) fn is_full(&self, scope: &Scope) -> Option<Refusal> {
        self.lock().refusal(&self.limits, scope, 1)
    }

    /// Makes room for turns that are about to be journalled. Gives back the turns for which there is room, in their order, and for each
    /// refusal how many turns it left out. Turns that are here already are in neither.
    pub(super) fn admit(&self, turns: Vec<Turn>) -> (Vec<Turn>, Vec<(Refusal, usize)>) {
        self.change(|inner| {
            let (mut admitted, mut full, mut share) = (Vec::with_capacity(turns.len()), 0, 0);
            for turn in turns {
                if inner.may_be_deleted(&turn.scope, turn.id) {
                    inner.remove(&turn.scope, turn.id);
                }
                if inner.has(&turn.scope, turn.id) {
                    continue;
                }
                match inner.refusal(&self.limits, &turn.scope, turn.text.len()) {
                    Some(Refusal::Full) => full += 1,
                    Some(Refusal::Share) => share += 1,
                    None => {
                        inner.reserve(&WaitingTurn::new(&turn));
                        admitted.push(turn);
                    }
                }
            }
            let refused = [(Refusal::Full, full), (Refusal::Share, share)];
            (admitted, refused.into_iter().filter(|(_, count)| *count > 0).collect())
        })
    }

    /// The journal has these turns; they may be read.
    pub(super) fn enqueue(&self, ids: &[(Scope, TurnId)]) {
        self.change(|inner| {
            for (scope, id) in ids {
                inner.enqueue(scope, *id);
            }
        });
    }

    /// Turns that an earlier process accepted; there is always room for them.
    pub(super) fn list(&self, turns: &[WaitingTurn]) {
        self.change(|inner| {
            inner.unlisted = inner.unlisted.saturating_sub(turns.len());
            for turn in turns {
                let of = inner.hasher.hash_one(&turn.scope);
                if inner.read_or_unreadable.peek(&(of, turn.id)).is_none() && inner.reserve(turn) {
                    inner.enqueue(&turn.scope, turn.id);
                }
            }
        });
    }

    /// So many turns in the journal are not listed here yet.
    pub(super) fn set_unlisted(&self, turns: usize) {
        self.change(|inner| inner.unlisted = turns);
    }

    /// The era that it is now. Whoever asks the store about turns takes it before, and hands it in with what the store says
    /// ([`Backlog::mark_read_or_unreadable`], [`Backlog::let_go`]): a deletion in between makes that void.
    pub(super) fn era(&self) -> Era {
        self.lock().era
    }

    /// These turns are read, or never will be, as was found out after `era`. Where turns were deleted meanwhile they are only
    /// forgotten: the store is asked again.
    pub(super) fn mark_read_or_unreadable(&self, scope: &Scope, ids: &[TurnId], era: Era) {
        self.change(|inner| inner.mark_read_or_unreadable(scope, ids, era));
    }

    /// These turns that somebody is reading are not in the store, as was found out after `era`. One that was said again meanwhile
    /// waits to be read.
    pub(super) fn let_go(&self, scope: &Scope, ids: &[TurnId], era: Era) {
        self.change(|inner| {
            let queue = inner.queues.get(scope);
            let is_read = |id: &TurnId| queue.is_some_and(|queue| queue.is_turn_being_read(*id));
            let ids: Vec<TurnId> = ids.iter().copied().filter(is_read).collect();
            inner.remove_older(scope, &ids, era.next());
        });
    }

    /// What has been read may have been lost or deleted: the store is asked again.
    pub(super) fn forget_read(&self) {
        self.change(|inner| {
            inner.era = inner.era.next();
            inner.read_or_unreadable.clear();
        });
    }

    /// Turns of a scope are about to be deleted from the store. Until that has ended the store is asked about every turn of the scope
    /// that came before, since nobody else knows which are gone by now. Gives what [`Backlog::end_deletion`] is to be told.
    pub(super) fn begin_deletion(&self, scope: &Scope) -> Era {
        self.change(|inner| {
            inner.era = inner.era.next();
            inner.read_or_unreadable.clear();
            inner.deletions.push((scope.clone(), inner.era));
            inner.era
        })
    }

    /// The turns of a scope that the journal had before a deletion began, as far as they are known here.
    pub(super) fn journalled_before(&self, scope: &Scope, began: Era) -> Vec<TurnId> {
        self.lock().queues.get(scope).map(|queue| queue.journalled_before(began)).unwrap_or_default()
    }

    /// A deletion has ended, and these turns are not in the store any more. Whoever says them again from now on brings something new;
    /// what came since the deletion began stays.
    pub(super) fn end_deletion(&self, scope: &Scope, ids: &[TurnId], began: Era) {
        self.change(|inner| {
            inner.era = inner.era.next();
            inner.deletions.retain(|(of, since)| of != scope || *since != began);
            inner.remove_older(scope, ids, began);
        });
    }

    /// A deletion has ended, and nobody can tell which turns it took. None that came before it is known any more, so that the store is
    /// asked about each that is said again, and what waits is to be listed anew.
    pub(super) fn abandon_deletion(&self, scope: &Scope, began: Era) {
        self.end_deletion(scope, &self.journalled_before(scope, began), began);
        self.change(|inner| inner.is_to_be_listed = true);
    }

    /// Whether what waits in the journal is to be listed anew; it is asked once.
    pub(super) fn take_to_be_listed(&self) -> bool {
        std::mem::take(&mut self.lock().is_to_be_listed)
    }

    /// The journal does not have these turns.
    pub(super) fn forget(&self, ids: &[(Scope, TurnId)]) {
        self.change(|inner| {
            for (scope, id) in ids {
                inner.remove(scope, *id);
            }
        });
    }

    /// What is to be read next; waits until there is something in this lane.
    pub(super) async fn next(self: &Arc<Self>, lane: Lane) -> ReadBatch {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.pick_at(lane, Instant::now()) {
                Ok(batch) => return batch,
                Err(None) => changed.await,
                // Whether something has changed or the time is over, it is looked again.
                Err(Some(wait)) => {
                    let _ = tokio::time::timeout(wait.min(LONGEST_WAIT), changed).await;
                }
            }
        }
    }

    /// What is to be read next in this lane; if nothing is, how long it takes until somebody who waits may have more read.
    pub(super) fn pick_at(self: &Arc<Self>, lane: Lane, now: Instant) -> Result<ReadBatch, Option<Duration>> {
        let sizes = self.sizes;
        let mut inner = self.lock();
        let mut soonest: Option<Duration> = None;
        let mut is_next = |scope: &Scope| {
            let is_for_lane = |queue: &Queue| (queue.first_tokens() > sizes.alone) == (lane == Lane::Long);
            if !inner.queues.get(scope).is_some_and(is_for_lane) {
                return false;
            }
            let wait = self.rate(scope).map(|rate| inner.read.of(caller(scope)).wait(rate, now));
            let wait = wait.filter(|wait| !wait.is_zero());
            soonest = [soonest, wait].into_iter().flatten().min();
            wait.is_none()
        };
        let at = inner.round_robin.iter().position(&mut is_next).ok_or(soonest)?;
        let scope = inner.round_robin.remove(at).ok_or(None)?;
        let tokens = if inner.round_robin.is_empty() { sizes.alone } else { sizes.shared };
        let rate = self.rate(&scope);
        let left = rate.map_or(usize::MAX, |rate| inner.read.of(caller(&scope)).left(rate, now));
        let era = inner.era;
        let (turns, read) = inner.queues.get_mut(&scope).ok_or(None)?.begin(tokens.min(left));
        if let Some(rate) = rate {
            inner.read.take(caller(&scope).to_owned(), rate, read, now);
        }
        Ok(ReadBatch { scope, turns, era, backlog: Arc::clone(self) })
    }

    /// How many tokens of a scope's caller are read in a minute, where that is limited.
    fn rate(&self, scope: &Scope) -> Option<Rate> {
        Rate::new(self.of_callers.of(scope).read_tokens_per_minute)
    }

    fn end(&self, scope: &Scope) {
        self.change(|inner| {
            let Some(queue) = inner.queues.get_mut(scope) else {
                return;
            };
            queue.end();
            if queue.is_waiting() {
                inner.round_robin.push_back(scope.clone());
            } else if queue.is_empty() {
                inner.queues.remove(scope);
            }
        });
    }

    fn change<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let result = work(&mut inner);
        metrics::backlog(inner.load.turns + inner.unlisted);
        drop(inner);
        self.changed.notify_waiters();
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReadBatch {
    fn drop(&mut self) {
        self.backlog.end(&self.scope);
    }
}

impl Inner {
    fn refusal(&self, limits: &BacklogLimits, scope: &Scope, bytes: usize) -> Option<Refusal> {
        if !self.load.has_room(limits.all, bytes) {
            return Some(Refusal::Full);
        }
        let own = self.callers.get(caller(scope)).copied().unwrap_or_default();
        (!own.has_room(limits.each, bytes)).then_some(Refusal::Share)
    }

    /// Whether a turn is in the journal, read or unreadable.
    fn is_known(&mut self, scope: &Scope, id: TurnId) -> bool {
        let of = self.hasher.hash_one(scope);
        let is_journalled = |queue: &Queue| queue.is_journalled(id);
        let is_journalled = self.queues.get(scope).is_some_and(is_journalled) && !self.may_be_deleted(scope, id);
        is_journalled || self.read_or_unreadable.get(&(of, id)).is_some()
    }

    /// Whether a turn that the journal had may be one that it has not any more, since its scope's turns are being deleted.
    fn may_be_deleted(&self, scope: &Scope, id: TurnId) -> bool {
        let began = self.deletions.iter().filter(|(of, _)| of == scope).map(|(_, began)| *began).max();
        let was_there = |queue: &Queue, began| queue.is_journalled(id) && queue.had_before(id, began);
        began.is_some_and(|began| self.queues.get(scope).is_some_and(|queue| was_there(queue, began)))
    }

    /// Whether a turn is here, in the journal or about to be.
    fn has(&self, scope: &Scope, id: TurnId) -> bool {
        self.queues.get(scope).is_some_and(|queue| queue.has(id))
    }

    /// False if the turn is here already.
    fn reserve(&mut self, turn: &WaitingTurn) -> bool {
        let is_new = match self.queues.get_mut(&turn.scope) {
            Some(queue) => queue.reserve(turn, self.era),
            None => self.queues.entry(turn.scope.clone()).or_default().reserve(turn, self.era),
        };
        if is_new {
            self.load.add(turn.bytes);
            let caller = caller(&turn.scope);
            match self.callers.get_mut(caller) {
                Some(own) => own.add(turn.bytes),
                None => self.callers.entry(caller.to_owned()).or_default().add(turn.bytes),
            }
        }
        is_new
    }

    fn enqueue(&mut self, scope: &Scope, id: TurnId) {
        let Some(queue) = self.queues.get_mut(scope) else {
            return;
        };
        let waited = queue.is_waiting() || queue.is_being_read();
        queue.enqueue(id);
        if !waited && queue.is_waiting() {
            self.round_robin.push_back(scope.clone());
        }
    }

    fn mark_read_or_unreadable(&mut self, scope: &Scope, ids: &[TurnId], era: Era) {
        self.remove_older(scope, ids, era.next());
        if era == self.era && self.deletions.iter().all(|(of, _)| of != scope) {
            let of = self.hasher.hash_one(scope);
            for id in ids {
                self.read_or_unreadable.put((of, *id), ());
            }
        }
    }

    /// Removes those that came before this; one that came later was said again since.
    fn remove_older(&mut self, scope: &Scope, ids: &[TurnId], era: Era) {
        for id in ids {
            if self.queues.get(scope).is_some_and(|queue| queue.had_before(*id, era)) {
                self.remove(scope, *id);
            }
        }
    }

    fn remove(&mut self, scope: &Scope, id: TurnId) {
        let Some(queue) = self.queues.get_mut(scope) else {
            return;
        };
        let waited = queue.is_waiting();
        if let Some(bytes) = queue.remove(id) {
            self.load.subtract(bytes);
            if let Some(own) = self.callers.get_mut(caller(scope)) {
                own.subtract(bytes);
                if *own == Load::default() {
                    self.callers.remove(caller(scope));
                }
            }
        }
        if waited && !queue.is_waiting() {
            self.round_robin.retain(|other| other != scope);
        }
        if queue.is_empty() {
            self.queues.remove(scope);
        }
    }
}

/// How many turns that are read or unreadable are remembered, at about 100 bytes each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(131_071);
/// A caller's limit may be raised while its turns wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
