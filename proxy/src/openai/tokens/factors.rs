//! The factors of the models that were asked for last, by the names that clients call them.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use serde::{Deserialize, Serialize};

use super::factor::{Factor, Learnt};

/// The factors of some models.
pub(crate) struct TokenFactors(Mutex<Table>);

struct Table {
    models: LruCache<String, Learnt>,
    has_changed: bool,
}

/// What is known of one model, as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedFactor {
    model: String,
    #[serde(flatten)]
    learnt: Learnt,
}

impl Default for TokenFactors {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl TokenFactors {
    /// Goes on with what was written down, in the order in which [`Self::changed`] gave it.
    pub(crate) fn new(saved: Vec<SavedFactor>) -> Self {
        let mut models = LruCache::new(MOST_MODELS);
        for SavedFactor { model, learnt } in saved {
            if learnt.is_sound() && model.len() <= LONGEST_NAME {
                models.put(model, learnt);
            }
        }
        Self(Mutex::new(Table { models, has_changed: false }))
    }

    /// The factor of a model.
    pub(crate) fn of(&self, model: &str) -> Factor {
        self.table().models.get(model).copied().unwrap_or_default().factor()
    }

    /// Takes in what an answer of `model` says; see [`Learnt::learn`].
    pub(crate) fn learn(&self, model: &str, counted: f64, told: u64, weight: f64) {
        if model.len() > LONGEST_NAME {
            return;
        }
        let mut table = self.table();
        let mut learnt = table.models.peek(model).copied().unwrap_or_default();
        if learnt.learn(counted, told, weight) {
            table.models.put(model.to_owned(), learnt);
            table.has_changed = true;
        }
    }

    /// Everything that is known, if something was learnt since the last call.
    pub(crate) fn changed(&self) -> Option<Vec<SavedFactor>> {
        let mut table = self.table();
        let saved = |(model, learnt): (&String, &Learnt)| SavedFactor { model: model.clone(), learnt: *learnt };
        std::mem::take(&mut table.has_changed).then(|| table.models.iter().rev().map(saved).collect())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many models' factors are kept.
const MOST_MODELS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// Bytes of the longest name of a model that has a factor.
const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn teach(factors: &TokenFactors, model: &str, told: u64) {
        (0..3).for_each(|_| factors.learn(model, 1000.0, told, 1.0));
    }

    #[test]
    fn each_model_has_its_own_factor_and_what_is_written_down_goes_on() {
        let factors = TokenFactors::default();
        assert_eq!(factors.changed(), None);
        teach(&factors, "a", 2000);
        teach(&factors, "b", 500);
        let text = serde_json::to_string(&factors.changed().unwrap()).unwrap();
        assert_eq!(factors.changed(), None, "nothing was learnt since");
        let again = TokenFactors::new(serde_json::from_str(&text).unwrap());
        for (model, tokens) in [("a", 2000), ("b", 500), ("c", 1000)] {
            assert_eq!((factors.of(model).of(1000), again.of(model).of(1000)), (tokens, tokens), "{model}");
        }
        teach(&again, "a", 11);
        assert_eq!(again.changed(), None, "what is not believed changes nothing");
    }

    #[test]
    fn only_so_many_models_are_known_and_none_with_an_endless_name() {
        let factors = TokenFactors::default();
        teach(&factors, &"x".repeat(LONGEST_NAME + 1), 2000);
        assert_eq!(factors.changed(), None);
        for number in 0..=MOST_MODELS.get() {
            teach(&factors, &format!("model {number}"), 2000);
            factors.of("model 0");
        }
        let saved = factors.changed().unwrap();
        assert_eq!(saved.len(), MOST_MODELS.get());
        assert_eq!((factors.of("model 0").of(1000), factors.of("model 1").of(1000)), (2000, 1000));
        let mut odd = saved;
        odd[0].model = "y".repeat(LONGEST_NAME + 1);
        assert_eq!(TokenFactors::new(odd).0.lock().unwrap().models.len(), MOST_MODELS.get() - 1);
    }
}
