//! Whose memory a history becomes: the same scopes that requests have.

use std::sync::Arc;

use clap::Args;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use mainpoint_store::{Scope, Store};

use super::CliError;
use super::scopes::named_scope;
use crate::config::{Config, IdentityFrom};
use crate::conversation::request_preparer::RequestPreparer;
use crate::conversation::scope::{Caller, Indivisible, ScopeKey, ScopePart};
use crate::http::credentials::CallerHeaders;
use crate::http::identity;

/// Whose memory it is, but for the user that a line may name.
pub(super) struct Owner {
    keys: Arc<ScopeKey>,
    callers: CallerHeaders,
    whole: Whole,
    division: Division,
}

/// Which part of a memory a history becomes, where its lines do not say so.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Division {
    /// Project of that key, or of that scope, as applications send it in x-mainpoint-project (memory.project_header).
    #[arg(long, value_name = "NAME")]
    pub(super) project: Option<String>,
    /// User of that key, scope or project, for lines that name none.
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
}

impl Division {
    /// Whether nothing is divided.
    pub(super) fn is_whole(&self) -> bool {
        self.project.is_none() && self.user.is_none()
    }

    /// The part for a line that names this user, or none; an empty name is none, as in a header.
    fn part<'a>(&'a self, user: Option<&'a str>) -> ScopePart<'a> {
        let named = |name: Option<&'a str>| name.filter(|name| !name.is_empty()).map(str::as_bytes);
        ScopePart {
            project: named(self.project.as_deref()),
            user: user.map(str::as_bytes).or(named(self.user.as_deref())),
        }
    }
}

enum Whole {
    /// That of a caller.
    Caller(Caller),
    /// This one, by name.
    Named(String),
    /// This one, which the store has.
    Known(Scope),
}

/// What the command line says of a caller's credentials.
#[derive(Debug, Args)]
pub(super) struct CallerArguments {
    /// Environment variable that holds the key which the application sends with its requests.
    #[arg(long, value_name = "VARIABLE", visible_alias = "api-key-env", conflicts_with = "scope")]
    key_env: Option<String>,
    /// Header in which the application sends that key; in `authorization` as a bearer token.
    #[arg(long, value_name = "HEADER", default_value = "authorization", requires = "key_env")]
    key_header: String,
    /// Another credential that the application sends besides, such as api-key=TEAM_KEY: the header's name, and the environment
    /// variable that holds its whole value. May be given several times, since a memory belongs to all credentials together.
    #[arg(long, value_name = "HEADER=VARIABLE", conflicts_with = "scope")]
    header_env: Vec<String>,
    /// A header that the application sends and that is no secret, such as 'x-mainpoint-user: ann'. May be given several times. Without
    /// --url only headers count that tell whose memory it is.
    #[arg(long, value_name = "NAME: VALUE", conflicts_with = "scope")]
    header: Vec<String>,
    /// Who the application's requests are by where identity.from says so: the name that the gateway sets, the name of a key of this
    /// proxy, or for tokens CLAIM=VALUE, once for each claim of identity.claims.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scope", "key_env", "header_env", "header"])]
    identity: Vec<String>,
}

impl CallerArguments {
    /// The caller who sends these credentials, or is called so; without either the one without a key.
    ///
    /// # Errors
    /// [`CliError::Argument`] when a header is no credential, a variable is not set or holds what no header can carry, or callers are
    /// told otherwise than was said.
    pub(super) fn caller(&self, config: &Config, is_scope_named: bool) -> Result<Caller, CliError> {
        if !self.identity.is_empty() {
            let known = identity::named(&config.identity, &self.identity);
            return known
                .map(Caller::known_as)
                .map_err(|reason| refused("--identity", &self.identity.join(" "), &reason));
        }
        if config.identity.from != IdentityFrom::Credentials && !is_scope_named {
            let from = config.identity.from.label();
            return Err(CliError::Argument(format!(
                "identity.from is {from:?}, so that no request finds the memory of a key: expected --identity or --scope"
            )));
        }
        let callers = &CallerHeaders::new(&config.memory);
        let mut caller = Caller::default();
        if let Some(variable) = &self.key_env {
            let header = self.key_header.as_str();
            let name = credential(callers, header).map_err(|reason| refused("--key-header", header, &reason))?;
            let refused = |reason: &str| refused("--key-env", variable, reason);
            let key = variable_of(variable).ok_or_else(|| refused(UNSET))?;
            caller = Caller::with_key(name, &key).ok_or_else(|| refused(UNUSABLE))?;
        }
        for pair in &self.header_env {
            let refused = |reason: &str| refused("--header-env", pair, reason);
            let (header, variable) =
                pair.split_once('=').ok_or_else(|| refused("expected HEADER=VARIABLE, such as x-team-key=TEAM_KEY"))?;
            let name = credential(callers, header).map_err(|reason| refused(&reason))?;
            let value = variable_of(variable).ok_or_else(|| refused(UNSET))?;
            caller = caller.and(name, &value).ok_or_else(|| refused(UNUSABLE))?;
        }
        for (name, value) in &self.named_headers()? {
            if callers.is_credential(name) {
                let refused = || refused("--header", name.as_str(), UNUSABLE);
                let text = value.to_str().map_err(|_| refused())?;
                caller = caller.and(name.clone(), text).ok_or_else(refused)?;
            }
        }
        Ok(caller)
    }

