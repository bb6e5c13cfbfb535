//! What a data directory holds after its program has ended: the turns that are read and those that are still to be.

use std::collections::HashMap;
use std::path::Path;

use mainpoint::config::Config;
use mainpoint::models;
use mainpoint_engine::Projection;
use mainpoint_store::{Scope, Store, Turn, TurnId, Within};

use crate::product::quiet_store;
use crate::{BenchError, Failing};

/// What is kept, wherever it lies.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The scope in which each text lies, as often as its turn is there.
    pub(super) turns: HashMap<String, Vec<String>>,
    /// How many of them are still to be read.
    pub(super) unread: usize,
}

/// More main points than any run makes.
const MOST_POINTS: usize = 10_000_000;
/// Turns that are asked for at once.
const BATCH: usize = 500;

/// Opens the store in `directory` and lists every turn in it.
pub(super) async fn inspect(directory: &Path) -> Result<Kept, BenchError> {
    let store = quiet_store(directory, vector_width()).await?;
    let unread = store.unread().await.in_store("listing turns")?;
    // What was read a moment ago stands in the journal until now.
    store.flush().await.in_store("flushing")?;
    let mut kept = Kept { unread: unread.len(), ..Kept::default() };
    kept.add(unread);
    for scope in store.scopes().await.in_store("listing scopes")? {
        kept.add(stored(&store, &scope).await?);
    }
    let rows = usize::try_from(store.status().turns).unwrap_or(usize::MAX);
    let found = kept.turns.values().map(Vec::len).sum::<usize>() - kept.unread;
    store.close().await.in_store("closing")?;
    if rows != found {
        let reason = format!("it has {rows} rows of turns, and its main points lead to {found}");
        return Err(BenchError::data(directory, reason));
    }
    Ok(kept)
}

impl Kept {
    fn add(&mut self, turns: Vec<Turn>) {
        for Turn { scope, text, .. } in turns {
            self.turns.entry(text).or_default().push(scope.as_str().to_owned());
        }
    }
}

/// The turns of a scope that have been read, each as often as its first passage is there.
async fn stored(store: &Store, scope: &Scope) -> Result<Vec<Turn>, BenchError> {
    let points = store.points(scope, &Within::Scope, MOST_POINTS).await.in_store("listing main points")?;
    let firsts = points.iter().filter(|point| point.passage == 0);
    let names: Vec<TurnId> = firsts.map(|point| point.turn).collect();
    let mut found = Vec::with_capacity(names.len());
    for some in names.chunks(BATCH) {
        found.extend(store.turns(scope, some).await.in_store("reading turns")?);
    }
    Ok(found)
}

/// How many numbers the product stores of a vector of its own reader.
fn vector_width() -> usize {
    let reader = Config::defaults().models.reader;
    let whole = || models::mean(&reader).map_or(0, |mean| mean.len());
    models::projection(&reader).as_ref().map_or_else(whole, Projection::width)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use mainpoint_store::{ConversationId, Point, Span};

    use super::*;

    fn turn(number: u8) -> Turn {
        Turn {
            id: TurnId([number; 16]),
            parent: None,
            conversation: ConversationId([number; 16]),
            scope: Scope::new(format!("scope-{}", number % 2)).unwrap(),
            position: 0,
            role: "user".to_owned(),
            text: format!("text {number}"),
            time: DateTime::UNIX_EPOCH,
            tokens: 2,
        }
    }

    fn point(turn: &Turn) -> Point {
        let end = u32::try_from(turn.text.len()).unwrap();
        Point {
            turn: turn.id,
            passage: 0,
            start: 0,
            end,
            spans: vec![Span { start: 0, end, salience: 1.0 }],
            text: turn.text.clone(),
            vector: vec![1.0; vector_width()],
            ranking_data: Vec::new(),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn turns_are_found_in_the_journal_and_in_the_tables() {
        let home = tempfile::tempdir().unwrap();
        let store = quiet_store(home.path(), vector_width()).await.unwrap();
        let turns: Vec<Turn> = (0..5).map(turn).collect();
        store.accept(turns.clone()).await.unwrap();
        let read = turns[..3].iter().map(|turn| (turn.scope.clone(), turn.id, vec![point(turn)]));
        store.complete(read.collect()).await.unwrap();
        store.close().await.unwrap();
        let kept = inspect(home.path()).await.unwrap();
        assert_eq!(kept.turns.len(), 5);
        assert!(turns.iter().all(|turn| kept.turns[&turn.text] == [turn.scope.as_str()]));
        assert_eq!(kept.unread, 2);
    }
}
