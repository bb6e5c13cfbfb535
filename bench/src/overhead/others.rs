//! How the proxies of others are started: nginx, Portkey's gateway on Node.js, LiteLLM and Headroom in virtual environments of
//! their own, each as `bench/compare/start.sh` says.

use std::path::PathBuf;
use std::process::Command;

use super::arm::Arm;
use super::bodies::MODEL;
use super::destination::Destination;
use super::process::{Place, Recipe, free_port};
use crate::{BenchError, Failing};

/// How a proxy of others is started, on a free port.
pub(super) fn recipe(place: &Place, arm: Arm) -> Result<Recipe, BenchError> {
    let port = free_port()?;
    let script = place.pins.join("start.sh").display().to_string();
    let environment = vec![
        ("PORT", port.to_string()),
        ("UPSTREAM", place.upstream.clone()),
        ("INSTALLED", place.installed.display().to_string()),
        ("DIRECTORY", place.directory.display().to_string()),
        ("MODEL", MODEL.to_owned()),
    ];
    let command = Command::new("sh").args([&script, arm.name(), "--version"]).envs(environment.clone()).output();
    let said = command.because(format!("{} cannot be asked for its version", arm.name()))?;
    if !said.status.success() {
        return Err(BenchError::program(arm.name(), String::from_utf8_lossy(&said.stderr).trim()));
    }
    let mut destination = Destination::at(format!("http://127.0.0.1:{port}/v1"));
    if arm == Arm::Portkey {
        destination = destination.with("x-portkey-provider", "openai").with("x-portkey-custom-host", &place.upstream);
    }
    Ok(Recipe {
        program: PathBuf::from("/bin/sh"),
        arguments: vec![script, arm.name().to_owned()],
        environment,
        destination,
        version: String::from_utf8_lossy(&said.stdout).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::locate;

    /// A place where nothing is installed.
    fn bare(directory: &Path) -> Place {
        Place {
            upstream: "http://127.0.0.1:4/v1".to_owned(),
            installed: directory.to_owned(),
            pins: locate::bench().join("compare"),
            directory: directory.to_owned(),
        }
    }

    /// A virtual environment with a program that says how it was started.
    fn install(directory: &Path, name: &str, package: &str) {
        let home = directory.join(name);
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::fs::create_dir_all(home.join("lib/python3.99/site-packages")).unwrap();
        let program = home.join("bin").join(name);
        std::fs::write(&program, "#!/bin/sh\necho \"$@\" $TIKTOKEN_CACHE_DIR\n").unwrap();
        assert!(Command::new("chmod").arg("+x").arg(program).status().unwrap().success());
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
        let [litellm, headroom] = [Arm::LiteLlm, Arm::Headroom].map(|arm| {
            let recipe = recipe(&bare(directory.path()), arm).unwrap();
            assert_eq!(recipe.version, "1.2.3");
            let output = Command::new(recipe.program).args(recipe.arguments).envs(recipe.environment).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        });
        let configuration = directory.path().join("litellm.yaml");
        assert!(litellm.contains(&configuration.display().to_string()), "{litellm}");
        let text = std::fs::read_to_string(configuration).unwrap();
        assert!(text.contains("http://127.0.0.1:4/v1"), "{text}");
        assert!(headroom.contains("--openai-api-url http://127.0.0.1:4/v1"), "{headroom}");
        let vocabularies = "lib/python3.99/site-packages/litellm/litellm_core_utils/tokenizers";
        assert!(headroom.trim_end().ends_with(vocabularies), "{headroom}");
    }
}
