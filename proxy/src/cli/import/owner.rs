//! Whose memory a history becomes: the same scopes that requests have.
//!
//! It must not know how scopes are made of keys.

use std::sync::Arc;

use mainpoint_store::{Scope, Store};

use super::super::CliError;
use super::super::search::choose_scope;
use crate::chat::prepare::Preparation;
use crate::chat::scope::{self, Caller, ScopeKey};

/// Whose memory it is, but for the user that a line may name.
pub(super) struct Owner {
    keys: Arc<ScopeKey>,
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

/// The caller with the key in `variable`, which it sends in `header`; without a variable the one without a key.
///
/// # Errors
/// [`CliError::Argument`] when the variable is not set or holds what no header can carry.
pub(super) fn caller(variable: Option<&str>, header: &str) -> Result<Caller, CliError> {
    let Some(variable) = variable else {
        return Ok(Caller::default());
    };
    let refused = |reason: &str| CliError::Argument(format!("--key-env {variable}: {reason}"));
    let key = std::env::var(variable).ok().filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| refused("the environment variable is not set; it must hold the key"))?;
    Caller::with_key(header, &key)
        .ok_or_else(|| refused("it holds a character that no header can carry; it must hold the key alone"))
}

impl Owner {
    /// The caller, or the scope of this name; `user` divides it.
    pub(super) fn of(preparation: &Preparation, caller: Caller, (named, user): (Option<&str>, Option<&str>)) -> Self {
        Self {
            keys: Arc::clone(&preparation.keys),
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
        let known = choose_scope(Some(name.as_str()), store.scopes().await?)?;
        if let Some(user) = self.user.as_deref().filter(|_| scope::is_users(&known)) {
            return Err(CliError::Argument(format!("--user {user}: {}", divided(&known))));
        }
        Ok(Self {
            whole: Whole::Known(known),
            ..self
        })
    }

    /// The scope of a line that names this user, or none.
    ///
    /// # Errors
    /// In words, when the user's scope cannot be made.
    pub(super) fn scope(&self, user: Option<&str>) -> Result<Scope, String> {
        let user = user.or(self.user.as_deref());
        let whole = match &self.whole {
            Whole::Caller(caller) => return caller.scope(&self.keys, user).map_err(|error| error.to_string()),
            Whole::Named(name) => Scope::new(name.clone()).map_err(|error| error.to_string())?,
            Whole::Known(scope) => scope.clone(),
        };
        match user {
            None => Ok(whole),
            Some(user) if scope::is_users(&whole) => {
                Err(format!("user = {user:?}; expected none: {}", divided(&whole)))
            }
            Some(user) => self.keys.of_user(&whole, user).map_err(|error| error.to_string()),
        }
    }
}

fn divided(scope: &Scope) -> String {
    format!("--scope {scope} is one user's part of a key's memory already and cannot be divided again")
}
