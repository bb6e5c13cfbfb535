//! What the proxy, its reader and the background tasks ask of the store, as a seed says.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::check::ledger_key;
use super::disk::{Fault, SimulatedDisk};
use super::history::{Answer, Asked, Covered, EntryKey, History, conversation_of};
use super::names::{common, conversation, is_common, points, scope, time, turn, turn_id, value};
use crate::records::{ConversationAppend, LedgerEntry, LedgerKind, SaidTurn, Scope, TurnId, TurnKey, TurnPlace};
use crate::upkeep::{catch_up, deletion, flush};
use crate::{Store, StoreError};

/// Conversations of a scope; turns of a conversation; prefixes of a scope.
const CONVERSATIONS: u8 = 3;
const TURNS: u8 = 5;
const PREFIXES: u8 = 6;
/// For how long entries of the ledger are kept.
pub(super) const LEDGER_AGE: Duration = Duration::from_secs(3600);

/// What all clients of one process have in common.
pub(super) struct World<'a> {
    pub(super) store: Store,
    pub(super) disk: SimulatedDisk,
    pub(super) history: &'a RefCell<History>,
    /// The clock, in microseconds.
    pub(super) clock: &'a Cell<i64>,
}

/// Asks so many things, one after the other.
pub(super) async fn run(world: &World<'_>, mut choice: fastrand::Rng, count: usize) {
    for _ in 0..count {
        if world.disk.is_halted() {
            return;
        }
        world.clock.set(world.clock.get() + choice.i64(1..5_000_000));
        match choice.u8(0..100) {
            0..=29 => world.accept(&mut choice).await,
            30..=47 => world.complete(&mut choice).await,
            48..=61 => world.record(&mut choice).await,
            62..=69 => world.flush(&mut choice).await,
            70..=73 => world.delete(&mut choice).await,
            74..=79 => world.maintain(&mut choice).await,
            80..=91 => world.look_after(&mut choice).await,
            92..=94 => world.clock.set(world.clock.get() + choice.i64(0..3_600_000_000)),
            _ => world.change_luck(&mut choice),
        }
    }
}

