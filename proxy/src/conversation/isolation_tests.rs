//! However the requests of different callers follow each other, no two callers share a scope, and none ever has two.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use http::{Extensions, HeaderMap, HeaderValue, Uri};
use mainpoint_store::Scope;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::scope::{ScopeKey, ScopePart, Sender};
use crate::config::{Config, IdentityFrom};
use crate::http::credentials::CallerHeaders;
use crate::http::identity::{Identities, Identity, Name, Peer};

/// So many interleavings are tried.
const INTERLEAVINGS: u32 = 100_000;

/// What a credential, a name, a project or a user may be. Some say together what others say by themselves.
const VALUES: [&str; 4] = ["a", "b", "ab", "Bearer a"];
/// Headers that hold credentials.
const CREDENTIALS: [&str; 6] =
    ["authorization", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key", "openai-project"];
/// Requests without and with a key in the query.
const URIS: [&str; 4] = ["/v1/chat/completions", "/v1/responses?x=1", "/v1/responses?key=a", "/v1/responses?key=b"];
/// So many bits say who a caller is.
const BITS: u32 = 32;

/// Somebody who sends requests.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Caller {
    who: Who,
    project: Option<&'static str>,
    user: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    /// Lines of headers, sorted, and the key in the query.
    Credentials(Vec<(&'static str, &'static str)>, Option<&'static str>),
    Named(IdentityFrom, Vec<&'static str>),
}

/// Reads a number from its lowest bits on.
struct Bits(u64);

impl Bits {
    fn take(&mut self, count: u32) -> usize {
        let taken = self.0 & ((1 << count) - 1);
        self.0 >>= count;
        usize::try_from(taken).unwrap()
    }

    fn value(&mut self) -> &'static str {
        VALUES[self.take(2)]
    }

    fn perhaps(&mut self) -> Option<&'static str> {
        let there = self.take(1) == 1;
        Some(self.value()).filter(|_| there)
    }
}

impl Caller {
    /// The caller that a number stands for; every number stands for one, and neighbours differ in one thing.
    fn new(bits: u64) -> Self {
        let mut bits = Bits(bits);
        let (project, user) = (bits.perhaps(), bits.perhaps());
        let who = match bits.take(2) {
            0 => Who::Named(IdentityFrom::Header, vec![bits.value()]),
            1 => Who::Named(IdentityFrom::ProxyKeys, vec![bits.value()]),
            2 => Who::Named(IdentityFrom::Jwt, vec!["iss", bits.value(), "sub", bits.value()]),
            _ => {
                let mut lines: Vec<_> =
                    CREDENTIALS.into_iter().filter_map(|name| Some((name, bits.perhaps()?))).collect();
                lines.sort_unstable();
                Who::Credentials(lines, [None, None, Some("a"), Some("b")][bits.take(2)])
            }
        };
        Self { who, project, user }
    }
}

/// What finds out whose a request is, as the proxy has it.
struct Proxy {
    key: ScopeKey,
    callers: CallerHeaders,
    by_credentials: Identities,
    by_header: Identities,
    from_gateway: Extensions,
    uris: [Uri; 4],
}

impl Proxy {
    fn new() -> Self {
        let mut config = Config::defaults();
        let callers = CallerHeaders::new(&config.memory);
        let by_credentials = Identities::open(&config).unwrap();
        config.identity.from = IdentityFrom::Header;
        let mut from_gateway = Extensions::new();
        from_gateway.insert(Peer([127, 0, 0, 1].into()));
        let directory = tempfile::tempdir().unwrap();
        Self {
            key: ScopeKey::load_or_create(directory.path()).unwrap(),
            callers,
            by_credentials,
            by_header: Identities::open(&config).unwrap(),
            from_gateway,
            uris: URIS.map(Uri::from_static),
        }
    }

