//! Whose memory a request may see: a keyed hash of all of the caller's credentials, which a user name can only subdivide.
//!
//! It must not know what the scope is used for, and it never keeps a credential.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use mainpoint_store::{Scope, StoreError};
use uuid::Uuid;

use crate::error::StartError;
use crate::http::credentials::CallerHeaders;

/// The server's secret, with which credentials are hashed. Without it a scope says nothing about the key behind it.
pub(crate) struct ScopeKey([u8; 32]);

impl std::fmt::Debug for ScopeKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ScopeKey(***)")
    }
}

impl ScopeKey {
    /// Where the key lies in a store's directory.
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Whether there is a key. Changes nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold 32 bytes.
    pub(crate) fn exists(directory: &Path) -> Result<bool, StartError> {
        let path = Self::path(directory);
        match read(&path) {
            Ok(bytes) => Self::from_bytes(&bytes, path).map(|_| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StartError::Directory { path, source }),
        }
    }

    /// The error for memories whose key is gone.
    pub(crate) fn missing(directory: &Path) -> StartError {
        StartError::ScopeKeyMissing { path: Self::path(directory), directory: directory.to_owned() }
    }

    /// Reads `scope.key` in `directory`, or creates it with random bytes and mode 0600.
    ///
    /// # Errors
    /// When the file cannot be read or created, or does not hold 32 bytes.
    pub(crate) fn load_or_create(directory: &Path) -> Result<Self, StartError> {
        let path = Self::path(directory);
        match read(&path) {
            Ok(bytes) => Self::from_bytes(&bytes, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(directory, &path).map_err(|source| StartError::Directory { path: path.clone(), source })?;
                let bytes = read(&path).map_err(|source| StartError::Directory { path: path.clone(), source })?;
                Self::from_bytes(&bytes, path)
            }
            Err(source) => Err(StartError::Directory { path, source }),
        }
    }

    fn from_bytes(bytes: &[u8], path: PathBuf) -> Result<Self, StartError> {
        bytes.try_into().map(Self).map_err(|_| StartError::ScopeKey { path })
    }

    /// The scope of a caller with these headers: two callers share one if and only if their credentials are the same, name by
    /// name, line by line and byte by byte. `user` subdivides the scope of the caller's credentials.
    ///
    /// # Errors
    /// Never in practice: the scope's characters are all allowed.
    pub(crate) fn scope(
        &self,
        callers: &CallerHeaders,
        headers: &HeaderMap,
        user: Option<&[u8]>,
    ) -> Result<Scope, StoreError> {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        match callers.credentials(headers).as_slice() {
            [] => {
                hasher.update(b"credential\0anonymous");
            }
            // By far the most common, and named as it was before other headers counted, so that its memories stay.
            [only] if **only == AUTHORIZATION => {
                hasher.update(b"credential\0");
                values(&mut hasher, headers, only);
            }
            names => {
                hasher.update(b"credentials\0");
                for name in names {
                    frame(&mut hasher, name.as_str().as_bytes());
                    hasher.update(&(headers.get_all(*name).iter().count() as u64).to_le_bytes());
                    values(&mut hasher, headers, name);
                }
            }
        }
        let whole = Scope::new(format!("{KEY}{}", shortened(&hasher)))?;
        match user {
            Some(user) => self.of_user(&whole, user),
            None => Ok(whole),
        }
    }

    /// The part of a caller's scope that belongs to one of its users.
    ///
    /// # Errors
    /// When `whole` is so long that it was not made here.
    pub(crate) fn of_user(&self, whole: &Scope, user: &[u8]) -> Result<Scope, StoreError> {
        let key = whole.as_str().strip_prefix(KEY).unwrap_or(whole.as_str());
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"user\0");
        frame(&mut hasher, key.as_bytes());
        frame(&mut hasher, user);
        Scope::new(format!("{whole}{USER}{}", shortened(&hasher)))
    }
}

/// Whether a scope is the part of a key's scope that belongs to one user.
pub(crate) fn is_users(scope: &Scope) -> bool {
    scope.as_str().contains(USER)
}

