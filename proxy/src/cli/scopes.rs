//! Which of a store's scopes a command means.

use mainpoint_store::{Scope, ScopeOverview, Store};

use super::CliError;
use crate::config::Config;
use crate::error::StartError;

/// Makes sure that there is a store, so that asking for what it holds does not make one.
pub(super) fn ensure_store(config: &Config) -> Result<(), CliError> {
    let directory = &config.store.directory;
    match Store::is_there(directory).map_err(|source| StartError::Store { source })? {
        true => Ok(()),
        false => Err(CliError::NoStore { directory: directory.clone() }),
    }
}

/// The scope of this name, or without a name the only one; `None` without a name where there is none at all.
pub(super) async fn choose_scope(named: Option<&str>, store: &Store) -> Result<Option<Scope>, CliError> {
    match named {
        Some(name) => named_scope(name, store.scopes().await?).map(Some),
        None => only_scope(store.scope_overviews().await?),
    }
}

/// The only scope; `None` where there is none at all.
fn only_scope(mut scopes: Vec<ScopeOverview>) -> Result<Option<Scope>, CliError> {
    if scopes.len() < 2 {
        return Ok(scopes.pop().map(|overview| overview.scope));
    }
    let described = scopes.iter().map(|overview| {
        let ScopeOverview { scope, turns, conversations, first_time, last_time } = overview;
        let (first, last) = (first_time.format("%Y-%m-%d"), last_time.format("%Y-%m-%d"));
        format!("\n  {scope}  turns: {turns}, conversations: {conversations}, from {first} to {last}")
    });
    let described: String = described.collect();
    Err(CliError::Argument(format!("the store holds {} scopes; choose one with --scope:{described}", scopes.len())))
}

/// The scope of this name.
pub(super) fn named_scope(name: &str, scopes: Vec<Scope>) -> Result<Scope, CliError> {
    let known = if scopes.is_empty() { "no memories yet".to_owned() } else { list(&scopes) };
    let unknown = || CliError::Argument(format!("--scope {name}: the store does not have this scope; it has: {known}"));
    scopes.into_iter().find(|scope| scope.as_str() == name).ok_or_else(unknown)
}

fn list(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use chrono::DateTime;

    use super::*;

    #[test]
    fn the_only_scope_needs_no_name_and_a_name_must_be_one_that_is_there() {
        let scopes = |names: &[&str]| names.iter().map(|name| Scope::new(*name).unwrap()).collect::<Vec<_>>();
        let time = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        let overviews = |names: &[&str]| {
            let overview = |scope| {
                let (first_time, last_time) = (time(1), time(33));
                ScopeOverview { scope, turns: 12, conversations: 3, first_time, last_time }
            };
            scopes(names).into_iter().map(overview).collect::<Vec<_>>()
        };
        assert_eq!(only_scope(overviews(&["a"])).unwrap(), Some(Scope::new("a").unwrap()));
        assert_eq!(only_scope(Vec::new()).unwrap(), None);
        assert_eq!(named_scope("b", scopes(&["a", "b"])).unwrap(), Scope::new("b").unwrap());
        let several = only_scope(overviews(&["a", "b"])).unwrap_err();
        let described = "turns: 12, conversations: 3, from 1970-01-02 to 1970-02-03";
        let expected =
            format!("the store holds 2 scopes; choose one with --scope:\n  a  {described}\n  b  {described}");
        assert_eq!(several.to_string(), expected);
        let unknown = |known: &[&str]| named_scope("b", scopes(known)).unwrap_err();
        for (error, said) in
            [(unknown(&["a"]), "it has: a"), (unknown(&[]), "it has: no memories yet"), (several, described)]
        {
            assert_eq!(error.exit_status().code(), 64);
            assert!(error.to_string().ends_with(said), "{error}");
        }
    }
}
