//! Which callers share a scope: those that are the same, and nobody else.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::*;
use crate::config::IdentityFrom;

const KEYED: ScopeKey = ScopeKey([7; 32]);

/// Header lines as they come, one after the other.
type Lines = Vec<(&'static str, Vec<u8>)>;

fn headers(lines: &[(&'static str, Vec<u8>)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn callers() -> CallerHeaders {
    let mut config = crate::config::Config::defaults().memory;
    config.credential_headers = vec![HeaderName::from_static("x-team")];
    CallerHeaders::new(&config)
}

fn whole(lines: &[(&'static str, &str)]) -> Scope {
    let lines: Lines = lines.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
    scope(&KEYED, &headers(&lines), ScopePart::default())
}

/// The scope of a caller without a name.
fn scope(key: &ScopeKey, headers: &HeaderMap, part: ScopePart<'_>) -> Scope {
    key.scope(&callers(), Sender { headers, identity: &Identity::of_headers() }, part).unwrap()
}

fn user(user: &[u8]) -> ScopePart<'_> {
    ScopePart { project: None, user: Some(user) }
}

fn named(from: IdentityFrom, name: &str) -> Caller {
    Caller::known_as(Identity::Named(Name::new(from, vec![name.as_bytes().to_vec()])))
}

/// A few values, so that equal ones are common, among them such as could be told apart badly: bytes that are no UTF-8, and
/// values that hold a name and another value.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"dummy".to_vec()),
        Just(b"Bearer dummy".to_vec()),
        Just(b"\xff".to_vec()),
        Just(b"\xfe".to_vec()),
        Just(b"".to_vec()),
        Just(b"dummyapi-key".to_vec()),
        Just(b"anonymous".to_vec()),
        prop::collection::vec(0x20..=0xff_u8, 0..12)
            .prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != 0x7f).collect()),
    ]
}

fn some_headers() -> impl Strategy<Value = Lines> {
    let name = prop::sample::select(vec![
        "authorization",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
        "cf-aig-authorization",
        "openai-project",
        "x-team",
        "accept",
        "cookie",
    ]);
    prop::collection::vec((name, value()), 0..5)
}

fn some_user() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(value())
}

/// What tells a caller: the lines of each credential, in their order.
fn identity(lines: &Lines) -> std::collections::BTreeMap<&'static str, Vec<&[u8]>> {
    let mut identity: std::collections::BTreeMap<&str, Vec<&[u8]>> = std::collections::BTreeMap::new();
    for (name, value) in lines {
        if !["accept", "cookie"].contains(name) {
            identity.entry(*name).or_default().push(value);
        }
    }
    identity
}

/// The same lines in another order, in which those of one name follow each other as before.
fn shuffled(lines: &Lines) -> Lines {
    let mut lines = lines.clone();
    lines.sort_by_key(|(name, _)| std::cmp::Reverse(*name));
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn two_callers_share_a_scope_if_and_only_if_their_credentials_and_users_are_the_same(
        first in some_headers(), second in some_headers(), one in some_user(), other in some_user(), same: bool,
    ) {
        let second = if same { shuffled(&first) } else { second };
        let a = scope(&KEYED, &headers(&first), ScopePart { project: None, user: one.as_deref() });
        let b = scope(&KEYED, &headers(&second), ScopePart { project: None, user: other.as_deref() });
        prop_assert_eq!(a == b, identity(&first) == identity(&second) && one == other);
        let whole = scope(&KEYED, &headers(&first), ScopePart::default());
        prop_assert!(a.as_str().starts_with(whole.as_str()), "a user never leaves the scope of the credentials");
        prop_assert_eq!(is_users(&a), one.is_some());
    }
}

#[test]
fn a_scope_tells_nothing_without_the_servers_secret() {
    let headers = headers(&[("authorization", b"Bearer a".to_vec())]);
    let [one, two] = [[1; 32], [2; 32]].map(|key| scope(&ScopeKey(key), &headers, ScopePart::default()));
    assert_ne!(one, two);
    assert!(!format!("{:?}", ScopeKey([1; 32])).contains('1'));
}

