//! The product's store, filled with conversations: one scope per conversation.
//!
//! It must not know which arms its answers become.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use mainpoint::memory::profile::Profile;
use mainpoint_engine::KeyCoder;
use mainpoint_store::{Hit, Point, Retain, Scope, SearchQuery, Span, Store, StoreConfig, Turn, TurnId, Within};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::reading::{ReadPassage, Reading};
use crate::BenchError;
use crate::ranking::first_places;
use crate::recorded::{self, Conversation};

/// A store in a temporary directory.
pub(super) struct Shelf {
    store: Store,
    directory: TempDir,
    coder: KeyCoder,
}

/// The passages that the store found for a question, best first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    /// By cosine similarity.
    pub(super) dense: Vec<FoundPassage>,
    /// By BM25; passages without a word of the question are missing.
    pub(super) lexical: Vec<FoundPassage>,
}

/// One passage that a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FoundPassage {
    /// The turn that it is of.
    pub(super) turn: usize,
    /// Its number within the turn.
    pub(super) passage: usize,
    /// How well it fits, comparable within one search.
    pub(super) score: f32,
}

/// How the files end in which LanceDB's full-text index lists the places of words.
const WORD_LISTS: &str = "invert.lance";

impl Shelf {
    /// Opens an empty store for vectors of `width` numbers and keys that `coder` writes.
    ///
    /// # Errors
    /// [`BenchError::Write`] or a failure of the store.
    pub(super) async fn open(width: usize, coder: KeyCoder) -> Result<Self, BenchError> {
        let directory = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
        let config = StoreConfig {
            retain: Retain::Turns,
            cpu_threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            ..StoreConfig::new(directory.path(), width)
        };
        let store = Store::open(config).await.map_err(BenchError::store("opening"))?;
        Ok(Self {
            store,
            directory,
            coder,
        })
    }

    /// Puts a conversation with its main points on the shelf and checks that its keys come back.
    ///
    /// # Errors
    /// A failure of the store, or [`BenchError::Data`] if it gives other keys back.
    pub(super) async fn fill(&self, conversation: &Conversation, reading: &Reading) -> Result<(), BenchError> {
        let scope = scope_of(conversation)?;
        let ids = ids_of(conversation);
        let first = ids.first().copied().unwrap_or(TurnId([0; 16]));
        let mut turns = Vec::with_capacity(ids.len());
        let mut points = Vec::with_capacity(ids.len());
        let mut parent = None;
        for (position, ((turn, read), id)) in conversation.turns.iter().zip(&reading.turns).zip(&ids).enumerate() {
            let stored = Turn {
                id: *id,
                parent: parent.replace(*id),
                conversation: first,
                scope: scope.clone(),
                position: narrow(position),
                role: turn.role.to_owned(),
                text: turn.message(),
                time: turn.time,
                tokens: narrow(read.tokens),
            };
            let profile = Profile::of(&stored);
            turns.push(stored);
            let found = read.passages.iter().enumerate().map(|(number, passage)| {
                let keys = passage.stored_keys(&self.coder)?;
                Ok(Point {
                    features: profile.with_keys(&keys),
                    ..point(*id, number, passage, turn)
                })
            });
            points.push((scope.clone(), *id, found.collect::<Result<_, BenchError>>()?));
        }
        self.store
            .accept(turns)
            .await
            .map_err(BenchError::store("accepting turns"))?;
        self.store
            .complete(points)
            .await
            .map_err(BenchError::store("keeping main points"))?;
        self.store.flush().await.map_err(BenchError::store("flushing"))?;
        self.check_keys(&scope, &ids, reading).await
    }

    /// Builds the indexes and compacts the files.
    ///
    /// # Errors
    /// A failure of the store.
    pub(super) async fn settle(&self) -> Result<(), BenchError> {
        self.store.maintain().await.map_err(BenchError::store("maintaining"))?;
        Ok(())
    }

