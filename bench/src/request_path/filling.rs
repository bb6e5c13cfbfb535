//! Stores full of rows, made once and kept, and the program that runs on them.
//!
//! The program itself begins the store, so that the scope is the one of the client's key; the rows follow through the
//! store's own operations, past the reader.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use mainpoint_store::Scope;
use mainpoint_tests::{ProxyBuilder, ScriptedUpstream};
use serde::{Deserialize, Serialize};

use super::material::Material;
use super::mixing::Mixer;
use crate::cache::{bytes_of, files_below, write_whole};
use crate::product::quiet_store;
use crate::progress::over;
use crate::running::{Client, MODEL, NO_DEADLINE, program, talkative_upstream, with};
use crate::{BenchError, Failing};

/// A store that holds many main points in one scope.
#[derive(Debug)]
pub(super) struct Filled {
    /// Its directory; never written to, only copied.
    pub(super) directory: PathBuf,
    pub(super) note: Note,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// How rows are made; a store of another format is made anew.
    format: u32,
    material: String,
    pub(super) rows: usize,
    pub(super) scope: String,
    pub(super) bytes: u64,
    /// The share of exact neighbours that the vector index finds; none was built below the store's limit.
    pub(super) index_recall: Option<f32>,
    /// Seconds of filling and of building the indices.
    pub(super) seconds: f64,
}

/// Whose memory is measured.
pub(super) const KEY: &str = "request-path";
pub(super) const SYSTEM: &str = "You are a friend who remembers.";
const BUDGET: u32 = 1200;
/// Changes when rows are made in another way.
const FORMAT: u32 = 3;
/// Rows that are completed and flushed together.
const BATCH: usize = 4096;

impl Filled {
    /// The store with `rows` main points from the cache, or a new one.
    pub(super) async fn with(
        cache: &Path,
        overrides: &[(String, String)],
        material: &Material,
        rows: usize,
    ) -> Result<Self, BenchError> {
        let home = cache.join("request-path").join(rows.to_string());
        let (directory, file) = (home.join("data"), home.join("filled.json"));
        let described = described(material);
        let kept: Option<Note> = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(note) = kept.filter(|note| note.format == FORMAT && note.material == described) {
            return Ok(Self { directory, note });
        }
        if home.exists() {
            std::fs::remove_dir_all(&home).when_writing(&home)?;
        }
        std::fs::create_dir_all(&home).when_writing(&home)?;
        begin_store(overrides, &directory).await;
        let started = Instant::now();
        let (scope, index_recall) = fill(&directory, material, rows).await?;
        let note = Note {
            format: FORMAT,
            material: described,
            rows,
            scope: scope.as_str().to_owned(),
            bytes: bytes_of(&files_below(&directory)?)?,
            index_recall,
            seconds: started.elapsed().as_secs_f64(),
        };
        let text = serde_json::to_vec_pretty(&note).map_err(|error| BenchError::data(&file, error))?;
        write_whole(&file, &text)?;
        Ok(Self { directory, note })
    }

    pub(super) fn scope(&self) -> Result<Scope, BenchError> {
        Scope::new(self.note.scope.clone()).in_store("naming the scope")
    }
}

/// What rows are made of, with a hash of it.
fn described(material: &Material) -> String {
    let mut hasher = DefaultHasher::new();
    for sentence in material.passages.iter().flat_map(|passage| &passage.sentences) {
        sentence.text.hash(&mut hasher);
        sentence.vector.len().hash(&mut hasher);
        let numbers = sentence.tokens.iter().filter_map(|token| token.first());
        numbers.for_each(|number| number.to_bits().hash(&mut hasher));
    }
    format!("{}, {} passages, {:016x}", material.name, material.passages.len(), hasher.finish())
}

async fn fill(directory: &Path, material: &Material, rows: usize) -> Result<(Scope, Option<f32>), BenchError> {
    let store = quiet_store(directory, material.width()).await?;
    let scopes = store.scopes().await.in_store("listing scopes")?;
    let scope = scopes.into_iter().next().ok_or_else(|| BenchError::data(directory, "the program stored nothing"))?;
    let mixer = Mixer { passages: &material.passages, scope: scope.clone() };
    for first in over(format!("filling {rows} rows"), (0..rows).step_by(BATCH)) {
        let batch = mixer.rows(first..rows.min(first + BATCH));
        store.accept(batch.turns).await.in_store("accepting turns")?;
        store.complete(batch.points).await.in_store("keeping main points")?;
        store.flush().await.in_store("flushing")?;
    }
    anstream::eprintln!("compacting and indexing {rows} rows");
    // After a deletion maintenance leaves no older version and builds every index from all rows, so that what is weighed is
    // what is stored.
    let nobody = Scope::new("request-path-nobody").in_store("naming a scope")?;
    store.delete_scope(&nobody).await.in_store("deleting")?;
    let report = store.maintain().await.in_store("maintaining")?;
    store.close().await.in_store("closing")?;
    Ok((scope, report.vector_index_recall))
}

/// Has the program itself begin a store in `directory`, with one turn of the measured caller.
async fn begin_store(overrides: &[(String, String)], directory: &Path) {
    let upstream = talkative_upstream().await;
    let proxy = builder(&upstream, overrides, directory).start().await;
    Client::new(MODEL, KEY, SYSTEM).say(&proxy, "Good morning!").await;
    proxy.everything_read().await;
    proxy.stop().await;
}

/// The whole scope is searched, and nothing is cut by a deadline.
pub(super) fn builder(upstream: &ScriptedUpstream, overrides: &[(String, String)], directory: &Path) -> ProxyBuilder {
    let directory = format!("{directory:?}");
    let ours = [("memory.recall", "\"caller\""), NO_DEADLINE, ("store.directory", &directory)];
    let builder = program(upstream, BUDGET, ours);
    with(builder, overrides.iter().map(|(key, value)| (key, value)))
}