#[test]
fn callers_without_credentials_and_those_with_an_authorization_alone_keep_the_scopes_that_they_had() {
    for (lines, scope) in [
        (&[][..], "k-8d703e1caf1074a13167a187aba5e2a6"),
        (&[("authorization", "Bearer sk-a")][..], "k-e794532751d584b3ebf2911f9ebc56a3"),
        (&[("authorization", "Bearer sk-a"), ("accept", "*/*")][..], "k-e794532751d584b3ebf2911f9ebc56a3"),
    ] {
        assert_eq!(whole(lines).as_str(), scope, "{lines:?}");
    }
    let ann = scope(&KEYED, &headers(&[("authorization", b"Bearer sk-a".to_vec())]), user(b"ann"));
    assert_eq!(ann.as_str(), "k-e794532751d584b3ebf2911f9ebc56a3.u-b02f6599fe274db251525e3001d0a668");
}

#[test]
fn two_callers_with_the_same_dummy_and_different_keys_have_scopes_of_their_own() {
    let dummy = ("authorization", "Bearer dummy");
    let scopes = [
        whole(&[dummy]),
        whole(&[dummy, ("api-key", "a")]),
        whole(&[dummy, ("api-key", "b")]),
        whole(&[dummy, ("x-api-key", "a")]),
        whole(&[("api-key", "a")]),
        whole(&[("x-api-key", "a")]),
        whole(&[("authorization", "a")]),
        whole(&[("api-key", "a"), ("api-key", "b")]),
        whole(&[("api-key", "ab")]),
    ];
    for (index, scope) in scopes.iter().enumerate() {
        assert!(!scopes[..index].contains(scope), "{index}");
    }
    assert_eq!(whole(&[("api-key", "a"), dummy]), whole(&[dummy, ("api-key", "a")]));
}

#[test]
fn a_key_that_is_given_by_itself_has_the_scope_of_the_requests_that_carry_it() {
    let callers = callers();
    let bearer = |key: &str| Caller::with_key(AUTHORIZATION, key);
    let alone = bearer("sk-a").unwrap();
    let of_key = alone.scope(&KEYED, &callers, ScopePart::default()).unwrap();
    assert_eq!(of_key, whole(&[("authorization", "Bearer sk-a")]));
    let of_user = alone.scope(&KEYED, &callers, user(b"ann")).unwrap();
    assert_eq!(KEYED.of_part(&of_key, user(b"ann")).unwrap(), of_user);
    assert!(is_users(&of_user) && !is_users(&of_key));
    let both = alone.and(HeaderName::from_static("x-team"), "blue").unwrap();
    assert_eq!(
        both.scope(&KEYED, &callers, ScopePart::default()).unwrap(),
        whole(&[("x-team", "blue"), ("authorization", "Bearer sk-a")])
    );
    let anonymous = Caller::default().scope(&KEYED, &callers, ScopePart::default()).unwrap();
    assert_eq!(anonymous, whole(&[]));
    assert!(bearer("two\nlines").is_none());
}

#[test]
fn a_project_divides_before_a_user_does_and_neither_is_the_other() {
    let (callers, caller) = (callers(), named(IdentityFrom::Header, "ann"));
    let of = |project: Option<&'static str>, user: Option<&'static str>| {
        let part = ScopePart { project: project.map(str::as_bytes), user: user.map(str::as_bytes) };
        caller.scope(&KEYED, &callers, part).unwrap()
    };
    let scopes = [
        of(None, None),
        of(Some("a"), None),
        of(None, Some("a")),
        of(Some("a"), Some("b")),
        of(Some("b"), Some("a")),
        of(Some("a"), Some("a")),
        of(Some("ab"), None),
        of(None, Some("ab")),
    ];
    for (index, scope) in scopes.iter().enumerate() {
        assert!(!scopes[..index].contains(scope), "{index}");
    }
    let both = &scopes[3];
    assert!(both.as_str().starts_with(scopes[1].as_str()) && is_projects(both) && is_users(both), "{both}");
    assert_eq!(KEYED.of_part(&scopes[1], user(b"b")).unwrap(), *both, "a project is divided by users");
    assert!(!is_projects(&scopes[2]) && is_users(&scopes[2]));
}

