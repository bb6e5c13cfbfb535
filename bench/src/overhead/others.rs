//! How the proxies of others are started: nginx, Portkey's gateway on Node.js, LiteLLM and Headroom in virtual environments of
//! their own.
//!
//! It must not know what is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::bodies::MODEL;
use super::destination::{Destination, authority};
use super::process::{Place, Recipe, free_port};
use super::targets::Arm;
use crate::{BenchError, Failing};

const NGINX: &str = include_str!("../../compare/nginx.conf");

/// How a proxy of others is started, on a free port.
pub(super) fn recipe(place: &Place, arm: Arm) -> Result<Recipe, BenchError> {
    match arm {
        Arm::Nginx => nginx(place),
        Arm::Portkey => portkey(place),
        Arm::LiteLlm => litellm(place),
        Arm::Headroom => headroom(place),
        Arm::Direct | Arm::Mainpoint | Arm::Memory => Err(BenchError::program(arm.name(), "it is our own")),
    }
}

/// nginx as a plain reverse proxy: a worker for each core, no buffers, kept connections to the upstream.
fn nginx(place: &Place) -> Result<Recipe, BenchError> {
    let program = find("nginx").ok_or_else(|| not_installed(Arm::Nginx))?;
    let directory = place.directory.join("nginx");
    std::fs::create_dir_all(&directory).when_writing(&directory)?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let file = directory.join("nginx.conf");
    let text = NGINX.replace("ADDRESS", &address).replace("UPSTREAM", authority(&place.upstream));
    std::fs::write(&file, text).when_writing(&file)?;
    // It says what it is on standard error, such as `nginx version: nginx/1.22.1`.
    let said = Command::new(&program).arg("-v").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    let prefix = format!("{}/", directory.display());
    Ok(Recipe {
        program,
        arguments: owned(&["-e", "stderr", "-c", "nginx.conf", "-p", &prefix]),
        environment: Vec::new(),
        destination: Destination::at(format!("http://{address}/v1")),
        version: said.unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned(),
    })
}