    /// Searches a conversation, to its end.
    ///
    /// # Errors
    /// A failure of the store.
    pub(super) async fn search(
        &self,
        conversation: &Conversation,
        reading: &Reading,
        (text, vector): (&str, &[f32]),
    ) -> Result<Found, BenchError> {
        let query = SearchQuery {
            scope: scope_of(conversation)?,
            within: Within::Scope,
            vector: vector.to_vec(),
            text: text.to_owned(),
            limit: reading
                .turns
                .iter()
                .map(|turn| turn.passages.len())
                .sum::<usize>()
                .max(1),
        };
        let result = self
            .store
            .search(&query)
            .await
            .map_err(BenchError::store("searching"))?;
        let ids = ids_of(conversation);
        let places: HashMap<TurnId, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let turns = |hits: &[Hit]| {
            let found = hits.iter().filter_map(|hit| {
                Some(FoundPassage {
                    turn: *places.get(&hit.turn)?,
                    passage: hit.passage as usize,
                    score: hit.score,
                })
            });
            found.collect::<Vec<FoundPassage>>()
        };
        Ok(Found {
            dense: turns(&result.dense),
            lexical: turns(&result.lexical),
        })
    }

    /// Bytes on disk of everything in the store, by the top-level entry that they lie in.
    ///
    /// # Errors
    /// [`BenchError::Read`] if the directory cannot be listed.
    pub(super) fn sizes(&self) -> Result<Vec<(String, u64)>, BenchError> {
        let mut sizes = Vec::new();
        let path = self.directory.path();
        for entry in std::fs::read_dir(path).map_err(BenchError::reading(path))? {
            let entry = entry.map_err(BenchError::reading(path))?;
            sizes.push((
                entry.file_name().to_string_lossy().into_owned(),
                size_of(&entry.path())?,
            ));
        }
        sizes.sort();
        Ok(sizes)
    }

    /// Bytes on disk of the full-text index.
    ///
    /// # Errors
    /// [`BenchError::Read`] if a directory cannot be listed.
    pub(super) fn text_index(&self) -> Result<u64, BenchError> {
        text_index_in(self.directory.path())
    }

    /// Ends the store.
    ///
    /// # Errors
    /// A failure of the store.
    pub(super) async fn close(self) -> Result<(), BenchError> {
        self.store.close().await.map_err(BenchError::store("closing"))
    }

    async fn check_keys(&self, scope: &Scope, ids: &[TurnId], reading: &Reading) -> Result<(), BenchError> {
        let limit = reading
            .turns
            .iter()
            .map(|turn| turn.passages.len())
            .sum::<usize>()
            .max(1);
        let found = self
            .store
            .points(scope, &Within::Scope, limit)
            .await
            .map_err(BenchError::store("reading keys"))?;
        for (id, read) in ids.iter().zip(&reading.turns) {
            for (number, passage) in read.passages.iter().enumerate() {
                let stored = passage.stored_keys(&self.coder)?;
                let kept = found
                    .iter()
                    .find(|point| point.turn == *id && point.passage == narrow(number));
                let keys = kept.and_then(|point| Profile::and_keys(&point.features));
                if keys.is_none_or(|(_, keys)| keys != stored) {
                    let reason = format!("the store does not give back the keys of turn {id}, passage {number}");
                    return Err(BenchError::Data {
                        path: self.directory.path().to_owned(),
                        reason,
                    });
                }
            }
        }
        Ok(())
    }
}

/// The text that is searched for a passage: it begins with the speaker's name, as the messages of a chat between several
/// people do.
#[must_use]
pub(super) fn quoted(turn: &recorded::Turn, passage: &ReadPassage) -> String {
    let text = &turn.text[passage.start..passage.end];
    if turn.is_named() {
        format!("{}: {text}", turn.speaker)
    } else {
        text.to_owned()
    }
}