impl World<'_> {
    fn begin(&self, asked: Asked) -> usize {
        self.history.borrow_mut().begin(asked)
    }

    /// Notes an answer, if the process that gave it still runs.
    fn end<T>(&self, number: usize, result: Result<T, StoreError>, answer: impl FnOnce(T) -> Answer) {
        let mut history = self.history.borrow_mut();
        match result {
            _ if self.disk.is_halted() => {}
            Ok(given) => history.end(number, answer(given)),
            Err(error) => {
                history.tell(format!("{number:>3} failed   {}", crate::trouble::one_line(&error)));
                history.end(number, Answer::None);
            }
        }
    }

    /// A request that goes on with a conversation, or is sent again. It has one to three turns of it.
    async fn accept(&self, choice: &mut fastrand::Rng) {
        let (of, number) = (scope(choice.u8(0..2)), choice.u8(0..CONVERSATIONS));
        let Some(length) = self.length(&of, number) else { return };
        let (first, count) = (choice.u8(0..=length.min(TURNS - 1)), choice.u8(1..4));
        let is_branch = choice.u8(0..60) == 0;
        let ids: Vec<TurnId> = (first..TURNS.min(first + count))
            .map(|position| match choice.u8(0..20) {
                // The first turn of a conversation is its own, since it gives it its name here.
                0 if position > 0 => common(position),
                _ => turn_id(number, position, u8::from(is_branch)),
            })
            .collect();
        let micros = self.clock.get();
        let keys: Vec<TurnKey> = ids.iter().map(|id| (of.clone(), *id)).collect();
        {
            let mut history = self.history.borrow_mut();
            if (is_branch || ids.iter().any(|id| is_common(*id))) && !history.branched.contains(&of) {
                history.branched.push(of.clone());
            }
            for key in &keys {
                let (first, last) = history.said.entry(key.clone()).or_insert((micros, micros));
                (*first, *last) = ((*first).min(micros), (*last).max(micros));
            }
        }
        let after = first
            .checked_sub(1)
            .map(|position| TurnPlace { conversation: conversation(number), position: position.into() });
        let said = ConversationAppend {
            scope: of,
            after,
            fresh: conversation(number + if is_branch { 100 } else { 0 }),
            turns: ids.iter().map(|turn| SaidTurn { turn: *turn, time: time(micros) }).collect(),
            plain: Vec::new(),
        };
        let turns: Vec<_> = keys.iter().map(|key| turn(key, micros)).collect();
        let asked = self.begin(Asked::Accept { turns: keys });
        let (store, gives_up_after) = (self.store.clone(), choice.u8(0..60));
        let accepting = store.accept_said(turns, vec![said]);
        if gives_up_after < 6 {
            // A client that hangs up: what it asked for is done to its end, or not at all.
            let mut accepting = Box::pin(accepting);
            for _ in 0..gives_up_after {
                if let std::task::Poll::Ready(result) = futures::poll!(&mut accepting) {
                    return self.end(asked, result, |_| Answer::Done);
                }
                tokio::task::yield_now().await;
            }
            return self.history.borrow_mut().tell(format!("{asked:>3} hung up"));
        }
        self.end(asked, accepting.await, |_| Answer::Done);
    }

    /// How many turns of a conversation stand one after the other from its first, as far as its journal can be read.
    fn length(&self, of: &Scope, number: u8) -> Option<u8> {
        let placed = self.store.shared().journal.scope_places(of).ok()?.placed;
        let place = |position: &u8| TurnPlace { conversation: conversation(number), position: (*position).into() };
        (0..TURNS).take_while(|position| placed.iter().any(|(at, _)| *at == place(position))).count().try_into().ok()
    }

    /// The reader has read some of what waits, or of what was deleted meanwhile.
    async fn complete(&self, choice: &mut fastrand::Rng) {
        let Ok(waiting) = self.store.shared().journal.accepted() else { return };
        let mut turns: Vec<TurnKey> = waiting.into_iter().map(|turn| (turn.scope, turn.id)).collect();
        choice.shuffle(&mut turns);
        turns.truncate(choice.usize(1..4));
        if choice.u8(0..8) == 0 {
            turns.push((scope(0), turn_id(choice.u8(0..CONVERSATIONS), choice.u8(0..TURNS), 0)));
            turns.dedup();
        }
        let read = turns.iter().map(|(of, id)| (of.clone(), *id, points(*id))).collect();
        let asked = self.begin(Asked::Complete { turns });
        self.end(asked, self.store.complete(read).await, Answer::Turns);
    }

    async fn record(&self, choice: &mut fastrand::Rng) {
        let (of, prefix) = (scope(choice.u8(0..2)), choice.u8(0..PREFIXES));
        let quoted: Vec<TurnId> =
            (0..choice.u8(0..3)).map(|_| turn_id(choice.u8(0..CONVERSATIONS), choice.u8(0..TURNS), 0)).collect();
        let value = value(choice.u32(..), &quoted);
        let (entry, micros): (EntryKey, i64) = ((of.clone(), prefix), self.clock.get());
        {
            let mut history = self.history.borrow_mut();
            let (first, last) = history.written.entry(entry.clone()).or_insert((micros, micros));
            (*first, *last) = ((*first).min(micros), (*last).max(micros));
        }
        let line = LedgerEntry {
            kind: LedgerKind::Block,
            key: ledger_key(prefix),
            conversation: conversation(conversation_of(prefix)),
            value: value.clone(),
        };
        let asked = self.begin(Asked::Record { entry, value });
        let mark = self.store.deletion_mark(&of);
        let held = self.store.record_at(&of, mark, vec![line], time(micros)).await;
        self.end(asked, held, |held| {
            Answer::Held(held.into_iter().map(|entry| entry.value).next().unwrap_or_default())
        });
    }

    async fn flush(&self, choice: &mut fastrand::Rng) {
        if choice.bool() {
            let asked = self.begin(Asked::Other("flush"));
            self.end(asked, self.store.flush().await, |()| Answer::Done);
        } else {
            let asked = self.begin(Asked::Other("commit"));
            self.end(asked, flush::commit(self.store.shared()).await, |()| Answer::Done);
        }
    }

    async fn delete(&self, choice: &mut fastrand::Rng) {
        let (of, number) = (scope(choice.u8(0..2)), choice.u8(0..CONVERSATIONS));
        let what = match choice.u8(0..8) {
            0..=3 => Covered::Turns((0..choice.u8(1..4)).map(|_| turn_id(number, choice.u8(0..TURNS), 0)).collect()),
            4 | 5 => Covered::Conversation(number),
            6 => Covered::Before(self.clock.get() - choice.i64(0..30_000_000)),
            _ => Covered::Everything,
        };
        let asked = self.begin(Asked::Delete { scope: of.clone(), what: what.clone() });
        let deleted = match what {
            Covered::Turns(ids) => self.store.delete_turns(&of, ids).await,
            Covered::Conversation(number) => self.store.delete_conversation(&of, conversation(number)).await,
            Covered::Before(micros) => self.store.delete_before(&of, time(micros)).await,
            Covered::Everything => self.store.delete_scope(&of).await,
        };
        let keys = |ids: Vec<TurnId>| {
            let mut keys: Vec<TurnKey> = ids.into_iter().map(|id| (of.clone(), id)).collect();
            keys.sort_unstable();
            keys
        };
        self.end(asked, deleted, |ids| Answer::Turns(keys(ids)));
    }

    /// As maintenance does it, but for what LanceDB does.
    async fn maintain(&self, choice: &mut fastrand::Rng) {
        let shared = self.store.shared();
        let asked = self.begin(Asked::Other("maintain"));
        let begun = async {
            deletion::resume(shared).await?;
            flush::flush(shared).await
        };
        let is_begun = begun.await;
        let goes_on = is_begun.is_ok() && choice.bool();
        self.end(asked, is_begun, |()| Answer::Done);
        if !goes_on {
            return;
        }
        let _maintenance = shared.maintenance.lock().await;
        let now = time(self.clock.get());
        let before = self.clock.get() - i64::try_from(LEDGER_AGE.as_micros()).unwrap();
        let asked = self.begin(Asked::Expire { before });
        let expired = shared.blocking(move |shared| shared.journal.expire_ledger(now, LEDGER_AGE)).await;
        self.end(asked, expired, |_| Answer::Done);
        let asked = self.begin(Asked::Other("rewrite the journal"));
        let rewritten = shared.blocking(|shared| {
            let rewritten = shared.journal.rewrite();
            shared.journal.keep_reserve();
            rewritten
        });
        self.end(asked, rewritten.await, |_| Answer::Done);
    }

    /// As the task that looks after the files does it.
    async fn look_after(&self, choice: &mut fastrand::Rng) {
        let shared = self.store.shared();
        if choice.u8(0..4) == 0 {
            let asked = self.begin(Asked::Other("reopen the journal"));
            catch_up::reopen_journal(shared).await;
            return self.end(asked, Ok(()), |()| Answer::Done);
        }
        let asked = self.begin(Asked::Other("look after the journal"));
        self.end(asked, catch_up::repair_journal(shared).await, |()| Answer::Done);
    }

    /// The disk fails at some operation to come, is full, or has room again.
    fn change_luck(&self, choice: &mut fastrand::Rng) {
        let mut platter = self.disk.platter();
        let told = match choice.u8(0..5) {
            0 | 1 => {
                let fault = if choice.bool() { Fault::Error } else { Fault::ForgottenSync };
                platter.fault.get_or_insert((choice.u64(0..30), fault));
                "the disk will fail".to_owned()
            }
            2 => {
                let pages = choice.u64(0..40) + if choice.bool() { 1024 } else { 0 };
                platter.leave_room(pages);
                format!("the disk has {pages} pages left")
            }
            _ => {
                platter.room = None;
                "the disk has room".to_owned()
            }
        };
        drop(platter);
        self.history.borrow_mut().tell(told);
    }
}
