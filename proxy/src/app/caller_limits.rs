//! What each caller may use: what the configuration says for all, or what its key of this proxy says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, IdentityFrom, LimitsConfig};
use crate::conversation::request_preparer::RequestPreparer;
use crate::conversation::scope::{Caller, ScopePart};
use crate::http::identity::{Identities, Identity, KeyList, Name};
use crate::memory::CallerLimits;

/// The limits by the scopes of callers. Those of keys are found anew when the list of keys has been read again.
pub(super) fn caller_limits(config: &Config, identities: &Arc<Identities>, preparer: &RequestPreparer) -> CallerLimits {
    let (defaults, identities, preparer) = (config.limits, Arc::clone(identities), preparer.clone());
    let found: Mutex<Option<(Arc<KeyList>, HashMap<String, LimitsConfig>)>> = Mutex::default();
    CallerLimits::new(move |caller| {
        let Some(listed) = identities.listed_keys() else {
            return defaults;
        };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let by_scope = match found.take() {
            Some((list, by_scope)) if Arc::ptr_eq(&list, &listed) => by_scope,
            _ => by_scope(&listed, defaults, &preparer),
        };
        let limits = by_scope.get(caller).copied().unwrap_or(defaults);
        *found = Some((listed, by_scope));
        limits
    })
}

fn by_scope(listed: &KeyList, defaults: LimitsConfig, preparer: &RequestPreparer) -> HashMap<String, LimitsConfig> {
    let of_name = |(name, own): (&str, _)| {
        let name = Name::new(IdentityFrom::ProxyKeys, vec![name.as_bytes().to_vec()]);
        let caller = Caller::known_as(Identity::Named(name));
        // A scope can always be made.
        let scope = caller.scope(&preparer.keys, &preparer.callers, ScopePart::default()).ok()?;
        Some((scope.into(), defaults.with(own)))
    };
    listed.limits().filter_map(of_name).collect()
}
