//! Whose memory a history becomes: the same scopes that requests have.
//!
//! It must not know how scopes are made of keys.

use std::sync::Arc;

use clap::Args;
use http::HeaderName;
use mainpoint_store::{Scope, Store};

use crate::cli::CliError;
use crate::cli::search::named_scope;
use crate::conversation::prepare::Preparation;
use crate::conversation::scope;
use crate::conversation::scope::{Caller, ScopeKey};
use crate::http::credentials::CallerHeaders;

/// Whose memory it is, but for the user that a line may name.
pub(in crate::cli) struct Owner {
    keys: Arc<ScopeKey>,
    callers: CallerHeaders,
    whole: Whole,
    user: Option<String>,
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
pub(in crate::cli) struct CallerArguments {
    /// Environment variable that holds the key which the application sends with its requests.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "scope")]
    key_env: Option<String>,
    /// Header in which the application sends that key; in `authorization` as a bearer token.
    #[arg(long, value_name = "HEADER", default_value = "authorization", requires = "key_env")]
    key_header: String,
    /// Another credential that the application sends besides, such as api-key=TEAM_KEY: the header's name, and the environment
    /// variable that holds its whole value. May be given several times, since a memory belongs to all credentials together.
    #[arg(long, value_name = "HEADER=VARIABLE", conflicts_with = "scope")]
    header_env: Vec<String>,
}

impl CallerArguments {
    /// The caller who sends these credentials; without any the one without a key.
    ///
    /// # Errors
    /// [`CliError::Argument`] when a header is no credential, or a variable is not set or holds what no header can carry.
    pub(in crate::cli) fn caller(&self, callers: &CallerHeaders) -> Result<Caller, CliError> {
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
        Ok(caller)
    }
}

impl CallerArguments {
    /// Whether any credential is named.
    pub(in crate::cli) fn is_given(&self) -> bool {
        self.key_env.is_some() || !self.header_env.is_empty()
    }
}

const UNSET: &str = "the environment variable is not set; it must hold the key";
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
    /// The caller, or the scope that is `named`; `user` divides it.
    pub(in crate::cli) fn new(
        preparation: &Preparation,
        caller: Caller,
        named: Option<&str>,
        user: Option<&str>,
    ) -> Self {
        Self {
            keys: Arc::clone(&preparation.keys),
            callers: preparation.callers.clone(),
            whole: match named {
                Some(name) => Whole::Named(name.to_owned()),
                None => Whole::Caller(caller),
            },
            user: user.filter(|user| !user.is_empty()).map(str::to_owned),
        }
    }

    /// The same owner, once it is certain that the store has the scope that was named.
    ///
    /// # Errors
    /// [`CliError::Argument`] when it has not, or when a user's part of a scope would have to be divided by `--user`.
    pub(super) async fn existing(self, store: &Store) -> Result<Self, CliError> {
        let Whole::Named(name) = &self.whole else {
            return Ok(self);
        };
        let known = named_scope(name, store.scopes().await?)?;
        if let Some(user) = self.user.as_deref().filter(|_| scope::is_users(&known)) {
            return Err(CliError::Argument(format!("--user {user}: {}", divided(&known))));
        }
        Ok(Self { whole: Whole::Known(known), ..self })
    }

    /// The scope of a line that names this user, or none.
    ///
    /// # Errors
    /// In words, when the user's scope cannot be made.
    pub(in crate::cli) fn scope(&self, user: Option<&str>) -> Result<Scope, String> {
        let user = user.or(self.user.as_deref());
        let whole = match &self.whole {
            Whole::Caller(caller) => {
                let scope = caller.scope(&self.keys, &self.callers, user);
                return scope.map_err(|error| error.to_string());
            }
            Whole::Named(name) => Scope::new(name.clone()).map_err(|error| error.to_string())?,
            Whole::Known(scope) => scope.clone(),
        };
        match user {
            None => Ok(whole),
            Some(user) if scope::is_users(&whole) => {
                Err(format!("user = {user:?}; expected none: {}", divided(&whole)))
            }
            Some(user) => self.keys.of_user(&whole, user.as_bytes()).map_err(|error| error.to_string()),
        }
    }
}

fn divided(scope: &Scope) -> String {
    format!("--scope {scope} is one user's part of a key's memory already and cannot be divided again")
}
