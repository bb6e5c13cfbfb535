//! Records to store and helpers to look at the disk.
//!
//! Responsible for: making tests short.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use mainpoint_store::{
    CacheSizes, ConversationAppend, ConversationId, IndexedPassage, LedgerKey, Point, PrefixId, Retain, SaidTurn,
    Scope, SearchQuery, Snapshot, Span, Store, StoreConfig, StoreError, Turn, TurnId, Within,
};
use tokio::time::Instant;

pub(crate) const WIDTH: usize = 4;

/// Long enough that nothing happens by itself.
const NEVER: Duration = Duration::from_secs(3600);

pub(crate) fn config(directory: &Path) -> StoreConfig {
    StoreConfig {
        directory: directory.to_owned(),
        vector_width: WIDTH,
        model: None,
        retain: Retain::Turns,
        flush_interval: NEVER,
        flush_turns: 256,
        maintenance_interval: NEVER,
        retain_for: None,
        quoted: |_, _| Some(Vec::new()),
        ledger_age: Duration::from_secs(30 * 86_400),
        caches: CacheSizes::shares_of(4 << 30),
        cpu_threads: 2,
    }
}

pub(crate) async fn open(directory: &Path) -> Store {
    open_with(config(directory)).await
}

/// Opens a store whose last user may be letting go of it this moment.
pub(crate) async fn open_with(config: StoreConfig) -> Store {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Store::open(config.clone()).await {
            Err(StoreError::InUse { .. }) if Instant::now() < deadline => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

pub(crate) fn scope(name: &str) -> Scope {
    Scope::new(name).unwrap()
}

pub(crate) fn id(number: u64) -> TurnId {
    TurnId((u128::from(number) + 1).to_be_bytes())
}

pub(crate) fn conversation_id(number: u64) -> ConversationId {
    ConversationId((u128::from(number) + 1).to_be_bytes())
}

pub(crate) fn prefix(number: u64) -> LedgerKey {
    LedgerKey::Prefix(PrefixId((u128::from(number) + 1).to_be_bytes()))
}

/// Turn `number` of conversation 0, which has no forks.
pub(crate) fn turn(scope: &Scope, number: u64, text: &str) -> Turn {
    Turn {
        id: id(number),
        parent: number.checked_sub(1).map(id),
        conversation: conversation_id(0),
        scope: scope.clone(),
        position: number as u32,
        role: if number.is_multiple_of(2) { "user" } else { "assistant" }.to_owned(),
        text: text.to_owned(),
        time: DateTime::from_timestamp(1_790_000_000 + number as i64, 0).unwrap(),
        tokens: 7,
    }
}

/// These turns, each said when [`turn`] says that it was.
pub(crate) fn said_turns(scope: &Scope, numbers: &[u64]) -> Vec<SaidTurn> {
    numbers.iter().map(|number| SaidTurn { turn: id(*number), time: turn(scope, *number, "").time }).collect()
}

/// The only passage of a turn, all of whose text is its main point.
pub(crate) fn point(turn: &Turn, vector: [f32; WIDTH]) -> Point {
    let end = turn.text.len() as u32;
    Point {
        turn: turn.id,
        passage: 0,
        start: 0,
        end,
        spans: vec![Span { start: 0, end, salience: 1.0 }],
        text: turn.text.clone(),
        vector: vector.to_vec(),
        ranking_data: turn.id.0.to_vec(),
    }
}

/// Has turns said in a conversation of their own, and read as one passage each with this vector.
pub(crate) async fn say(store: &Store, scope: &Scope, conversation: u64, turns: Vec<Turn>, vector: [f32; WIDTH]) {
    let fresh = conversation_id(conversation);
    let turns: Vec<Turn> = turns.into_iter().map(|turn| Turn { conversation: fresh, ..turn }).collect();
    let said = turns.iter().map(|turn| SaidTurn { turn: turn.id, time: turn.time }).collect();
    let said = ConversationAppend { scope: scope.clone(), after: None, fresh, turns: said, plain: Vec::new() };
    store.accept_said(turns.clone(), vec![said]).await.unwrap();
    let points = turns.iter().map(|turn| (scope.clone(), turn.id, vec![point(turn, vector)]));
    store.complete(points.collect()).await.unwrap();
}

/// Accepts and completes turns with these texts and vectors, numbered from `first`.
pub(crate) async fn read(store: &Store, scope: &Scope, first: u64, turns: &[(&str, [f32; WIDTH])]) {
    let (mut accepted, mut completed) = (Vec::new(), Vec::new());
    for (number, (text, vector)) in (first..).zip(turns) {
        let turn = turn(scope, number, text);
        completed.push((scope.clone(), turn.id, vec![point(&turn, *vector)]));
        accepted.push(turn);
    }
    assert_eq!(store.accept(accepted).await.unwrap().len(), turns.len());
    store.complete(completed).await.unwrap();
}

/// Those of the ids that are read, in order.
pub(crate) async fn read_ids(store: &Store, scope: &Scope, ids: &[TurnId]) -> Vec<TurnId> {
    let mut read: Vec<_> = store.read_or_unreadable(scope, ids).await.unwrap().into_iter().collect();
    read.sort();
    read
}

/// Every passage of a snapshot, if there are at most `limit`.
pub(crate) async fn everything(snapshot: &Snapshot<'_>, limit: usize) -> Option<Vec<IndexedPassage>> {
    let rows = snapshot.all_rows(limit).await.unwrap()?;
    Some(snapshot.passages_in(rows).await.unwrap())
}

pub(crate) fn query(scope: &Scope, within: Within, vector: [f32; WIDTH], text: &str) -> SearchQuery {
    SearchQuery { scope: scope.clone(), within, vector: vector.to_vec(), text: text.to_owned(), limit: 10 }
}

pub(crate) async fn lexical(store: &Store, scope: &Scope, text: &str) -> Vec<TurnId> {
    let result = store.search(&query(scope, Within::Scope, [0.0; WIDTH], text)).await.unwrap();
    result.lexical.iter().map(|hit| hit.turn).collect()
}

pub(crate) async fn dense(store: &Store, scope: &Scope, vector: [f32; WIDTH]) -> Vec<TurnId> {
    let result = store.search(&query(scope, Within::Scope, vector, "")).await.unwrap();
    result.dense.iter().map(|hit| hit.turn).collect()
}

/// The newest manifest of a table. Lance counts their names down.
pub(crate) fn newest_manifest(directory: &Path, table: &str) -> PathBuf {
    manifests(directory, table).remove(0)
}

/// The manifests of a table, newest first.
pub(crate) fn manifests(directory: &Path, table: &str) -> Vec<PathBuf> {
    let versions = directory.join("lance").join(format!("{table}.lance")).join("_versions");
    let mut found: Vec<PathBuf> = fs::read_dir(versions).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "manifest"));
    found.sort();
    found
}

