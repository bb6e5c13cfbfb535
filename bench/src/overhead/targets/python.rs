//! The proxies that are Python programs, each in a virtual environment of its own: LiteLLM and Headroom.
//!
//! It must not know what is measured.

use std::path::{Path, PathBuf};

use super::{Place, free_port, not_installed};
use crate::BenchError;
use crate::overhead::arms::Arm;
use crate::overhead::bodies::MODEL;
use crate::overhead::destination::Destination;
use crate::overhead::process::Recipe;

/// `litellm --config FILE --host 127.0.0.1 --port PORT --num_workers 1 --telemetry False`.
///
/// # Errors
/// [`BenchError::Program`] if it is not installed, [`BenchError::Write`] if its configuration cannot be written.
pub(super) fn litellm(place: &Place<'_>) -> Result<Recipe, BenchError> {
    let home = place.installed.join("litellm");
    let program = installed(&home, "litellm").ok_or_else(|| not_installed(Arm::LiteLlm))?;
    let file = place.directory.join("litellm.yaml");
    std::fs::write(&file, configuration(place.upstream)).map_err(BenchError::writing(&file))?;
    let file = file.display().to_string();
    let port = free_port()?;
    let arguments = [
        "--config",
        &file,
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--num_workers",
        "1",
        "--telemetry",
        "False",
    ];
    Ok(Recipe {
        program,
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: vec![
            // It looks for prices on the network unless told not to, and for a file with secrets unless in production.
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True".to_owned()),
            ("LITELLM_MODE", "PRODUCTION".to_owned()),
            ("LITELLM_LOG", "ERROR".to_owned()),
        ],
        destination: Destination::at(format!("http://127.0.0.1:{port}/v1")),
        version: version(&home, "litellm"),
    })
}

/// `headroom proxy --host 127.0.0.1 --port PORT --openai-api-url URL --no-cache --no-rate-limit`, offline. Its cache
/// would answer the same request without asking the upstream.
///
/// # Errors
/// [`BenchError::Program`] if it is not installed.
pub(super) fn headroom(place: &Place<'_>) -> Result<Recipe, BenchError> {
    let home = place.installed.join("headroom");
    let program = installed(&home, "headroom").ok_or_else(|| not_installed(Arm::Headroom))?;
    let port = free_port()?;
    let arguments = [
        "proxy",
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--openai-api-url",
        place.upstream,
        "--no-cache",
        "--no-rate-limit",
    ];
    // The vocabularies of OpenAI's models come with a package that it depends on; without them it looks on the network
    // at every request.
    let vocabularies = packages(&home).join("litellm/litellm_core_utils/tokenizers");
    Ok(Recipe {
        program,
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: vec![
            ("HEADROOM_OFFLINE", "1".to_owned()),
            ("TIKTOKEN_CACHE_DIR", vocabularies.display().to_string()),
        ],
        destination: Destination::at(format!("http://127.0.0.1:{port}/v1")),
        version: version(&home, "headroom-ai"),
    })
}

/// YAML that every JSON reader could read, too.
fn configuration(upstream: &str) -> String {
    serde_json::json!({
        "model_list": [{
            "model_name": MODEL,
            "litellm_params": {"model": format!("openai/{MODEL}"), "api_base": upstream, "api_key": "none"},
        }],
        "litellm_settings": {"telemetry": false},
    })
    .to_string()
}

/// The program of a virtual environment that was filled to its end.
fn installed(home: &Path, program: &str) -> Option<PathBuf> {
    let program = home.join("bin").join(program);
    (home.join("requirements.txt").is_file() && program.is_file()).then_some(program)
}

/// Where a virtual environment keeps its packages.
fn packages(home: &Path) -> PathBuf {
    let library = home.join("lib");
    let versions = std::fs::read_dir(&library).into_iter().flatten().flatten();
    let version = versions
        .map(|entry| entry.path())
        .find(|path| path.join("site-packages").is_dir());
    version.unwrap_or(library).join("site-packages")
}

/// The version that the requirements pin.
fn version(home: &Path, package: &str) -> String {
    let text = std::fs::read_to_string(home.join("requirements.txt")).unwrap_or_default();
    let pinned = |line: &str| {
        let rest = line.strip_prefix(package)?.strip_prefix("==")?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    text.lines().find_map(pinned).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::super::tests::bare;
    use super::*;

    fn install(directory: &Path, name: &str, package: &str) {
        let home = directory.join(name);
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::fs::create_dir_all(home.join("lib/python3.99/site-packages")).unwrap();
        std::fs::write(home.join("bin").join(name), "").unwrap();
        let pins = format!("# a comment\nother==9 \\\n{package}==1.2.3 \\\n    --hash=sha256:00\n");
        std::fs::write(home.join("requirements.txt"), pins).unwrap();
    }

    #[test]
    fn litellm_is_told_the_upstream_and_has_the_pinned_version() {
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "litellm", "litellm");
        let recipe = litellm(&bare(directory.path())).unwrap();
        assert_eq!(recipe.version, "1.2.3");
        let text = std::fs::read_to_string(&recipe.arguments[1]).unwrap();
        assert!(text.contains("http://127.0.0.1:4/v1"), "{text}");
    }

    #[test]
    fn headroom_counts_tokens_without_a_network() {
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "headroom", "headroom-ai");
        let recipe = headroom(&bare(directory.path())).unwrap();
        assert_eq!(recipe.version, "1.2.3");
        let vocabularies = &recipe.environment[1].1;
        assert!(vocabularies.ends_with("lib/python3.99/site-packages/litellm/litellm_core_utils/tokenizers"));
    }
}
