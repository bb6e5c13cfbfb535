//! What a value by itself cannot say: whether two keys go together, and what the environment gives.

use std::path::PathBuf;

use super::document::Document;
use super::identity::Misfit;
use super::models::{DIRECTORY_VARIABLE, default_directory};
use super::{Config, ConfigError, Environment, MemoryBound, MemoryConfig, Place, Secrets, ServerConfig};
use crate::secret::Secret;

/// Takes over what the environment gives, and checks what depends on more than one key.
pub(super) fn complete(
    config: &mut Config,
    document: &Document<'_>,
    environment: Environment<'_>,
) -> Result<(), ConfigError> {
    for (key, secret, misses) in [
        ("upstream.api_key_env", &mut config.upstream.api_key, no_header as fn(&str) -> Option<&'static str>),
        ("server.admin_token_env", &mut config.server.admin_token, no_header),
        ("identity.secret_env", &mut config.identity.secret, no_secret),
    ] {
        // What is not read stays the name of its variable until it is known that the keys go together.
        if let (Some(variable), Secrets::Read) = (&secret, environment.secrets) {
            *secret = Some(secret_of(key, variable.expose(), document, environment, misses)?);
        }
    }
    if environment.secrets == Secrets::Read {
        check_operator(&config.server, document)?;
    }
    check_bound(&config.server, document)?;
    check_memory(&config.memory, document)?;
    check_identity(config, document)?;
    if environment.secrets == Secrets::Unread {
        (config.upstream.api_key, config.server.admin_token, config.identity.secret) = (None, None, None);
    }
    check_tls(&config.server, document)?;
    for (key, file) in [
        ("identity.jwks_file", &mut config.identity.jwks_file),
        ("identity.keys_file", &mut config.identity.keys_file),
        (TLS_CERTIFICATE, &mut config.server.tls_certificate),
        (TLS_KEY, &mut config.server.tls_key),
    ] {
        if let Some(file) = file {
            expand(key, file, document, environment)?;
        }
    }
    let (key, directory) = ("models.directory", &mut config.models.directory);
    if environment.get(DIRECTORY_VARIABLE).is_some() || document.place_of(key) == Place::Default {
        *directory = default_directory(environment.variables);
    } else {
        expand(key, directory, document, environment)?;
    }
    expand("store.directory", &mut config.store.directory, document, environment)
}

/// The secret that the environment variable `variable` holds; `misses` says of one that cannot be used why.
fn secret_of(
    key: &'static str,
    variable: &str,
    document: &Document<'_>,
    environment: Environment<'_>,
    misses: fn(&str) -> Option<&'static str>,
) -> Result<Secret, ConfigError> {
    let value = environment.get(variable);
    let problem = match value.as_deref().map(str::trim) {
        None => "which is not set: set it, or remove the key",
        Some(secret) => match misses(secret) {
            None => return Ok(Secret::new(secret.to_owned())),
            Some(problem) => problem,
        },
    };
    Err(ConfigError::Variable {
        place: document.place_of(key),
        key: key.to_owned(),
        variable: variable.to_owned(),
        problem,
    })
}

fn no_header(key: &str) -> Option<&'static str> {
    let can_be_sent = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic());
    (!can_be_sent)
        .then_some("whose value (not shown) cannot be sent in a header: expected visible ASCII characters only")
}

/// A shorter one could be guessed from any token (RFC 7518, section 3.2).
fn no_secret(secret: &str) -> Option<&'static str> {
    (secret.len() < 32).then_some("whose value (not shown) is too short for HS256: expected at least 32 bytes")
}

/// Which keys of `[identity]` go together, and with those of other sections.
fn check_identity(config: &Config, document: &Document<'_>) -> Result<(), ConfigError> {
    match config.identity.misfit(&config.upstream, &config.memory) {
        Some(Misfit { key, allowed }) => Err(document.refuse(key, document.written(key), allowed)),
        None => Ok(()),
    }
}

/// Where others can connect, what is the operator's alone needs a token.
fn check_operator(server: &ServerConfig, document: &Document<'_>) -> Result<(), ConfigError> {
    if server.is_local() || server.admin_token.is_some() {
        return Ok(());
    }
    let allowed = "a loopback address such as \"127.0.0.1:8787\", or any with a token for the operator, since others can connect \
        there: name the environment variable that holds one in server.admin_token_env";
    Err(document.refuse("server.listen", format!("\"{}\"", server.listen), allowed.to_owned()))
}

/// A certificate is of no use without its key, nor a key without its certificate.
fn check_tls(server: &ServerConfig, document: &Document<'_>) -> Result<(), ConfigError> {
    let (key, other) = match (&server.tls_certificate, &server.tls_key) {
        (Some(_), None) => (TLS_CERTIFICATE, TLS_KEY),
        (None, Some(_)) => (TLS_KEY, TLS_CERTIFICATE),
        _ => return Ok(()),
    };
    let allowed = format!("a file in PEM together with {other}, which is not set: set both or neither");
    Err(document.refuse(key, document.written(key), allowed))
}

const TLS_CERTIFICATE: &str = "server.tls_certificate";
const TLS_KEY: &str = "server.tls_key";

/// Half of the bound is for bodies and what is made of them, and the largest may take half of that.
fn check_bound(server: &ServerConfig, document: &Document<'_>) -> Result<(), ConfigError> {
    let least = MemoryBound::new(server.max_body_bytes.saturating_mul(4));
    if server.max_memory >= least {
        return Ok(());
    }
    let allowed = format!("at least {least}, which is four times server.max_body_bytes ({})", server.max_body_bytes);
    let (key, written) = ("server.max_memory", document.written("server.max_memory"));
    Err(document.refuse(key, if written.is_empty() { server.max_memory.to_string() } else { written }, allowed))
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
    let own = [("memory.user_header", &memory.user_header), ("memory.project_header", &memory.project_header)];
    for (key, header) in own {
        if memory.credential_headers.contains(header) {
            let headers = "memory.credential_headers";
            let allowed = format!("a list of names of HTTP headers such as [\"x-team-key\"], without {header} ({key})");
            return Err(document.refuse(headers, document.written(headers), allowed));
        }
    }
    if memory.project_header == memory.user_header {
        let (key, user) = ("memory.project_header", &memory.user_header);
        let value = format!("\"{user}\"");
        return Err(document.refuse(key, value, "another header than memory.user_header".to_owned()));
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
    if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), environment.get("HOME")) {
        *path = PathBuf::from(home).join(rest);
    }
    Ok(())
}