    /// Which part of a memory is meant: what was `said` by options of its own, or by the headers of user and project.
    ///
    /// # Errors
    /// [`CliError::Argument`] when a header cannot be sent, or says what an option says as well.
    pub(super) fn division(&self, config: &Config, said: &Division) -> Result<Division, CliError> {
        let headers = self.named_headers()?;
        let of = |option: &str, header: &HeaderName, said: Option<&String>| {
            let mut lines = headers.get_all(header).iter();
            match (lines.next(), lines.next(), said) {
                (None, ..) => Ok(said.cloned()),
                (Some(line), None, None) => Ok(Some(String::from_utf8_lossy(line.as_bytes()).into_owned())),
                _ => {
                    Err(refused("--header", header.as_str(), &format!("it came before; expected it once, or {option}")))
                }
            }
        };
        Ok(Division {
            project: of("--project", &config.memory.project_header, said.project.as_ref())?,
            user: of("--user", &config.memory.user_header, said.user.as_ref())?,
        })
    }

    /// The headers that are neither credentials nor name a user or a project: only a running proxy knows what they are for.
    ///
    /// # Errors
    /// [`CliError::Argument`] when a header cannot be sent.
    pub(super) fn other_headers(&self, config: &Config) -> Result<HeaderMap, CliError> {
        let callers = CallerHeaders::new(&config.memory);
        let mut headers = self.named_headers()?;
        let is_known = |name: &&HeaderName| {
            callers.is_credential(name) || [&config.memory.user_header, &config.memory.project_header].contains(name)
        };
        for name in headers.keys().filter(is_known).cloned().collect::<Vec<_>>() {
            headers.remove(name);
        }
        Ok(headers)
    }

    /// Makes sure that every header says whose memory it is, where no proxy is asked.
    ///
    /// # Errors
    /// [`CliError::Argument`] for one that does not.
    pub(super) fn ensure_telling(&self, config: &Config) -> Result<(), CliError> {
        match self.other_headers(config)?.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(refused("--header", name.as_str(), "without --url it tells nothing of whose memory is meant"))
            }
        }
    }

    /// What --header says.
    fn named_headers(&self) -> Result<HeaderMap, CliError> {
        let mut headers = HeaderMap::new();
        for line in &self.header {
            // What is no name of a header may be a secret, and so may what stands behind the name.
            let unnamed = || CliError::Argument(format!("--header (its value is not shown): {NAME_AND_VALUE}"));
            let (name, value) = line.split_once(':').ok_or_else(unnamed)?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| unnamed())?;
            let refused = |reason: &str| refused("--header", name.as_str(), reason);
            let value = HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| refused(UNUSABLE))?;
            if value.is_empty() {
                return Err(refused(NAME_AND_VALUE));
            }
            headers.append(name, value);
        }
        Ok(headers)
    }

    /// Whether anything says who the caller is.
    pub(super) fn is_given(&self) -> bool {
        self.key_env.is_some() || !self.header_env.is_empty() || !self.header.is_empty() || !self.identity.is_empty()
    }
}

const UNSET: &str = "the environment variable is not set; it must hold the key";
const NAME_AND_VALUE: &str = "expected 'NAME: VALUE', such as 'x-mainpoint-user: ann'";
const UNUSABLE: &str = "it holds a character that no header can carry; it must hold the key alone";

fn variable_of(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A header that counts when callers are told apart. Any other would make a memory that no request finds.
fn credential(callers: &CallerHeaders, header: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(header.as_bytes()).ok();
    name.filter(|name| callers.is_credential(name)).ok_or_else(|| {
        format!("{header} is no header that tells callers apart; such are authorization, api-key, and those in memory.credential_headers")
    })
}

fn refused(option: &str, value: &str, reason: &str) -> CliError {
    CliError::Argument(format!("{option} {value}: {reason}"))
}

impl Owner {
    /// The caller, or the scope that is `named`, as it is divided.
    pub(super) fn new(preparer: &RequestPreparer, caller: Caller, named: Option<&str>, division: Division) -> Self {
        Self {
            keys: Arc::clone(&preparer.keys),
            callers: preparer.callers.clone(),
            whole: match named {
                Some(name) => Whole::Named(name.to_owned()),
                None => Whole::Caller(caller),
            },
            division,
        }
    }

    /// The same owner, once it is certain that the store has the scope that was named.
    ///
    /// # Errors
    /// [`CliError::Argument`] when it has not, or when it is such a part already that it cannot be divided as asked for.
    pub(super) async fn existing(self, store: &Store) -> Result<Self, CliError> {
        let Whole::Named(name) = &self.whole else {
            return Ok(self);
        };
        let known = named_scope(name, store.scopes().await?)?;
        if let Some(reason) = indivisible(&known, self.division.part(None)) {
            return Err(CliError::Argument(reason));
        }
        Ok(Self { whole: Whole::Known(known), ..self })
    }

    /// The scope of a line that names this user, or none.
    ///
    /// # Errors
    /// In words, when the user's scope cannot be made.
    pub(super) fn scope(&self, user: Option<&str>) -> Result<Scope, String> {
        let part = self.division.part(user);
        let whole = match &self.whole {
            Whole::Caller(caller) => {
                let scope = caller.scope(&self.keys, &self.callers, part);
                return scope.map_err(|error| error.to_string());
            }
            Whole::Named(name) => Scope::new(name.clone()).map_err(|error| error.to_string())?,
            Whole::Known(scope) => scope.clone(),
        };
        match indivisible(&whole, part) {
            Some(reason) => Err(reason),
            None => self.keys.of_part(&whole, part).map_err(|error| error.to_string()),
        }
    }
}

/// Why a scope cannot be divided so, in words.
fn indivisible(scope: &Scope, part: ScopePart<'_>) -> Option<String> {
    let Indivisible { by, name, belongs_to } = Indivisible::find(scope, part)?;
    Some(format!(
        "{} = {name:?}; expected none: --scope {scope} is one {}'s part of a memory already and cannot be divided so again",
        by.label(),
        belongs_to.label()
    ))
}
