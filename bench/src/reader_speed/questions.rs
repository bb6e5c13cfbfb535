//! How long a question takes to prepare on an idle engine, and while bulk reads keep the reader busy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainpoint_engine::{Engine, EngineError, ReadRequest, TurnText};
use tokio::task::JoinHandle;

use super::texts::{as_read, beginning};
use crate::data::Conversation;
use crate::progress::over;
use crate::{BenchError, Failing};

/// Milliseconds of each question of one kind, round by round.
#[derive(Debug)]
pub(super) struct Asked {
    /// What result files call them.
    pub(super) bench: String,
    /// What was done beside.
    pub(super) arm: &'static str,
    pub(super) rounds: Vec<Vec<f64>>,
}

/// Bulk reads that go on until they are ended.
struct Load {
    /// Each gives the failure that ended it.
    readers: Vec<JoinHandle<Option<EngineError>>>,
}

/// Questions of one round on an idle engine, and as many on a busy one.
pub(super) const QUESTIONS: usize = 60;
/// Tokens of questions that are cut, without those of the prompt.
const LENGTHS: [usize; 3] = [8, 16, 32];
/// Bulk reads at a time: with several, the reader's queue is never empty.
const READERS: usize = 3;
/// Turns of one bulk read, which the last one of a round is waited for.
const TURNS: usize = 24;

/// Asks the conversations' questions one after the other, idle and busy in turn and cut to several lengths, after one round that
/// does not count.
pub(super) async fn time(
    engine: &Engine,
    conversations: &[Conversation],
    rounds: usize,
) -> Result<Vec<Asked>, BenchError> {
    let turns = conversations.iter().flat_map(|conversation| &conversation.turns);
    let turns: Arc<[TurnText]> = turns.map(as_read).collect();
    let questions = conversations.iter().flat_map(|conversation| &conversation.questions);
    let questions: Vec<&str> = questions.map(|question| question.text.as_str()).collect();
    let mut real = questions.iter().copied().cycle();
    let mut idle = Asked::new("question", "idle");
    let mut busy = Asked::new("question", "during-bulk-read");
    let mut cut = Vec::with_capacity(LENGTHS.len());
    for length in LENGTHS {
        let asked = Asked::new(format!("question-{length}"), "idle");
        cut.push((of_length(engine, &turns, length)?, asked));
    }
    for round in over("questions", 0..rounds + 1) {
        let counts = round > 0;
        idle.add(ask(engine, &mut real).await?, counts);
        for (texts, asked) in &mut cut {
            asked.add(ask(engine, texts.iter().map(String::as_str).cycle()).await?, counts);
        }
        let load = Load::begin(engine, &turns).await;
        let found = ask(engine, &mut real).await;
        load.end(engine).await?;
        busy.add(found?, counts);
    }
    Ok([idle, busy].into_iter().chain(cut.into_iter().map(|(_, asked)| asked)).collect())
}

/// The beginnings of turns that have so many tokens, or nearly.
fn of_length(engine: &Engine, turns: &[TurnText], length: usize) -> Result<Vec<String>, BenchError> {
    let mut texts = Vec::with_capacity(QUESTIONS);
    // A turn of so many bytes has more tokens than are wanted.
    for turn in turns.iter().filter(|turn| turn.text.len() > 8 * length).take(QUESTIONS) {
        texts.push(beginning(engine, &turn.text, length)?.to_owned());
    }
    Ok(texts)
}

impl Asked {
    pub(super) fn new(bench: impl Into<String>, arm: &'static str) -> Self {
        Self { bench: bench.into(), arm, rounds: Vec::new() }
    }

    fn add(&mut self, round: Vec<f64>, counts: bool) {
        if counts {
            self.rounds.push(round);
        }
    }
}

impl Load {
    /// Begins to read and waits until the reader has more to do than it can.
    async fn begin(engine: &Engine, turns: &Arc<[TurnText]>) -> Self {
        let reader = |_| tokio::spawn(read_on(engine.clone(), Arc::clone(turns)));
        let readers: Vec<_> = (0..READERS).map(reader).collect();
        while engine.status().reader_queue == 0 && !readers.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { readers }
    }

    /// Ends the reads and waits until the engine is idle again.
    async fn end(self, engine: &Engine) -> Result<(), BenchError> {
        for reader in &self.readers {
            reader.abort();
        }
        for reader in self.readers {
            // A reader that was aborted gives nothing; one that ended before says why.
            if let Ok(Some(error)) = reader.await {
                return Err(error).in_engine("a bulk read");
            }
        }
        // It waits its turn behind the pass that is under way.
        let last =
            ReadRequest { turns: vec![TurnText { speaker: "User".to_owned(), text: "That is all.".to_owned() }] };
        engine.read(last).await.in_engine("waiting for the last bulk read")?;
        Ok(())
    }
}

/// Reads the turns over and over; gives the failure that ended it.
async fn read_on(engine: Engine, turns: Arc<[TurnText]>) -> Option<EngineError> {
    for batch in turns.chunks(TURNS).cycle() {
        let request = ReadRequest { turns: batch.to_vec() };
        if let Err(error) = engine.read(request).await {
            return Some(error);
        }
    }
    None
}

async fn ask<'a>(engine: &Engine, questions: impl Iterator<Item = &'a str>) -> Result<Vec<f64>, BenchError> {
    let mut milliseconds = Vec::with_capacity(QUESTIONS);
    for question in questions.take(QUESTIONS) {
        let started = Instant::now();
        let prepared = engine.question(question).await.in_engine("preparing a question")?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1000.0);
        std::hint::black_box(prepared);
    }
    Ok(milliseconds)
}
