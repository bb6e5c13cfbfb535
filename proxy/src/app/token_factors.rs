//! Keeps what was learnt about models' tokens in a file beside the store, from one start to the next.
//!
//! Losing them costs some answers until they are learnt again, so nothing fails for them and no request waits for the
//! file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ending::Ending;
use crate::openai::tokens::{SavedFactor, TokenCounter, TokenFactors};
use crate::server::Shared;

/// Reads the factors that lie in a store's directory. A file that cannot be read counts as none.
pub(super) fn load(directory: &Path) -> TokenFactors {
    let path = directory.join(FILE);
    let saved = match read(&path) {
        Ok(saved) => saved,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), error = %error, "what was learnt of models' tokens cannot be read; it is learnt anew");
            Vec::new()
        }
    };
    TokenFactors::new(saved)
}

/// Saves the factors of a running process.
pub(super) struct Keeper {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Keeper {
    /// Saves what has changed once a minute, and at the end; with a memory that comes later, from then on. `None` where there is
    /// no memory.
    pub(super) fn start(shared: &Arc<Shared>) -> Option<Self> {
        if !shared.planner.has_memory() {
            return None;
        }
        let (directory, stop) = (shared.config.store.directory.clone(), CancellationToken::new());
        // Whoever saves for too long is not waited for, and keeps nothing from ending.
        let shared = Arc::downgrade(shared);
        let counter = move || Some(Arc::clone(&shared.upgrade()?.planner.get()?.preparer.counter));
        let task = tokio::spawn(keep(directory, counter, stop.clone()));
        Some(Self { task, stop })
    }

    /// Saves for the last time. Whatever the disk does, little time is spent on it.
    pub(super) async fn stop(self, ending: Ending) {
        self.stop.cancel();
        if tokio::time::timeout(ending.left().min(SAVING), self.task).await.is_err() {
            tracing::warn!("what was learnt of models' tokens was not saved in time");
        }
    }
}

async fn keep(
    directory: PathBuf,
    counter: impl Fn() -> Option<Arc<TokenCounter>> + Send + 'static,
    stop: CancellationToken,
) {
    loop {
        // Whether the time is over or all is stopped, it is saved.
        let is_over = tokio::time::timeout(PAUSE, stop.cancelled()).await.is_ok();
        if let Some(factors) = counter().and_then(|counter| counter.changed_factors()) {
            let directory = directory.clone();
            let saved = tokio::task::spawn_blocking(move || write(&directory, &factors)).await;
            if let Err(error) = saved.unwrap_or_else(|error| Err(io::Error::other(error))) {
                tracing::warn!(error = %error, "what was learnt of models' tokens cannot be saved; it is tried again when more is learnt");
            }
        }
        if is_over {
            return;
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<SavedFactor>> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// Writes the file anew, so that there is always a whole one.
fn write(directory: &Path, factors: &[SavedFactor]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec_pretty(factors)?)?;
    file.as_file().sync_all()?;
    file.persist(directory.join(FILE))?;
    Ok(())
}

const FILE: &str = "token-factors.json";
/// Bytes of the largest file that is read; what is written is far smaller.
const LARGEST: u64 = 1 << 20;
/// How long what was learnt may wait.
const PAUSE: Duration = Duration::from_secs(60);
/// Longest time of the last saving.
const SAVING: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::sync::OnceLock;

    use super::*;

    fn learnt() -> TokenFactors {
        let factors = TokenFactors::default();
        (0..3).for_each(|_| factors.learn("a model", 1000.0, 1500, 1.0));
        factors
    }

    #[test]
    fn what_was_learnt_is_found_again_and_nothing_else_lies_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(load(directory.path()).of("a model").of(1000), 1000);
        for _ in 0..2 {
            write(directory.path(), &learnt().changed().unwrap()).unwrap();
            assert_eq!(load(directory.path()).of("a model").of(1000), 1500);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_counts_as_none_and_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let entry = r#"{"model":"a model","mean":0.4,"weight":3.0,"factor":1.5,"highest":1.5}"#;
        let odd = r#"{"model":"a model","mean":0.4,"weight":3.0,"factor":-1.5,"highest":1.5}"#;
        for (text, tokens) in [
            (format!("[{entry}]"), 1500),
            (format!("[{odd}]"), 1000),
            (format!("[{entry}"), 1000),
            (format!("[{entry}]{}", " ".repeat(LARGEST as usize)), 1500),
            (format!("{}[{entry}]", " ".repeat(LARGEST as usize)), 1000),
            ("\u{0}".to_owned(), 1000),
            (String::new(), 1000),
        ] {
            std::fs::write(directory.path().join(FILE), &text).unwrap();
            assert_eq!(load(directory.path()).of("a model").of(1000), tokens, "{}", &text[..text.len().min(80)]);
        }
        write(directory.path(), &learnt().changed().unwrap()).unwrap();
        assert_eq!(load(directory.path()).of("a model").of(1000), 1500);
    }

    #[tokio::test]
    async fn what_was_learnt_is_saved_at_the_stop_also_where_the_memory_came_later() {
        for is_late in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let counter = Arc::new(TokenCounter::new(Arc::new(|text| Ok(text.len())), learnt()));
            let place = Arc::new(OnceLock::new());
            if !is_late {
                let _ = place.set(Arc::clone(&counter));
            }
            let (found, stop) = (Arc::clone(&place), CancellationToken::new());
            let task = tokio::spawn(keep(directory.path().to_owned(), move || found.get().cloned(), stop.clone()));
            // On this runtime of one thread it runs when others wait.
            tokio::task::yield_now().await;
            let _ = place.set(counter);
            Keeper { task, stop }.stop(Ending::begin(Duration::from_secs(5))).await;
            assert_eq!(load(directory.path()).of("a model").of(1000), 1500, "late: {is_late}");
        }
    }
}
