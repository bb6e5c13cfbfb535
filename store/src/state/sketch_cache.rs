//! The sketches of scopes, in memory.
//!
//! Responsible for: holding no more than it may, and giving out only what holds in the version of the table that is
//! asked about.
//!
//! Sketches are held by fragment. Lance never changes a fragment's file, so whatever is added, deleted or compacted, a fragment
//! with the same file and the same deletions has the same rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lance::table::format::Fragment;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lance::sketches::SketchedFragment;
use crate::records::Scope;

/// How long nothing of a scope is loaded after a fragment of it could not be read.
const PAUSE: Duration = Duration::from_secs(60);

/// What the rows of a fragment depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FragmentKey {
    file: String,
    /// The version that wrote the list of deleted rows, and that list's number.
    deletions: Option<(u64, u64)>,
}

/// The sketches of scopes.
#[derive(Debug)]
pub(crate) struct SketchCache {
    cached: Mutex<Cached>,
    most_bytes: usize,
    /// Who has it loads: one at a time over all scopes, since each load takes memory and time of the disk.
    loading: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Cached {
    scopes: HashMap<Scope, Sketched>,
    clock: u64,
}

/// The sketches of one scope.
#[derive(Debug, Default)]
struct Sketched {
    fragments: HashMap<FragmentKey, Arc<SketchedFragment>>,
    bytes: usize,
    /// When they were last asked for.
    used: u64,
    failure: Option<Failure>,
    is_too_large: bool,
}

/// A fragment that could not be read.
#[derive(Debug)]
struct Failure {
    fragment: FragmentKey,
    time: Instant,
}

/// What is held of a scope.
#[derive(Debug, Default)]
pub(crate) struct SketchLookup {
    pub(crate) known: Vec<Arc<SketchedFragment>>,
    /// Fragments that nothing is held of.
    pub(crate) missing: Vec<Fragment>,
    /// The right to load what is missing; nobody else may load anything meanwhile.
    pub(crate) loading: Option<Loading>,
    /// Whether what is missing is worth waiting for: it is loaded, or will be by one of the next who ask.
    pub(crate) is_expected: bool,
}

/// The right to load sketches of a scope. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Loading {
    cache: Arc<SketchCache>,
    scope: Scope,
    _permit: OwnedSemaphorePermit,
}

impl FragmentKey {
    pub(crate) fn of(fragment: &Fragment) -> Self {
        let deletions = fragment.deletion_file.as_ref();
        Self {
            file: fragment.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join("/"),
            deletions: deletions.map(|file| (file.read_version, file.id)),
        }
    }
}

impl SketchCache {
    /// Holds at most so many bytes, over all scopes.
    pub(crate) fn holding(most_bytes: usize) -> Self {
        Self { cached: Mutex::default(), most_bytes, loading: Arc::new(Semaphore::new(1)) }
    }

