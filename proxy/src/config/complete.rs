//! What a value by itself cannot say: whether two keys go together, and what the environment gives.
//!
//! It must not know how a document is written, nor read anything but the environment variables that it is given.

use std::path::PathBuf;

use super::document::Document;
use super::models::{DIRECTORY_VARIABLE, default_directory};
use super::{Config, ConfigError, Environment, MemoryConfig, Place};
use crate::secret::Secret;

/// Takes over what the environment gives, and checks what depends on more than one key.
pub(super) fn complete(
    config: &mut Config,
    document: &Document<'_>,
    environment: Environment<'_>,
) -> Result<(), ConfigError> {
    let secrets = [
        ("upstream.api_key_env", &mut config.upstream.api_key),
        ("server.admin_token_env", &mut config.server.admin_token),
    ];
    for (key, secret) in secrets {
        if let Some(variable) = secret.take() {
            *secret = Some(secret_of(key, variable.expose(), document, environment)?);
        }
    }
    check_memory(&config.memory, document)?;
    let (key, directory) = ("models.directory", &mut config.models.directory);
    if environment(DIRECTORY_VARIABLE).is_some() || document.place_of(key) == Place::Default {
        *directory = default_directory(environment);
    } else {
        expand(key, directory, document, environment)?;
    }
    expand("store.directory", &mut config.store.directory, document, environment)
}

/// The secret that the environment variable `variable` holds, which `key` names.
fn secret_of(
    key: &str,
    variable: &str,
    document: &Document<'_>,
    environment: Environment<'_>,
) -> Result<Secret, ConfigError> {
    let value = environment(variable);
    let problem = match value.as_deref().map(str::trim) {
        None => "which is not set: set it, or remove the key",
        Some(secret) if !secret.is_empty() && secret.chars().all(|c| c.is_ascii_graphic()) => {
            return Ok(Secret::new(secret.to_owned()));
        }
        Some(_) => "whose value (not shown) cannot be sent in a header: expected visible ASCII characters only",
    };
    Err(ConfigError::Variable {
        place: document.place_of(key),
        key: key.to_owned(),
        variable: variable.to_owned(),
        problem,
    })
}

fn check_memory(memory: &MemoryConfig, document: &Document<'_>) -> Result<(), ConfigError> {
    let (memories, prompt) = ("memory.memory_tokens", "memory.budget_tokens");
    let (part, whole) = (memory.memory_tokens, memory.budget_tokens);
    if part >= whole {
        return Err(document.refuse(memories, part.to_string(), format!("less than {prompt}, which is {whole}")));
    }
    if memory.low_water >= memory.high_water {
        let allowed = format!("less than memory.high_water, which is {}", memory.high_water);
        return Err(document.refuse("memory.low_water", memory.low_water.to_string(), allowed));
    }
    if memory.credential_headers.contains(&memory.user_header) {
        let (key, user) = ("memory.credential_headers", &memory.user_header);
        let allowed =
            format!("a list of names of HTTP headers such as [\"x-team-key\"], without {user} (memory.user_header)");
        return Err(document.refuse(key, document.written(key), allowed));
    }
    Ok(())
}

/// Refuses an empty path, and puts the home directory in the place of `~`.
fn expand(
    key: &str,
    path: &mut PathBuf,
    document: &Document<'_>,
    environment: Environment<'_>,
) -> Result<(), ConfigError> {
    if path.as_os_str().is_empty() {
        return Err(document.refuse(key, "\"\"".to_owned(), "a path".to_owned()));
    }
    if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), environment("HOME")) {
        *path = PathBuf::from(home).join(rest);
    }
    Ok(())
}
