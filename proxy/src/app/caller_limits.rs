//! What each caller may use: what the configuration says for all, or what its key of this proxy says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, IdentityFrom, LimitsConfig};
use crate::conversation::request_preparer::RequestPreparer;
use crate::conversation::scope::{Caller, ScopePart};
use crate::http::identity::{Identities, Identity, KeyList, Name};
use crate::memory::CallerLimits;

/// Limits by the scopes of callers who have some of their own, as a list of keys says.
#[derive(Default)]
struct OfKeys {
    list: Option<Arc<KeyList>>,
    by_scope: HashMap<String, LimitsConfig>,
}

/// The limits by the scopes of callers. Those of keys are found anew when the list of keys has been read again.
pub(super) fn of_all(config: &Config, identities: &Arc<Identities>, preparer: &RequestPreparer) -> CallerLimits {
    let (defaults, identities, preparer) = (config.limits, Arc::clone(identities), preparer.clone());
    let of_keys = Mutex::new(OfKeys::default());
    CallerLimits::new(move |caller| {
        let Some(listed) = identities.listed_keys() else {
            return defaults;
        };
        let mut of_keys = of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !of_keys.list.as_ref().is_some_and(|list| Arc::ptr_eq(list, &listed)) {
            of_keys.by_scope = by_scope(&listed, defaults, &preparer);
            of_keys.list = Some(listed);
        }
        of_keys.by_scope.get(caller).copied().unwrap_or(defaults)
    })
}

fn by_scope(listed: &KeyList, defaults: LimitsConfig, preparer: &RequestPreparer) -> HashMap<String, LimitsConfig> {
    let of_name = |(name, own): (&str, _)| {
        let name = Name::new(IdentityFrom::ProxyKeys, vec![name.as_bytes().to_vec()]);
        let caller = Caller::known_as(Identity::Named(name));
        // A scope can always be made.
        let scope = caller.scope(&preparer.keys, &preparer.callers, ScopePart::default()).ok()?;
        Some((String::from(scope), defaults.with(own)))
    };
    listed.limits().filter_map(of_name).collect()
}
