//! Whose memory a request may see: a keyed hash of the caller's credentials, which a user name can only subdivide.
//!
//! It must not know what the scope is used for, and it never keeps a credential.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use mainpoint_store::{Scope, StoreError};
use uuid::Uuid;

use crate::error::StartError;
use crate::upstream::remote::CREDENTIALS;

/// The server's secret, with which credentials are hashed. Without it a scope says nothing about the key behind it.
pub(crate) struct ScopeKey([u8; 32]);

impl std::fmt::Debug for ScopeKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ScopeKey(***)")
    }
}

impl ScopeKey {
    /// Reads `scope.key` in `directory`, or creates it with random bytes and mode 0600.
    ///
    /// # Errors
    /// When the file cannot be read or created, or does not hold 32 bytes.
    pub(crate) fn load_or_create(directory: &Path) -> Result<Self, StartError> {
        let path = directory.join(FILE);
        match read(&path) {
            Ok(bytes) => Self::from_bytes(&bytes, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(directory, &path).map_err(|source| StartError::Directory {
                    path: path.clone(),
                    source,
                })?;
                let bytes = read(&path).map_err(|source| StartError::Directory {
                    path: path.clone(),
                    source,
                })?;
                Self::from_bytes(&bytes, path)
            }
            Err(source) => Err(StartError::Directory { path, source }),
        }
    }

    fn from_bytes(bytes: &[u8], path: PathBuf) -> Result<Self, StartError> {
        bytes.try_into().map(Self).map_err(|_| StartError::ScopeKey { path })
    }

    /// The scope of a caller with these headers. `user` subdivides the scope of the caller's key.
    ///
    /// # Errors
    /// Never in practice: the scope's characters are all allowed.
    pub(crate) fn scope(&self, headers: &HeaderMap, user: Option<&str>) -> Result<Scope, StoreError> {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"credential\0");
        match CREDENTIALS.iter().find(|name| headers.contains_key(*name)) {
            None => hasher.update(b"anonymous"),
            Some(name) => {
                for value in headers.get_all(name) {
                    frame(&mut hasher, value.as_bytes());
                }
                &mut hasher
            }
        };
        let whole = Scope::new(format!("{KEY}{}", shortened(&hasher)))?;
        match user {
            Some(user) => self.of_user(&whole, user),
            None => Ok(whole),
        }
    }

    /// The part of a key's scope that belongs to one of its users.
    ///
    /// # Errors
    /// When `whole` is so long that it was not made here.
    pub(crate) fn of_user(&self, whole: &Scope, user: &str) -> Result<Scope, StoreError> {
        let key = whole.as_str().strip_prefix(KEY).unwrap_or(whole.as_str());
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"user\0");
        frame(&mut hasher, key.as_bytes());
        frame(&mut hasher, user.as_bytes());
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
    pub(crate) fn with_key(name: &str, key: &str) -> Option<Self> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = if name == AUTHORIZATION {
            format!("Bearer {key}")
        } else {
            key.to_owned()
        };
        let value = HeaderValue::from_str(&value).ok()?;
        Some(Self(HeaderMap::from_iter([(name, value)])))
    }

    /// The scope of its requests for this user, or for nobody in particular.
    ///
    /// # Errors
    /// As [`ScopeKey::scope`].
    pub(crate) fn scope(&self, key: &ScopeKey, user: Option<&str>) -> Result<Scope, StoreError> {
        key.scope(&self.0, user)
    }
}

/// The user that a header names.
pub(crate) fn user_of(headers: &HeaderMap, header: &str) -> Option<String> {
    let value = headers.get(header)?;
    let user = String::from_utf8_lossy(value.as_bytes()).into_owned();
    (!user.is_empty()).then_some(user)
}

const FILE: &str = "scope.key";
/// How a key's scope begins, and what follows where it is divided by user.
const KEY: &str = "k-";
const USER: &str = ".u-";

/// 32 hexadecimal digits.
fn shortened(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex().chars().take(32).collect()
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

    fn caller(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            "authorization",
            HeaderValue::from_bytes(authorization.as_bytes()).unwrap(),
        );
        headers
    }

    proptest! {
        #[test]
        fn a_user_never_leaves_the_scope_of_its_key_and_no_two_callers_share_one(
            first in "[ -~]{1,20}", second in "[ -~]{1,20}",
            one in prop::option::of("\\PC{1,12}"), other in prop::option::of("\\PC{1,12}"),
        ) {
            let key = ScopeKey([7; 32]);
            let a = key.scope(&caller(&first), one.as_deref()).unwrap();
            let b = key.scope(&caller(&second), other.as_deref()).unwrap();
            prop_assert_eq!(a == b, first == second && one == other);
            let whole = key.scope(&caller(&first), None).unwrap();
            prop_assert!(a.as_str().starts_with(whole.as_str()));
            prop_assert_eq!(a.as_str().contains(".u-"), one.is_some());
        }
    }

    #[test]
    fn a_scope_tells_nothing_without_the_servers_secret() {
        let one = ScopeKey([1; 32]).scope(&caller("Bearer a"), None).unwrap();
        let two = ScopeKey([2; 32]).scope(&caller("Bearer a"), None).unwrap();
        assert_ne!(one, two);
        assert!(!format!("{:?}", ScopeKey([1; 32])).contains('1'));
    }

    #[test]
    fn callers_without_credentials_share_one_scope_and_other_credential_headers_count() {
        let key = ScopeKey([7; 32]);
        let anonymous = key.scope(&HeaderMap::new(), None).unwrap();
        let mut azure = HeaderMap::new();
        azure.insert("api-key", HeaderValue::from_static("a"));
        assert_ne!(key.scope(&azure, None).unwrap(), anonymous);
        assert_eq!(anonymous, key.scope(&HeaderMap::new(), None).unwrap());
    }

    #[test]
    fn a_key_that_is_given_by_itself_has_the_scope_of_the_requests_that_carry_it() {
        let key = ScopeKey([7; 32]);
        let alone = Caller::with_key("authorization", "sk-a").unwrap();
        let whole = alone.scope(&key, None).unwrap();
        assert_eq!(whole, key.scope(&caller("Bearer sk-a"), None).unwrap());
        let user = key.scope(&caller("Bearer sk-a"), Some("ann")).unwrap();
        assert_eq!(key.of_user(&whole, "ann").unwrap(), user);
        assert!(is_users(&user) && !is_users(&whole));
        let anonymous = Caller::default().scope(&key, None).unwrap();
        assert_eq!(anonymous, key.scope(&HeaderMap::new(), None).unwrap());
        assert!(Caller::with_key("authorization", "two\nlines").is_none());
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
            let mode = std::fs::metadata(directory.path().join(FILE))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(directory.path().join(FILE), b"short").unwrap();
        assert_eq!(ScopeKey::load_or_create(directory.path()).unwrap_err().exit_code(), 65);
    }
}