/// A caller who is known by its credentials alone, without any request.
#[derive(Default)]
pub(crate) struct Caller(HeaderMap);

impl Caller {
    /// The caller that sends `key` in the header `name`, in `authorization` as a bearer token. `None` when no header can
    /// carry it.
    pub(crate) fn with_key(name: HeaderName, key: &str) -> Option<Self> {
        let value = if name == AUTHORIZATION { format!("Bearer {key}") } else { key.to_owned() };
        Self::default().and(name, &value)
    }

    /// The same caller, who sends one more header. `None` when no header can carry the value.
    pub(crate) fn and(mut self, name: HeaderName, value: &str) -> Option<Self> {
        self.0.append(name, HeaderValue::from_str(value).ok()?);
        Some(self)
    }

    /// The headers that it sends.
    pub(crate) fn into_headers(self) -> HeaderMap {
        self.0
    }

    /// The scope of its requests for this user, or for nobody in particular.
    ///
    /// # Errors
    /// As [`ScopeKey::scope`].
    pub(crate) fn scope(
        &self,
        key: &ScopeKey,
        callers: &CallerHeaders,
        user: Option<&str>,
    ) -> Result<Scope, StoreError> {
        key.scope(callers, &self.0, user.map(str::as_bytes))
    }
}

const FILE: &str = "scope.key";
/// How a key's scope begins, and what follows where it is divided by user.
const KEY: &str = "k-";
const USER: &str = ".u-";

/// 32 hexadecimal digits.
fn shortened(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// All lines of a header, in their order.
fn values(hasher: &mut blake3::Hasher, headers: &HeaderMap, name: &HeaderName) {
    for value in headers.get_all(name) {
        frame(hasher, value.as_bytes());
    }
}

/// The length goes first, so that no two lists of values hash alike.
fn frame(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than a key, so that a longer file is noticed and never read whole.
    std::fs::File::open(path)?.take(33).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Written beside its place (mode 0600) and put there whole. If another process was first, its key holds.
fn create(directory: &Path, path: &Path) -> io::Result<()> {
    let mut random = blake3::Hasher::new();
    for _ in 0..4 {
        random.update(Uuid::new_v4().as_bytes());
    }
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(random.finalize().as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

    use super::*;

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
        KEYED.scope(&callers(), &headers(&lines), None).unwrap()
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
            let (callers, second) = (callers(), if same { shuffled(&first) } else { second });
            let a = KEYED.scope(&callers, &headers(&first), one.as_deref()).unwrap();
            let b = KEYED.scope(&callers, &headers(&second), other.as_deref()).unwrap();
            prop_assert_eq!(a == b, identity(&first) == identity(&second) && one == other);
            let whole = KEYED.scope(&callers, &headers(&first), None).unwrap();
            prop_assert!(a.as_str().starts_with(whole.as_str()), "a user never leaves the scope of the credentials");
            prop_assert_eq!(is_users(&a), one.is_some());
        }
    }

    #[test]
    fn a_scope_tells_nothing_without_the_servers_secret() {
        let headers = headers(&[("authorization", b"Bearer a".to_vec())]);
        let one = ScopeKey([1; 32]).scope(&callers(), &headers, None).unwrap();
        let two = ScopeKey([2; 32]).scope(&callers(), &headers, None).unwrap();
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
        let of_key = alone.scope(&KEYED, &callers, None).unwrap();
        assert_eq!(of_key, whole(&[("authorization", "Bearer sk-a")]));
        let user = alone.scope(&KEYED, &callers, Some("ann")).unwrap();
        assert_eq!(KEYED.of_user(&of_key, b"ann").unwrap(), user);
        assert!(is_users(&user) && !is_users(&of_key));
        let both = alone.and(HeaderName::from_static("x-team"), "blue").unwrap();
        assert_eq!(
            both.scope(&KEYED, &callers, None).unwrap(),
            whole(&[("x-team", "blue"), ("authorization", "Bearer sk-a")])
        );
        let anonymous = Caller::default().scope(&KEYED, &callers, None).unwrap();
        assert_eq!(anonymous, whole(&[]));
        assert!(bearer("two\nlines").is_none());
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
}