/// `node --require loopback.cjs …/start-server.js --port=PORT --headless`. Each request names the upstream in a header.
fn portkey(place: &Place) -> Result<Recipe, BenchError> {
    let package = place.installed.join("portkey/node_modules/@portkey-ai/gateway");
    let server = package.join("build/start-server.js");
    let node = find("node").filter(|_| server.is_file());
    let program = node.ok_or_else(|| not_installed(Arm::Portkey))?;
    let port = free_port()?;
    let loopback = place.pins.join("portkey/loopback.cjs").display().to_string();
    let manifest = std::fs::read_to_string(package.join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
    let (server, port_argument) = (server.display().to_string(), format!("--port={port}"));
    Ok(Recipe {
        program,
        arguments: owned(&["--require", &loopback, &server, &port_argument, "--headless"]),
        environment: vec![("NODE_ENV", "production".to_owned())],
        destination: loopback_at(port)
            .with("x-portkey-provider", "openai")
            .with("x-portkey-custom-host", &place.upstream),
        version: manifest["version"].as_str().unwrap_or_default().to_owned(),
    })
}

/// `litellm --config FILE --host 127.0.0.1 --port PORT --num_workers 1 --telemetry False`.
fn litellm(place: &Place) -> Result<Recipe, BenchError> {
    let home = place.installed.join("litellm");
    let program = installed(&home, "litellm").ok_or_else(|| not_installed(Arm::LiteLlm))?;
    let file = place.directory.join("litellm.yaml");
    // YAML that every JSON reader could read, too.
    let configuration = json!({
        "model_list": [{
            "model_name": MODEL,
            "litellm_params": {"model": format!("openai/{MODEL}"), "api_base": place.upstream, "api_key": "none"},
        }],
        "litellm_settings": {"telemetry": false},
    });
    std::fs::write(&file, configuration.to_string()).when_writing(&file)?;
    let (file, port) = (file.display().to_string(), free_port()?);
    let listen = ["--host", "127.0.0.1", "--port", &port.to_string()];
    Ok(Recipe {
        program,
        arguments: owned(
            &[&["--config", &file], &listen[..], &["--num_workers", "1", "--telemetry", "False"]].concat(),
        ),
        environment: vec![
            // It looks for prices on the network unless told not to, and for a file with secrets unless in production.
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True".to_owned()),
            ("LITELLM_MODE", "PRODUCTION".to_owned()),
            ("LITELLM_LOG", "ERROR".to_owned()),
        ],
        destination: loopback_at(port),
        version: version(&home, "litellm"),
    })
}

/// `headroom proxy --host 127.0.0.1 --port PORT --openai-api-url URL --no-cache --no-rate-limit`, offline. Its cache
/// would answer the same request without asking the upstream.
fn headroom(place: &Place) -> Result<Recipe, BenchError> {
    let home = place.installed.join("headroom");
    let program = installed(&home, "headroom").ok_or_else(|| not_installed(Arm::Headroom))?;
    let port = free_port()?;
    let listen = ["proxy", "--host", "127.0.0.1", "--port", &port.to_string()];
    let rest = ["--openai-api-url", &place.upstream, "--no-cache", "--no-rate-limit"];
    // The vocabularies of OpenAI's models come with a package that it depends on; without them it looks on the network
    // at every request.
    let vocabularies = packages(&home).join("litellm/litellm_core_utils/tokenizers");
    Ok(Recipe {
        program,
        arguments: owned(&[&listen[..], &rest].concat()),
        environment: vec![
            ("HEADROOM_OFFLINE", "1".to_owned()),
            ("TIKTOKEN_CACHE_DIR", vocabularies.display().to_string()),
        ],
        destination: loopback_at(port),
        version: version(&home, "headroom-ai"),
    })
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

fn loopback_at(port: u16) -> Destination {
    Destination::at(format!("http://127.0.0.1:{port}/v1"))
}

/// The program in the search path, or where servers are.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut candidates = std::env::split_paths(&path).chain(servers).map(|directory| directory.join(program));
    candidates.find(|candidate| candidate.is_file())
}

fn not_installed(arm: Arm) -> BenchError {
    BenchError::program(arm.name(), "it is not installed; scripts/install-load-tools.sh does that")
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
    let mut versions = versions.map(|entry| entry.path().join("site-packages"));
    versions.find(|path| path.is_dir()).unwrap_or_else(|| library.join("site-packages"))
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
    use super::*;

    /// A place where nothing is installed.
    fn bare(directory: &Path) -> Place {
        Place {
            upstream: "http://127.0.0.1:4/v1".to_owned(),
            installed: directory.to_owned(),
            pins: directory.to_owned(),
            directory: directory.to_owned(),
        }
    }

    fn install(directory: &Path, name: &str, package: &str) {
        let home = directory.join(name);
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::fs::create_dir_all(home.join("lib/python3.99/site-packages")).unwrap();
        std::fs::write(home.join("bin").join(name), "").unwrap();
        let pins = format!("# a comment\nother==9 \\\n{package}==1.2.3 \\\n    --hash=sha256:00\n");
        std::fs::write(home.join("requirements.txt"), pins).unwrap();
    }

    #[test]
    fn what_is_not_installed_says_how_to_install_it() {
        let directory = tempfile::tempdir().unwrap();
        for arm in [Arm::Portkey, Arm::LiteLlm, Arm::Headroom] {
            let error = recipe(&bare(directory.path()), arm).map(drop).unwrap_err().to_string();
            let expected = "it is not installed; scripts/install-load-tools.sh does that";
            assert_eq!(error, format!("{}: {expected}", arm.name()));
        }
    }

    #[test]
    fn programs_in_virtual_environments_are_told_the_upstream_and_have_the_pinned_version() {
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "litellm", "litellm");
        install(directory.path(), "headroom", "headroom-ai");
        let [litellm, headroom] =
            [Arm::LiteLlm, Arm::Headroom].map(|arm| recipe(&bare(directory.path()), arm).unwrap());
        assert_eq!((litellm.version.as_str(), headroom.version.as_str()), ("1.2.3", "1.2.3"));
        let text = std::fs::read_to_string(&litellm.arguments[1]).unwrap();
        assert!(text.contains("http://127.0.0.1:4/v1"), "{text}");
        assert!(headroom.arguments.contains(&"http://127.0.0.1:4/v1".to_owned()));
        let vocabularies = &headroom.environment[1].1;
        assert!(vocabularies.ends_with("lib/python3.99/site-packages/litellm/litellm_core_utils/tokenizers"));
    }
}