/// A passage as it is stored, without its features.
fn point(id: TurnId, number: usize, passage: &ReadPassage, turn: &recorded::Turn) -> Point {
    let span = |span: &mainpoint_engine::Span| Span {
        start: narrow(span.start),
        end: narrow(span.end),
        salience: span.salience,
    };
    Point {
        turn: id,
        passage: narrow(number),
        start: narrow(passage.start),
        end: narrow(passage.end),
        spans: passage.spans.iter().map(span).collect(),
        text: quoted(turn, passage),
        vector: passage.vector.clone(),
        features: Vec::new(),
    }
}

impl Found {
    /// All turns by cosine similarity of their best passage.
    #[must_use]
    pub(super) fn by_vector(&self, count: usize) -> Vec<usize> {
        first_places(self.dense.iter().map(|hit| hit.turn), count)
    }

    /// The turns with a word of the question, by BM25 of their best passage.
    #[must_use]
    pub(super) fn by_words(&self, count: usize) -> Vec<usize> {
        first_places(self.lexical.iter().map(|hit| hit.turn), count)
    }

    /// What is left when each search gives `limit` passages at most.
    #[must_use]
    pub(super) fn first(&self, limit: usize) -> Self {
        let first = |hits: &[FoundPassage]| hits.iter().take(limit).copied().collect();
        Self {
            dense: first(&self.dense),
            lexical: first(&self.lexical),
        }
    }

    /// The turns that either search found, ascending.
    #[must_use]
    pub(super) fn turns(&self) -> Vec<usize> {
        let both = self.dense.iter().chain(&self.lexical).map(|hit| hit.turn);
        both.collect::<BTreeSet<usize>>().into_iter().collect()
    }

    /// The passage of a turn that was found first, by vectors or else by words.
    #[must_use]
    pub(super) fn passage_of(&self, turn: usize) -> Option<usize> {
        let mut both = self.dense.iter().chain(&self.lexical);
        both.find(|hit| hit.turn == turn).map(|hit| hit.passage)
    }
}

fn scope_of(conversation: &Conversation) -> Result<Scope, BenchError> {
    Scope::new(conversation.name.clone()).map_err(BenchError::store("naming a scope"))
}

/// Half a hash of the conversation's name, half the turn's position.
fn ids_of(conversation: &Conversation) -> Vec<TurnId> {
    let hash = Sha256::digest(conversation.name.as_bytes());
    let id = |position: usize| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&hash[..8]);
        bytes[8..].copy_from_slice(&(position as u64).to_be_bytes());
        TurnId(bytes)
    };
    (0..conversation.turns.len()).map(id).collect()
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The size of every directory in which LanceDB keeps lists of the places of words.
fn text_index_in(path: &Path) -> Result<u64, BenchError> {
    let (mut size, mut lists_words) = (0, false);
    for entry in std::fs::read_dir(path).map_err(BenchError::reading(path))? {
        let entry = entry.map_err(BenchError::reading(path))?;
        if entry.path().is_dir() {
            size += text_index_in(&entry.path())?;
        }
        lists_words |= entry.file_name().to_string_lossy().ends_with(WORD_LISTS);
    }
    if lists_words { size_of(path) } else { Ok(size) }
}

fn size_of(path: &Path) -> Result<u64, BenchError> {
    if !path.is_dir() {
        return Ok(path.metadata().map_err(BenchError::reading(path))?.len());
    }
    let mut size = 0;
    for entry in std::fs::read_dir(path).map_err(BenchError::reading(path))? {
        size += size_of(&entry.map_err(BenchError::reading(path))?.path())?;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn the_text_index_is_the_directories_that_list_words() {
        let directory = tempfile::tempdir().unwrap();
        let write = |folder: &str, name: &str, size: usize| {
            let folder = directory.path().join("points.lance/_indices").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), vec![0; size]).unwrap();
        };
        write("text", "part_0_invert.lance", 100);
        write("text", "part_0_docs.lance", 20);
        write("identifiers", "page_data.lance", 3);
        write("empty", "metadata.lance", 4);
        assert_eq!(text_index_in(directory.path()).unwrap(), 120);
    }
}
