//! The product's store, filled with conversations: one scope per conversation.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use mainpoint::config::MemoryConfig;
use mainpoint::memory::ranking_data::RankingData;
use mainpoint::memory::recall::abstention::Evidence;
use mainpoint::memory::recall::relevance::Candidate;
use mainpoint::memory::recall::search::Search;
use mainpoint::memory::small_talk::SmallTalk;
use mainpoint_engine::{EncodedQuestion, PassageReading};
use mainpoint_store::{ConversationId, Hit, Point, Scope, SearchQuery, Span, Store, Turn, TurnId, Within};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::library::Library;
use crate::cache::{bytes_of, files_below};
use crate::data::{self, Conversation};
use crate::product::quiet_store;
use crate::ranking::first_places;
use crate::stats::narrow;
use crate::{BenchError, Failing};

/// A store in a temporary directory.
pub(super) struct Shelf {
    store: Store,
    config: MemoryConfig,
    small_talk: SmallTalk,
    directory: TempDir,
}

/// What is asked of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) text: &'a str,
    pub(super) question: &'a EncodedQuestion,
    pub(super) time: DateTime<Utc>,
}

/// What the product's own search finds.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    pub(super) turns: Vec<usize>,
    /// What is known of each, in the same order.
    pub(super) candidates: Vec<Candidate>,
    /// Whether anything bears on the question.
    pub(super) evidence: Evidence,
}

/// The turns that the store found for a question, best first, each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FoundTurns {
    /// By cosine similarity of the best passage.
    pub(super) by_vector: Vec<usize>,
    /// By BM25 of the best passage; turns without a word of the question are missing.
    pub(super) by_words: Vec<usize>,
}

/// How the files end in which LanceDB's full-text index lists the places of words.
const WORD_LISTS: &str = "invert.lance";

impl Shelf {
    /// Opens an empty store for what `library` reads, which is searched by its settings.
    pub(super) async fn open(library: &Library) -> Result<Self, BenchError> {
        let directory = tempfile::tempdir().when_writing("a temporary directory")?;
        let store = quiet_store(directory.path(), library.engine.vector_width()).await?;
        Ok(Self { store, config: library.memory.clone(), small_talk: library.small_talk.clone(), directory })
    }

    /// Puts a conversation on the shelf: its turns, the tokens of each, and its main points.
    pub(super) async fn fill(
        &self,
        conversation: &Conversation,
        sizes: &[usize],
        passages: &[Vec<PassageReading>],
    ) -> Result<(), BenchError> {
        let scope = scope_of(conversation)?;
        let ids = ids_of(conversation);
        let name = ids.first().map_or(ConversationId([0; 16]), |first| ConversationId(first.0));
        let mut turns = Vec::with_capacity(ids.len());
        let mut points = Vec::with_capacity(ids.len());
        let mut parent = None;
        let read = sizes.iter().zip(passages);
        for (position, ((turn, (size, passages)), id)) in conversation.turns.iter().zip(read).zip(&ids).enumerate() {
            let stored = Turn {
                id: *id,
                parent: parent.replace(*id),
                conversation: name,
                scope: scope.clone(),
                position: narrow(position),
                role: turn.role.to_owned(),
                text: turn.message(),
                time: turn.time,
                tokens: narrow(*size),
            };
            let profile = RankingData::new(&stored);
            turns.push(stored);
            let found = passages.iter().enumerate().map(|(number, passage)| Point {
                ranking_data: profile.encode(passage.codes.as_bytes()),
                ..point(*id, number, passage, turn)
            });
            points.push((scope.clone(), *id, found.collect()));
        }
        self.store.accept(turns).await.in_store("accepting turns")?;
        self.store.complete(points).await.in_store("keeping main points")?;
        self.store.flush().await.in_store("flushing")
    }

    /// Builds the indexes and compacts the files.
    pub(super) async fn settle(&self) -> Result<(), BenchError> {
        self.store.maintain().await.in_store("maintaining")?;
        Ok(())
    }

    /// Searches a conversation by vector and by words, to its end.
    pub(super) async fn search(
        &self,
        conversation: &Conversation,
        asked: Asked<'_>,
        limit: usize,
    ) -> Result<FoundTurns, BenchError> {
        let query = SearchQuery {
            scope: scope_of(conversation)?,
            within: Within::Scope,
            vector: asked.question.vector.clone(),
            text: asked.text.to_owned(),
            limit: limit.max(1),
        };
        let result = self.store.search(&query).await.in_store("searching")?;
        let places = places_of(conversation);
        let turns = |hits: &[Hit]| {
            let found = hits.iter().filter_map(|hit| places.get(&hit.turn).copied());
            first_places(found, conversation.turns.len())
        };
        Ok(FoundTurns { by_vector: turns(&result.dense), by_words: turns(&result.lexical) })
    }

    pub(super) async fn find(&self, conversation: &Conversation, asked: Asked<'_>) -> Result<Candidates, BenchError> {
        let scope = scope_of(conversation)?;
        let snapshot = self.store.snapshot(&scope, &Within::Scope).await.in_store("taking a snapshot")?;
        let search = Search {
            snapshot: &snapshot,
            text: asked.text,
            whole: asked.text,
            asked: asked.time,
            conversation: None,
            retained: &HashSet::new(),
            small_talk: Some(&self.small_talk),
            config: &self.config,
            room: None,
        };
        let found = search.run(async { Ok(asked.question.clone()) }).await;
        let found = found.map_err(|error| BenchError::program("the memory's search", error))?;
        let places = places_of(conversation);
        let known = found.turns.iter().zip(found.candidates);
        let known = known.filter_map(|(turn, candidate)| Some((*places.get(turn)?, candidate)));
        let (turns, candidates) = known.unzip();
        Ok(Candidates { turns, candidates, evidence: found.evidence })
    }

    /// Bytes on disk of everything in the store.
    pub(super) fn bytes(&self) -> Result<usize, BenchError> {
        Ok(bytes_of(&files_below(self.directory.path())?)? as usize)
    }

    pub(super) fn text_index(&self) -> Result<usize, BenchError> {
        text_index_in(self.directory.path())
    }

    pub(super) async fn close(self) -> Result<(), BenchError> {
        self.store.close().await.in_store("closing")
    }
}

/// A passage as it is stored, without its ranking data.
fn point(id: TurnId, number: usize, passage: &PassageReading, turn: &data::Turn) -> Point {
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
        text: turn.message()[passage.start..passage.end].to_owned(),
        vector: passage.vector.clone(),
        ranking_data: Vec::new(),
    }
}

fn scope_of(conversation: &Conversation) -> Result<Scope, BenchError> {
    Scope::new(conversation.name.clone()).in_store("naming a scope")
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

fn places_of(conversation: &Conversation) -> HashMap<TurnId, usize> {
    let ids = ids_of(conversation).into_iter().enumerate();
    ids.map(|(place, id)| (id, place)).collect()
}

/// The size of every directory in which LanceDB keeps lists of the places of words.
fn text_index_in(path: &Path) -> Result<usize, BenchError> {
    let mut files = files_below(path)?;
    let lists = files.iter().filter(|file| file.to_string_lossy().ends_with(WORD_LISTS));
    let folders: HashSet<PathBuf> = lists.filter_map(|list| Some(list.parent()?.to_owned())).collect();
    files.retain(|file| file.ancestors().any(|folder| folders.contains(folder)));
    Ok(bytes_of(&files)? as usize)
}

#[cfg(test)]
mod tests {
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
