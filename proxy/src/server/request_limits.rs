//! How many requests a caller may send in a minute. Who that is says its identity, or its credentials where it has none.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::{Extensions, HeaderMap, Uri};

use crate::config::{Config, IdentityFrom};
use crate::error::ProxyError;
use crate::http::credentials::CallerHeaders;
use crate::http::identity::{Identities, Identity};
use crate::rates::{Rate, UsedBy};
use crate::telemetry::metrics;

/// Counts the requests of every caller.
#[derive(Debug)]
pub(crate) struct RequestLimits {
    per_minute: u32,
    callers: CallerHeaders,
    /// Keyed at random, so that nobody can choose to be taken for somebody else.
    hasher: RandomState,
    used: Mutex<UsedBy<u64>>,
}

impl RequestLimits {
    /// As the configuration has it.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            per_minute: config.limits.requests_per_minute,
            callers: CallerHeaders::new(&config.memory),
            hasher: RandomState::new(),
            used: Mutex::default(),
        }
    }

    /// Counts a request with this head, which came now.
    ///
    /// # Errors
    /// [`ProxyError::TooManyRequests`], and then it does not count.
    pub(super) fn take(
        &self,
        identities: &Identities,
        (headers, uri, extensions): (&HeaderMap, &Uri, &Extensions),
        now: Instant,
    ) -> Result<(), ProxyError> {
        let listed = identities.listed_keys();
        if self.per_minute == 0 && listed.is_none() {
            return Ok(());
        }
        let identity = identities.of(headers, uri, extensions).unwrap_or_else(|| Identity::of_credentials(uri));
        let own = listed.zip(identity.only_name(IdentityFrom::ProxyKeys)).map(|(list, name)| list.limits_of(name));
        let per_minute = own.and_then(|own| own.requests_per_minute).unwrap_or(self.per_minute);
        let Some(rate) = Rate::new(per_minute) else {
            return Ok(());
        };
        let caller = self.hash(&identity, headers);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = used.of(&caller).wait(rate, now);
        if wait.is_zero() {
            used.take(caller, rate, 1, now);
            return Ok(());
        }
        metrics::limited("requests_per_minute", 1);
        Err(ProxyError::TooManyRequests { per_minute, wait })
    }

    fn hash(&self, identity: &Identity, headers: &HeaderMap) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match identity {
            Identity::Named(name) => name.parts().for_each(|part| part.hash(&mut hasher)),
            Identity::Credentials { query } => {
                query.hash(&mut hasher);
                for name in self.callers.credentials(headers) {
                    name.hash(&mut hasher);
                    headers.get_all(name).iter().for_each(|value| value.as_bytes().hash(&mut hasher));
                }
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::time::Duration;

    use sha2::{Digest, Sha256};

    use super::*;

    fn limited(config: &Config) -> (RequestLimits, Identities) {
        (RequestLimits::new(config), Identities::open(config).unwrap())
    }

    fn of_key(key: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        headers
    }

    #[test]
    fn each_caller_has_its_own_minute_and_is_told_how_long_to_wait() {
        let mut config = Config::defaults();
        config.limits.requests_per_minute = 2;
        let (limits, identities) = limited(&config);
        let now = Instant::now();
        let uri = Uri::from_static("/v1/models");
        let take = |key: &str, uri: &Uri, now| limits.take(&identities, (&of_key(key), uri, &Extensions::new()), now);
        for _ in 0..2 {
            take("a", &uri, now).unwrap();
        }
        let wait = Duration::from_secs(30);
        let refused = take("a", &uri, now).unwrap_err();
        assert!(
            matches!(refused, ProxyError::TooManyRequests { per_minute: 2, wait: told } if told == wait),
            "{refused}"
        );
        take("b", &uri, now).unwrap();
        take("a", &Uri::from_static("/v1/models?api-key=x"), now).unwrap();
        take("a", &uri, now + wait).unwrap();
        take("a", &uri, now + wait).unwrap_err();
    }

    #[test]
    fn a_key_of_the_proxy_may_have_a_limit_of_its_own_and_its_owners_keys_share_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let keys = [("ann", "a1", "1"), ("ann", "a2", "1"), ("ben", "b", "0")].map(|(name, key, limit)| {
            let digest: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("[[keys]]\nname = {name:?}\nsha256 = {digest:?}\nlimits = {{ requests_per_minute = {limit} }}\n")
        });
        std::fs::write(file.path(), keys.concat()).unwrap();
        let mut config = Config::defaults();
        (config.identity.from, config.identity.keys_file) = (IdentityFrom::ProxyKeys, Some(file.path().to_owned()));
        config.limits.requests_per_minute = 1;
        let (limits, identities) = limited(&config);
        let now = Instant::now();
        let uri = Uri::from_static("/");
        let take = |key: &str| limits.take(&identities, (&of_key(key), &uri, &Extensions::new()), now).is_ok();
        assert_eq!((take("a1"), take("a2")), (true, false), "a second key is no second caller");
        assert!((0..100).all(|_| take("b")), "0 sets no limit");
    }
}