#[test]
fn a_name_outlives_credentials_and_no_two_sources_share_one() {
    let headers = headers(&[("authorization", b"Bearer first".to_vec())]);
    let name = Identity::Named(Name::new(IdentityFrom::Jwt, vec![b"ann".to_vec()]));
    let with_token =
        KEYED.scope(&callers(), Sender { headers: &headers, identity: &name }, ScopePart::default()).unwrap();
    let scopes = [IdentityFrom::Jwt, IdentityFrom::Header, IdentityFrom::ProxyKeys]
        .map(|from| named(from, "ann").scope(&KEYED, &callers(), ScopePart::default()).unwrap());
    assert_eq!(scopes[0], with_token);
    assert!(scopes[0] != scopes[1] && scopes[1] != scopes[2] && scopes[0] != scopes[2]);
    for scope in &scopes {
        assert!(scope.as_str().starts_with("i-"), "no scope of credentials begins like {scope}");
    }
}

#[test]
fn the_keys_of_a_query_tell_callers_apart() {
    let of = |query: &str, lines: &[(&'static str, &str)]| {
        let lines: Lines = lines.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
        let uri = format!("/v1/chat/completions{query}").parse().unwrap();
        let sender = Sender { headers: &headers(&lines), identity: &Identity::of_credentials(&uri) };
        KEYED.scope(&callers(), sender, ScopePart::default()).unwrap()
    };
    assert_eq!(of("?api-version=1", &[]), whole(&[]));
    let scopes = [
        of("", &[]),
        of("?key=a", &[]),
        of("?key=b", &[]),
        of("?api-key=a", &[]),
        of("?key=a&key=b", &[]),
        of("", &[("api-key", "a")]),
        of("?key=a", &[("api-key", "a")]),
    ];
    for (index, scope) in scopes.iter().enumerate() {
        assert!(!scopes[..index].contains(scope), "{index}");
    }
}

#[test]
fn the_key_is_created_once_for_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let first = ScopeKey::load_or_create(directory.path()).unwrap();
    let second = ScopeKey::load_or_create(directory.path()).unwrap();
    assert_eq!(first.0, second.0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(directory.path().join(FILE), b"short").unwrap();
    assert_eq!(ScopeKey::load_or_create(directory.path()).unwrap_err().exit_status().code(), 65);
}

#[test]
fn a_users_part_is_divided_no_further_and_a_projects_by_users_alone() {
    let whole = whole(&[("authorization", "Bearer a")]);
    let project = ScopePart { project: Some(b"garden"), user: None };
    let (of_project, of_user) = (KEYED.of_part(&whole, project).unwrap(), KEYED.of_part(&whole, user(b"ann")).unwrap());
    assert_eq!(Indivisible::find(&whole, ScopePart { project: Some(b"garden"), user: Some(b"ann") }), None);
    assert_eq!(Indivisible::find(&of_project, user(b"ann")), None);
    for scope in [&whole, &of_project, &of_user] {
        assert_eq!(Indivisible::find(scope, ScopePart::default()), None, "nothing is to be divided");
    }
    for (scope, part, by, name, belongs_to) in [
        (&of_project, project, Divider::Project, "garden", Divider::Project),
        (&of_user, project, Divider::Project, "garden", Divider::User),
        (&of_user, user(b"ben"), Divider::User, "ben", Divider::User),
    ] {
        let expected = Indivisible { by, name: name.to_owned(), belongs_to };
        assert_eq!(Indivisible::find(scope, part), Some(expected), "{scope}");
    }
}
