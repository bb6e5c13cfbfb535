//! Whose memory a request may see: a keyed hash of all of the caller's credentials, or of its name where it has one that outlives
//! them, which a project and then a user can only subdivide.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use mainpoint_store::{Scope, StoreError};
use uuid::Uuid;

use crate::error::StartError;
use crate::http::credentials::CallerHeaders;
use crate::http::identity::{Identity, Name};

/// The server's secret, with which credentials are hashed. Without it a scope says nothing about the key behind it.
pub(crate) struct ScopeKey([u8; 32]);

impl std::fmt::Debug for ScopeKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ScopeKey(***)")
    }
}

impl ScopeKey {
    /// The name of its file.
    pub(crate) const FILE: &str = FILE;

    /// What its file holds.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

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

    /// The scope of a caller's requests. Two callers without a name share one if and only if their credentials are the same, name by
    /// name, line by line and byte by byte; two with one, if their names are. `part` subdivides it.
    ///
    /// # Errors
    /// Never in practice: the scope's characters are all allowed.
    pub(crate) fn scope(
        &self,
        callers: &CallerHeaders,
        sender: Sender<'_>,
        part: ScopePart<'_>,
    ) -> Result<Scope, StoreError> {
        let whole = match sender.identity {
            Identity::Credentials { query } => self.of_credentials(callers, sender.headers, query),
            Identity::Named(name) => self.of_name(name),
        };
        self.of_part(&Scope::new(whole)?, part)
    }

    fn of_name(&self, name: &Name) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"identity\0");
        let parts = name.parts();
        hasher.update(&(parts.len() as u64).to_le_bytes());
        for part in parts {
            frame(&mut hasher, part);
        }
        format!("{IDENTITY}{}", shortened(&hasher))
    }

    fn of_credentials(&self, callers: &CallerHeaders, headers: &HeaderMap, query: &[(String, String)]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        if !query.is_empty() {
            hasher.update(b"query\0");
            hasher.update(&(query.len() as u64).to_le_bytes());
            for text in query.iter().flat_map(|(name, value)| [name, value]) {
                frame(&mut hasher, text.as_bytes());
            }
        }
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
        format!("{KEY}{}", shortened(&hasher))
    }

    /// A part of a scope: that of a project, and in there that of a user. A part that is divided further goes on from where it is.
    ///
    /// # Errors
    /// When `whole` is so long that it was not made here.
    pub(crate) fn of_part(&self, whole: &Scope, part: ScopePart<'_>) -> Result<Scope, StoreError> {
        let mut scope = whole.clone();
        for (label, mark, name) in [("project\0", PROJECT, part.project), ("user\0", USER, part.user)] {
            if let Some(name) = name {
                let key = scope.as_str().strip_prefix(KEY).unwrap_or(scope.as_str());
                let mut hasher = blake3::Hasher::new_keyed(&self.0);
                hasher.update(label.as_bytes());
                frame(&mut hasher, key.as_bytes());
                frame(&mut hasher, name);
                scope = Scope::new(format!("{scope}{mark}{}", shortened(&hasher)))?;
            }
        }
        Ok(scope)
    }
}

/// Who sends a request, as far as its head says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// Who that is.
    pub(crate) identity: &'a Identity,
}

/// Which part of a caller's memory a request is about: that of a project, of a user, or of a user within a project. Each is a memory
/// of its own. A request that names neither has the caller's own memory, which holds nothing of its projects and users.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScopePart<'a> {
    /// The project.
    pub(crate) project: Option<&'a [u8]>,
    /// The user.
    pub(crate) user: Option<&'a [u8]>,
}

/// A part that a scope cannot have, since it is a part itself: a project's is divided by users alone, a user's not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indivisible {
    /// By what it was to be divided.
    pub(crate) by: Divider,
    /// The name of the user or the project that it was to be divided by.
    pub(crate) name: String,
    /// Whose part the scope is.
    pub(crate) belongs_to: Divider,
}

/// What divides a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Divider {
    /// Projects.
    Project,
    /// Users.
    User,
}

impl Divider {
    /// The word for it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::User => "user",
        }
    }
}

impl Indivisible {
    /// Why `part` is none that `scope` can have, if so.
    pub(crate) fn find(scope: &Scope, part: ScopePart<'_>) -> Option<Self> {
        let (by, name) = match part {
            ScopePart { project: Some(project), .. } if is_users(scope) || is_projects(scope) => {
                (Divider::Project, project)
            }
            ScopePart { user: Some(user), .. } if is_users(scope) => (Divider::User, user),
            _ => return None,
        };
        let belongs_to = if is_users(scope) { Divider::User } else { Divider::Project };
        Some(Self { by, name: String::from_utf8_lossy(name).into_owned(), belongs_to })
    }
}

/// Whether a scope is the part of another one that belongs to one user.
pub(crate) fn is_users(scope: &Scope) -> bool {
    scope.as_str().contains(USER)
}

/// Whether a scope is the part of another one that belongs to one project, or to one user of it.
pub(crate) fn is_projects(scope: &Scope) -> bool {
    scope.as_str().contains(PROJECT)
}

/// A caller who is known by its credentials or its name alone, without any request.
pub(crate) struct Caller {
    headers: HeaderMap,
    identity: Identity,
}

impl Default for Caller {
    fn default() -> Self {
        Self::known_as(Identity::of_headers())
    }
}

impl Caller {
    /// The caller that this is, who sends no headers.
    pub(crate) fn known_as(identity: Identity) -> Self {
        Self { headers: HeaderMap::new(), identity }
    }

    /// The caller that sends `key` in the header `name`, in `authorization` as a bearer token. `None` when no header can
    /// carry it.
    pub(crate) fn with_key(name: HeaderName, key: &str) -> Option<Self> {
        let value = if name == AUTHORIZATION { format!("Bearer {key}") } else { key.to_owned() };
        Self::default().and(name, &value)
    }

    /// The same caller, who sends one more header. `None` when no header can carry the value.
    pub(crate) fn and(mut self, name: HeaderName, value: &str) -> Option<Self> {
        self.headers.append(name, HeaderValue::from_str(value).ok()?);
        Some(self)
    }

    /// The headers that it sends.
    pub(crate) fn into_headers(self) -> HeaderMap {
        self.headers
    }

    /// The scope of its requests for this part of its memory.
    ///
    /// # Errors
    /// As [`ScopeKey::scope`].
    pub(crate) fn scope(
        &self,
        key: &ScopeKey,
        callers: &CallerHeaders,
        part: ScopePart<'_>,
    ) -> Result<Scope, StoreError> {
        key.scope(callers, Sender { headers: &self.headers, identity: &self.identity }, part)
    }
}

const FILE: &str = "scope.key";
/// How the scope of credentials begins, and that of somebody's name.
const KEY: &str = "k-";
const IDENTITY: &str = "i-";
/// What follows where a scope is divided by project, and by user.
const PROJECT: &str = ".p-";
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
#[path = "scope_tests.rs"]
mod tests;