    /// What is held of a scope's passages in these fragments, all that a version of the table has. What is held of others is
    /// forgotten. Of a scope that is too large nothing is held. For a while after one of these fragments could not be read nobody
    /// gets the right to load.
    pub(crate) fn look_up(self: &Arc<Self>, scope: &Scope, fragments: &[Fragment], time: Instant) -> SketchLookup {
        let mut cached = self.lock();
        cached.clock += 1;
        let now = cached.clock;
        let sketched = cached.scopes.entry(scope.clone()).or_default();
        sketched.used = now;
        let mut lookup = SketchLookup::default();
        let mut held = HashMap::with_capacity(fragments.len());
        for fragment in fragments {
            let key = FragmentKey::of(fragment);
            match sketched.fragments.remove(&key) {
                Some(known) => {
                    lookup.known.push(Arc::clone(&known));
                    held.insert(key, known);
                }
                None => lookup.missing.push(fragment.clone()),
            }
        }
        sketched.hold(held);
        let is_worthwhile = !lookup.missing.is_empty() && !sketched.is_too_large;
        lookup.is_expected = is_worthwhile && !sketched.is_paused(&lookup.missing, time);
        if lookup.is_expected {
            // Whoever asks while another loads does without.
            let permit = Arc::clone(&self.loading).try_acquire_owned().ok();
            lookup.loading =
                permit.map(|permit| Loading { cache: Arc::clone(self), scope: scope.clone(), _permit: permit });
        }
        lookup
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for sketched in self.lock().scopes.values_mut() {
            sketched.hold(HashMap::new());
            sketched.is_too_large = false;
            sketched.failure = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sketched {
    fn hold(&mut self, fragments: HashMap<FragmentKey, Arc<SketchedFragment>>) {
        self.bytes = fragments.iter().map(|(key, fragment)| size(key, fragment)).sum();
        self.fragments = fragments;
    }

    /// Whether one of these fragments could not be read a moment ago. One whose file went, which others replace, stops nobody.
    fn is_paused(&self, missing: &[Fragment], time: Instant) -> bool {
        let failed = |failure: &Failure| missing.iter().any(|fragment| FragmentKey::of(fragment) == failure.fragment);
        let is_recent = |failure: &&Failure| time.saturating_duration_since(failure.time) < PAUSE;
        self.failure.as_ref().filter(is_recent).is_some_and(failed)
    }
}

impl Loading {
    /// Bytes that what is still to be loaded may take.
    pub(crate) fn most_bytes(&self) -> usize {
        let held = self.cache.lock().scopes.get(&self.scope).map_or(0, |sketched| sketched.bytes);
        self.cache.most_bytes.saturating_sub(held)
    }

    /// Keeps what was loaded of a fragment. What was asked for the longest ago, of other scopes, is forgotten where there is no
    /// room.
    pub(crate) fn keep(&self, key: FragmentKey, fragment: SketchedFragment) {
        let mut cached = self.cache.lock();
        let sketched = cached.scopes.entry(self.scope.clone()).or_default();
        sketched.bytes += size(&key, &fragment);
        sketched.fragments.insert(key, Arc::new(fragment));
        while cached.scopes.values().map(|sketched| sketched.bytes).sum::<usize>() > self.cache.most_bytes {
            let others = cached.scopes.iter().filter(|(scope, sketched)| **scope != self.scope && sketched.bytes > 0);
            let Some(oldest) = others.min_by_key(|(_, sketched)| sketched.used).map(|(scope, _)| scope.clone()) else {
                break;
            };
            if let Some(sketched) = cached.scopes.get_mut(&oldest) {
                sketched.hold(HashMap::new());
            }
        }
    }

    /// Notes that this scope takes more than may be held: nothing of it is held from now on.
    pub(crate) fn give_up(self) {
        let mut cached = self.cache.lock();
        let sketched = cached.scopes.entry(self.scope.clone()).or_default();
        sketched.hold(HashMap::new());
        sketched.is_too_large = true;
        let most = self.cache.most_bytes;
        tracing::warn!(most, "a scope is too large for its sketches to be in memory; its search does without");
    }

    /// Notes that a fragment could not be read: nothing of this scope is loaded for a minute, as long as it has this fragment.
    pub(crate) fn fail(self, fragment: FragmentKey, time: Instant) {
        let mut cached = self.cache.lock();
        let sketched = cached.scopes.entry(self.scope.clone()).or_default();
        sketched.failure = Some(Failure { fragment, time });
    }
}

fn size(key: &FragmentKey, fragment: &SketchedFragment) -> usize {
    key.file.len() + size_of::<FragmentKey>() + size_of::<SketchedFragment>() + fragment.size()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn fragment(id: u64) -> Fragment {
        let mut fragment = Fragment::new(id);
        fragment.add_file_legacy(&format!("{id}.lance"), &lance::datatypes::Schema::default());
        fragment
    }

    fn scope(name: &str) -> Scope {
        Scope::new(name).unwrap()
    }

    fn look_up(cache: &Arc<SketchCache>, scope: &Scope, fragments: &[Fragment]) -> SketchLookup {
        cache.look_up(scope, fragments, Instant::now())
    }

    fn load(cache: &Arc<SketchCache>, scope: &Scope, fragments: &[Fragment]) {
        let SketchLookup { missing, loading, .. } = look_up(cache, scope, fragments);
        let loading = loading.unwrap();
        missing.iter().for_each(|one| loading.keep(FragmentKey::of(one), SketchedFragment::default()));
    }

    fn missing(cache: &Arc<SketchCache>, scope: &Scope, fragments: &[Fragment]) -> Vec<u64> {
        look_up(cache, scope, fragments).missing.iter().map(|fragment| fragment.id).collect()
    }

    #[test]
    fn what_is_missing_is_loaded_by_one_at_a_time() {
        let (cache, scope, fragments) =
            (Arc::new(SketchCache::holding(512 << 20)), scope("s"), [fragment(0), fragment(1)]);
        let first = look_up(&cache, &scope, &fragments);
        assert_eq!(first.missing.len(), 2);
        assert!(look_up(&cache, &scope, &fragments).loading.is_none());
        drop(first);
        load(&cache, &scope, &fragments);
        let lookup = look_up(&cache, &scope, &fragments);
        assert!(lookup.known.len() == 2 && lookup.missing.is_empty() && lookup.loading.is_none());
        assert!(!lookup.is_expected);
    }

    #[test]
    fn while_one_scope_is_loaded_no_other_is() {
        let (cache, fragments) = (Arc::new(SketchCache::holding(512 << 20)), [fragment(0)]);
        let first = look_up(&cache, &scope("a"), &fragments);
        assert!(first.loading.is_some());
        let other = look_up(&cache, &scope("b"), &fragments);
        assert!(other.loading.is_none() && other.is_expected);
        drop(first);
        assert!(look_up(&cache, &scope("b"), &fragments).loading.is_some());
    }

    #[test]
    fn each_fragment_is_there_as_soon_as_it_is_loaded() {
        let (cache, scope, fragments) =
            (Arc::new(SketchCache::holding(512 << 20)), scope("s"), [fragment(0), fragment(1)]);
        let loading = look_up(&cache, &scope, &fragments).loading.unwrap();
        loading.keep(FragmentKey::of(&fragments[1]), SketchedFragment::default());
        assert_eq!(missing(&cache, &scope, &fragments), [0]);
        assert_eq!(look_up(&cache, &scope, &fragments).known.len(), 1);
    }

    #[test]
    fn after_a_failure_nothing_of_the_scope_is_loaded_for_a_minute_unless_the_fragment_is_gone() {
        let (cache, failing, other) = (Arc::new(SketchCache::holding(512 << 20)), scope("failing"), scope("other"));
        let fragments = [fragment(0), fragment(1)];
        let start = Instant::now();
        let loading = cache.look_up(&failing, &fragments, start).loading.unwrap();
        loading.fail(FragmentKey::of(&fragments[0]), start);
        let may_load = |scope: &Scope, fragments: &[Fragment], seconds: u64| {
            cache.look_up(scope, fragments, start + Duration::from_secs(seconds)).loading.is_some()
        };
        assert!(!may_load(&failing, &fragments, 0) && !may_load(&failing, &fragments, 59));
        assert!(!cache.look_up(&failing, &fragments, start).is_expected);
        assert!(may_load(&other, &fragments, 0));
        assert!(may_load(&failing, &fragments[1..], 0));
        assert!(may_load(&failing, &fragments, 60));
        cache.clear();
        assert!(may_load(&failing, &fragments, 0));
    }

    #[test]
    fn fragments_with_another_file_or_other_deletions_are_others() {
        let (cache, scope, before) = (Arc::new(SketchCache::holding(512 << 20)), scope("s"), fragment(0));
        load(&cache, &scope, std::slice::from_ref(&before));
        let mut deleted = before.clone();
        deleted.deletion_file = Some(lance::table::format::DeletionFile {
            read_version: 3,
            id: 7,
            file_type: lance::table::format::DeletionFileType::Array,
            num_deleted_rows: Some(1),
            base_id: None,
        });
        let written_anew = Fragment { files: fragment(5).files, ..before.clone() };
        assert!(missing(&cache, &scope, &[before]).is_empty());
        for other in [deleted, written_anew] {
            assert_eq!(missing(&cache, &scope, &[other]), [0]);
        }
    }

    #[test]
    fn where_there_is_no_room_the_scope_that_was_asked_for_the_longest_ago_is_forgotten() {
        let one = size(&FragmentKey::of(&fragment(0)), &SketchedFragment::default());
        let cache = Arc::new(SketchCache::holding(2 * one));
        let fragments = [fragment(0)];
        let scopes = ["a", "b", "c"].map(scope);
        load(&cache, &scopes[0], &fragments);
        load(&cache, &scopes[1], &fragments);
        assert!(missing(&cache, &scopes[0], &fragments).is_empty());
        load(&cache, &scopes[2], &fragments);
        assert!(missing(&cache, &scopes[0], &fragments).is_empty());
        assert_eq!(missing(&cache, &scopes[1], &fragments), [0]);
    }

    #[test]
    fn of_a_scope_that_is_too_large_nothing_is_held_or_loaded_until_everything_is_forgotten() {
        let (cache, scope, fragments) = (Arc::new(SketchCache::holding(100)), scope("s"), [fragment(0)]);
        let loading = look_up(&cache, &scope, &fragments).loading.unwrap();
        assert_eq!(loading.most_bytes(), 100);
        loading.give_up();
        let lookup = look_up(&cache, &scope, &fragments);
        assert!(lookup.known.is_empty() && lookup.loading.is_none() && !lookup.is_expected);
        cache.clear();
        assert!(look_up(&cache, &scope, &fragments).loading.is_some());
    }
}