/// Files below `directory` whose bytes contain `marker`, in any letter case.
pub(crate) fn files_with(directory: &Path, marker: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, marker));
        } else if contains(&fs::read(&path).unwrap(), marker) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Every file below a directory with its bytes.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Adds protobuf fields to a manifest's message; of a field that is there already the later one holds.
pub(crate) fn add_fields(manifest: &Path, fields: &[u8]) {
    let bytes = fs::read(manifest).unwrap();
    let (body, footer) = bytes.split_at(bytes.len() - 16);
    let position = u64::from_le_bytes(footer[..8].try_into().unwrap()) as usize;
    let message = [&body[position + 4..], fields].concat();
    let length = (message.len() as u32).to_le_bytes();
    fs::write(manifest, [&body[..position], &length, &message, footer].concat()).unwrap();
}

/// A field with a length.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8][..], content].concat()
}

/// A layout version in the message of a manifest.
pub(crate) fn layout_version(version: &str) -> Vec<u8> {
    field(5, &[field(1, b"mainpoint.layout_version"), field(2, version.as_bytes())].concat())
}

/// A copy of a directory beside it, as a crash would leave it now.
pub(crate) fn copy_of(directory: &Path) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(from, to).unwrap();
            }
        }
    }
    let beside = directory.with_extension("copy");
    copy(directory, &beside);
    beside
}

/// Polls a condition until it holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn contains(bytes: &[u8], marker: &str) -> bool {
    bytes.windows(marker.len()).any(|window| window.eq_ignore_ascii_case(marker.as_bytes()))
}

/// Where figures are published; `None` in every run of the tests that publishes none.
pub(crate) fn published() -> Option<PathBuf> {
    std::env::var_os("MAINPOINT_RESULTS").map(PathBuf::from)
}

/// Figures of `reliability.jsonl`.
pub(crate) struct Published {
    pub(crate) bench: &'static str,
    pub(crate) arm: &'static str,
}

impl Published {
    /// Puts figures in the place of those of the last run.
    pub(crate) fn write(&self, directory: &Path, figures: &[(&str, u32)]) {
        let (bench, arm) = (self.bench, self.arm);
        let (path, begin) = (directory.join("reliability.jsonl"), format!("{{\"bench\":\"{bench}\","));
        let is_earlier = |line: &str| line.starts_with(&begin) && line.contains(&format!("\"arm\":\"{arm}\""));
        let before = fs::read_to_string(&path).unwrap_or_default();
        let mut lines: Vec<String> = before.lines().filter(|line| !is_earlier(line)).map(str::to_owned).collect();
        lines.extend(
            figures
                .iter()
                .map(|(metric, value)| format!("{begin}\"metric\":\"{metric}\",\"arm\":\"{arm}\",\"value\":{value}}}")),
        );
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}
