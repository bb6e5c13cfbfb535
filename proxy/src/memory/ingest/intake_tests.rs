//! The writer and those who wait for it: one transaction for many, and no client held up by a journal that fails.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use mainpoint_store::{ConversationId, SaidTurn};
use tokio::sync::Semaphore;

use super::*;
use crate::config::{Config, LimitsConfig};
use crate::memory::ingest::backlog::{BacklogLimits, Sizes};
use crate::memory::ingest::caller_limits::CallerLimits;
use crate::memory::turns_for_tests as turns;

/// A journal that fails as long as it is told to, and that takes each batch only with a permit.
#[derive(Debug)]
struct Journal {
    batches: Mutex<Vec<usize>>,
    /// Turns that were put into their places.
    placed: AtomicUsize,
    failures_left: AtomicUsize,
    permits: Semaphore,
}

/// Long enough that nothing of a test takes so long.
const LONG: Duration = Duration::from_secs(3600);
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1);

impl Journal {
    fn failing(times: usize) -> Arc<Self> {
        Arc::new(Self {
            batches: Mutex::default(),
            placed: AtomicUsize::new(0),
            failures_left: AtomicUsize::new(times),
            permits: Semaphore::new(0),
        })
    }

    async fn accept(&self, turns: usize) -> Result<(), StoreError> {
        self.permits.acquire().await.unwrap().forget();
        self.batches.lock().unwrap().push(turns);
        let fails = |left: usize| left.checked_sub(1);
        match self.failures_left.fetch_update(Ordering::AcqRel, Ordering::Acquire, fails) {
            Ok(_) => Err(StoreError::Closed),
            Err(_) => Ok(()),
        }
    }

    fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }
}

struct Bench {
    journal: Arc<Journal>,
    backlog: Arc<Backlog>,
    health: Arc<JournalHealth>,
    queue: mpsc::Sender<QueuedTurns>,
}

/// A running writer, with a backlog of at most so many turns.
fn bench(journal: Arc<Journal>, timeout: Duration, most: usize) -> Bench {
    let mut settings = Config::defaults().store;
    (settings.backlog_turns, settings.backlog_share) = (most, 1.0);
    let sizes = Sizes { alone: 100, shared: 10 };
    let limits = CallerLimits::new(|_| LimitsConfig::default());
    let backlog = Arc::new(Backlog::new(BacklogLimits::new(&settings), sizes, limits.clone()));
    let health = Arc::new(JournalHealth::new(timeout, PAUSE_BETWEEN_ATTEMPTS, 64 << 20));
    let (queue, come) = mpsc::channel(MOST_QUEUED);
    let taking = Arc::clone(&journal);
    let writer = JournalWriter {
        accept: Box::new(move |turns, placements| {
            let journal = Arc::clone(&taking);
            let placed = placements.iter().map(|placement| placement.turns.len()).sum();
            journal.placed.fetch_add(placed, Ordering::AcqRel);
            Box::pin(async move { journal.accept(turns.len()).await })
        }),
        backlog: Arc::clone(&backlog),
        stored: Arc::new(StoredAmounts::new(limits)),
        health: Arc::clone(&health),
        stop: CancellationToken::new(),
    };
    tokio::spawn(writer.run(come));
    Bench { journal, backlog, health, queue }
}

impl Bench {
    async fn submit(&self, numbers: impl IntoIterator<Item = u32>) -> Acknowledgement {
        self.submit_placed(numbers, None).await
    }

    async fn submit_placed(
        &self,
        numbers: impl IntoIterator<Item = u32>,
        placement: Option<ConversationAppend>,
    ) -> Acknowledgement {
        let turns: Vec<Turn> = numbers.into_iter().map(turn).collect();
        let bytes = turns.iter().map(|turn| turn.text.len()).sum();
        let (done, written) = oneshot::channel();
        assert!(self.health.enter(bytes));
        self.queue.send(QueuedTurns { turns, placement, bytes, done }).await.unwrap();
        Acknowledgement { done: vec![written], health: Arc::clone(&self.health), too_late: false }
    }

    fn is_down(&self) -> bool {
        *self.health.is_down.borrow()
    }

    fn waiting(&self, numbers: std::ops::Range<u32>) -> usize {
        let ids: Vec<TurnId> = numbers.map(|number| turn(number).id).collect();
        ids.len() - self.backlog.unseen(&turn(0).scope, &ids).len()
    }
}

/// Waits until something holds that another task brings about.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(PAUSE_BETWEEN_ATTEMPTS).await;
    }
}

fn turn(number: u32) -> Turn {
    turns::turn(number, "text")
}