    /// The scope of a caller's request; what its other headers are, and their order, is chosen by `noise`.
    fn scope(&self, caller: &Caller, noise: u8) -> Scope {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static;
        if noise & 1 == 1 {
            headers.append("cookie", value(VALUES[usize::from(noise >> 6)]));
            headers.append("x-request-id", value("7"));
        }
        for (name, part) in [("x-mainpoint-project", caller.project), ("x-mainpoint-user", caller.user)] {
            if let Some(part) = part {
                headers.append(name, value(part));
            }
        }
        let identity = match &caller.who {
            Who::Credentials(lines, key) => {
                let mut lines = lines.clone();
                if noise & 2 == 2 {
                    lines.reverse();
                }
                for (name, line) in lines {
                    headers.append(name, value(line));
                }
                let uri = &self.uris[key.map_or(usize::from(noise >> 2 & 1), |key| if key == "a" { 2 } else { 3 })];
                self.by_credentials.of(&headers, uri, &Extensions::new())
            }
            Who::Named(from, fields) => {
                // Whatever token it is that a name came with, the name is the same.
                headers.append("authorization", value(VALUES[usize::from(noise >> 4 & 3)]));
                if *from == IdentityFrom::Header {
                    headers.append("x-authenticated-user", value(fields[0]));
                    self.by_header.of(&headers, &self.uris[0], &self.from_gateway)
                } else {
                    let fields = fields.iter().map(|field| field.as_bytes().to_vec()).collect();
                    Some(Identity::Named(Name::new(*from, fields)))
                }
            }
        };
        let part =
            ScopePart { project: self.callers.project(&headers).unwrap(), user: self.callers.user(&headers).unwrap() };
        let sender = Sender { headers: &headers, identity: &identity.unwrap() };
        self.key.scope(&self.callers, sender, part).unwrap()
    }
}

#[test]
fn however_requests_follow_each_other_different_callers_have_different_scopes_and_the_same_one_always_the_same() {
    let proxy = Proxy::new();
    // Whose each scope of all interleavings is.
    let owners: RefCell<HashMap<Scope, u64>> = RefCell::default();
    let others = prop::collection::vec(0..BITS, 1..4);
    let requests = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 2..7);
    let interleaving = (any::<u64>(), others, requests);
    let config = ProptestConfig { cases: INTERLEAVINGS, failure_persistence: None, ..ProptestConfig::default() };
    let tried = TestRunner::new(config).run(&interleaving, |(first, others, requests)| {
        let mut callers = vec![first];
        callers.extend(others.iter().map(|bit| first ^ (1_u64 << *bit)));
        let mut sent: Vec<(Caller, Scope)> = Vec::new();
        for (index, noise) in requests {
            let bits = *index.get(&callers);
            let caller = Caller::new(bits);
            let scope = proxy.scope(&caller, noise);
            for (before, earlier) in &sent {
                prop_assert_eq!(*before == caller, *earlier == scope, "{:?} and {:?}", before, caller);
            }
            let owner = *owners.borrow_mut().entry(scope.clone()).or_insert(bits);
            prop_assert!(Caller::new(owner) == caller, "{:?} and {:?} share {}", Caller::new(owner), caller, scope);
            sent.push((caller, scope));
        }
        Ok(())
    });
    tried.unwrap();
    if let Some(directory) = std::env::var_os("MAINPOINT_RESULTS").map(PathBuf::from) {
        publish(&directory.join("reliability.jsonl"));
    }
}

/// Puts the figures in the place of those of the last run.
fn publish(path: &Path) {
    let row = |metric: &str, value: u32| {
        json!({"bench": "isolation", "metric": metric, "arm": "mainpoint", "value": value}).to_string()
    };
    let is_earlier = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["bench"] == "isolation" && line["arm"] == "mainpoint"
    };
    let before = fs::read_to_string(path).unwrap_or_default();
    let mut lines: Vec<String> = before.lines().filter(|line| !is_earlier(line)).map(str::to_owned).collect();
    lines.extend([row("cases", INTERLEAVINGS), row("leaks", 0)]);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}
