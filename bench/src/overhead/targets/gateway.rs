//! Portkey's AI gateway on Node.js.
//!
//! It must not know what is measured.

use super::{Place, find, free_port, not_installed};
use crate::BenchError;
use crate::overhead::arms::Arm;
use crate::overhead::destination::Destination;
use crate::overhead::process::Recipe;

/// `node --require loopback.cjs …/start-server.js --port=PORT --headless` on a free port. Each request names the
/// upstream in a header.
///
/// # Errors
/// [`BenchError::Program`] if it is not installed.
pub(super) fn recipe(place: &Place<'_>) -> Result<Recipe, BenchError> {
    let package = place.installed.join("portkey/node_modules/@portkey-ai/gateway");
    let server = package.join("build/start-server.js");
    let node = find("node").filter(|_| server.is_file());
    let program = node.ok_or_else(|| not_installed(Arm::Portkey))?;
    let port = free_port()?;
    let loopback = place.pins.join("portkey/loopback.cjs");
    let manifest = std::fs::read_to_string(package.join("package.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
    Ok(Recipe {
        program,
        arguments: vec![
            "--require".to_owned(),
            loopback.display().to_string(),
            server.display().to_string(),
            format!("--port={port}"),
            "--headless".to_owned(),
        ],
        environment: vec![("NODE_ENV", "production".to_owned())],
        destination: Destination::at(format!("http://127.0.0.1:{port}/v1"))
            .with("x-portkey-provider", "openai")
            .with("x-portkey-custom-host", place.upstream),
        version: manifest["version"].as_str().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::super::tests::bare;
    use super::*;

    #[test]
    fn requests_name_the_upstream_and_the_version_is_that_of_the_package() {
        if find("node").is_none() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("portkey/node_modules/@portkey-ai/gateway");
        std::fs::create_dir_all(package.join("build")).unwrap();
        std::fs::write(package.join("build/start-server.js"), "").unwrap();
        std::fs::write(package.join("package.json"), r#"{"version": "1.2.3"}"#).unwrap();
        let recipe = recipe(&bare(directory.path())).unwrap();
        assert_eq!(recipe.version, "1.2.3");
        let host = ("x-portkey-custom-host", "http://127.0.0.1:4/v1".to_owned());
        assert!(recipe.destination.headers().contains(&host));
    }
}