#[tokio::test]
async fn what_comes_while_the_journal_is_busy_is_written_in_one_transaction() {
    let bench = bench(Journal::failing(0), LONG, 100);
    let first = tokio::spawn(bench.submit([0]).await.wait());
    while bench.queue.capacity() < MOST_QUEUED {
        tokio::task::yield_now().await;
    }
    let mut others = Vec::new();
    for number in 1..20 {
        others.push(tokio::spawn(bench.submit([number]).await.wait()));
    }
    assert!(!first.is_finished(), "the answer waits until the journal has its turn");
    assert_eq!(bench.waiting(0..20), 0);
    bench.journal.permits.add_permits(2);
    first.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(bench.journal.batches(), [1, 19]);
    assert_eq!(bench.waiting(0..20), 20);
    assert_eq!(bench.health.waiting_bytes.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn a_slow_journal_delays_one_answer_for_a_bounded_time_and_the_next_not_at_all() {
    let timeout = Duration::from_millis(50);
    let bench = bench(Journal::failing(0), timeout, 100);
    let started = Instant::now();
    bench.submit([0]).await.wait().await;
    assert!(started.elapsed() >= timeout);
    assert!(bench.submit([1]).await.wait().now_or_never().is_some());
    bench.journal.permits.add_permits(2);
    until(|| bench.waiting(0..2) == 2).await;
    assert!(!bench.is_down(), "it works again, so answers wait for it again");
}

#[tokio::test]
async fn turns_that_cannot_be_written_are_tried_again_and_nobody_waits_for_that() {
    let bench = bench(Journal::failing(2), LONG, 100);
    bench.journal.permits.add_permits(1);
    bench.submit(0..3).await.wait().await;
    assert!(bench.is_down() && bench.waiting(0..3) == 0);
    assert!(bench.submit([3]).await.wait().now_or_never().is_some());
    bench.journal.permits.add_permits(3);
    until(|| bench.waiting(0..4) == 4).await;
    assert_eq!(bench.journal.batches(), [3, 3, 3, 1]);
    assert!(!bench.is_down());
}

#[tokio::test]
async fn a_journal_whose_last_write_failed_is_named_until_one_succeeds_however_slow() {
    // Nothing is quick enough for a timeout of no time, so that answers go on not to wait.
    let bench = bench(Journal::failing(ATTEMPTS), Duration::ZERO, 100);
    assert_eq!(bench.health.failure(), None);
    bench.journal.permits.add_permits(ATTEMPTS);
    bench.submit([0]).await.wait().await;
    until(|| bench.journal.batches().len() == ATTEMPTS).await;
    assert_eq!(bench.health.failure(), Some("store_closed"));
    bench.journal.permits.add_permits(1);
    bench.submit([1]).await.wait().await;
    until(|| bench.waiting(0..2) == 1).await;
    until(|| bench.health.failure().is_none()).await;
    assert!(bench.is_down(), "the journal is slow, which is no reason to say that nothing is stored");
}

#[tokio::test]
async fn what_cannot_be_written_at_all_is_given_up_and_may_come_again() {
    let bench = bench(Journal::failing(ATTEMPTS), LONG, 100);
    bench.journal.permits.add_permits(ATTEMPTS);
    bench.submit([0]).await.wait().await;
    until(|| bench.journal.batches().len() == ATTEMPTS).await;
    assert_eq!(bench.waiting(0..1), 0);
    bench.journal.permits.add_permits(1);
    bench.submit([0]).await.wait().await;
    until(|| bench.waiting(0..1) == 1).await;
    assert_eq!(bench.journal.batches().len(), ATTEMPTS + 1);
}

#[tokio::test]
async fn turns_for_which_there_is_no_room_are_left_out_and_nobody_waits() {
    let bench = bench(Journal::failing(0), LONG, 3);
    bench.journal.permits.add_permits(100);
    bench.submit(0..5).await.wait().await;
    bench.submit(5..9).await.wait().await;
    assert_eq!((bench.waiting(0..3), bench.waiting(3..9)), (3, 0));
    bench.backlog.mark_read_or_unreadable(&turn(0).scope, &[turn(0).id, turn(1).id], bench.backlog.era());
    bench.submit(3..5).await.wait().await;
    assert_eq!(bench.waiting(3..5), 2, "there is room again");
}

#[tokio::test]
async fn turns_for_which_there_is_no_room_have_their_places_all_the_same() {
    let bench = bench(Journal::failing(0), LONG, 2);
    bench.journal.permits.add_permits(100);
    bench.submit(0..2).await.wait().await;
    let placement = ConversationAppend {
        scope: turn(0).scope,
        after: None,
        fresh: ConversationId([1; 16]),
        turns: (0..4).map(turn).map(|turn| SaidTurn { turn: turn.id, time: turn.time }).collect(),
        plain: Vec::new(),
    };
    bench.submit_placed(2..4, Some(placement)).await.wait().await;
    assert_eq!(bench.journal.batches(), [2, 0]);
    assert_eq!(bench.journal.placed.load(Ordering::Acquire), 4);
    assert_eq!(bench.waiting(2..4), 0, "the next request brings their words again");
}

#[test]
fn a_long_history_is_cut_into_pieces_and_nothing_is_left_out() {
    let mut turns: Vec<Turn> = (0..3000).map(turn).collect();
    turns[10].text = "x".repeat(PIECE_BYTES + 1);
    let ids: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
    let pieces = pieces(turns);
    assert!(pieces.iter().all(|piece| {
        let bytes: usize = piece.iter().map(|turn| turn.text.len()).sum();
        piece.len() <= PIECE_TURNS && (bytes <= PIECE_BYTES || piece.len() == 1)
    }));
    let found: Vec<TurnId> = pieces.iter().flatten().map(|turn| turn.id).collect();
    assert_eq!(found, ids);
}
