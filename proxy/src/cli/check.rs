//! `mainpoint serve --check`: says of each part whether a start would find it in order.
//!
//! No model is loaded, and nothing on disk is changed.

use std::io::{self, Write};
use std::path::Path;

use mainpoint_engine::{EncoderDescription, describe_chat, describe_encoder};
use mainpoint_store::Examination;

use super::CliError;
use crate::app;
use crate::config::{Config, IdentityFrom, Mode};
use crate::error::StartError;
use crate::exit::one_line;
use crate::http::identity::Identities;
use crate::models::{self, ModelPaths, ModelUse};
use crate::server;

/// Looks at everything that a start with this configuration needs, and shows a line for each part: on standard output if a start
/// would succeed, else on standard error.
///
/// # Errors
/// The first part that is not in order.
pub(super) async fn run(config: &Config, file: Option<&Path>) -> Result<(), CliError> {
    let mut report = Report::default();
    let place = file.map_or_else(|| "the defaults, without a file".to_owned(), |file| file.display().to_string());
    let notes = config.ignored.iter().map(|key| format!("; {key}"));
    report.add("configuration", Ok(std::iter::once(place).chain(notes).collect()));
    if config.server.tls_certificate.is_some() {
        report.add("tls", tls(config));
    }
    if config.identity.from != IdentityFrom::Credentials {
        report.add("identity", identity(config));
    }
    let relays_only = config.memory.mode == Mode::Off && config.upstream.url.is_some();
    if relays_only {
        report.add(ModelUse::Reader.key(), Ok("not needed (memory.mode = \"off\")".to_owned()));
    } else {
        check_parts(config, &mut report).await;
    }
    report.show()
}

async fn check_parts(config: &Config, report: &mut Report) {
    let reader = reader(config);
    let seen = reader.as_ref().ok().map(|(paths, description)| (paths.clone(), description.width));
    report.add(ModelUse::Reader.key(), reader.map(|(_, found)| describe_reader(config, &found)));
    if config.upstream.url.is_none() {
        report.add(ModelUse::Chat.key(), chat(config));
    }
    if config.memory.mode != Mode::Off {
        report.add("store.directory", store(config, seen).await);
    }
}

/// Reads the certificate and its key, as a start does.
fn tls(config: &Config) -> Result<String, CliError> {
    server::tls::acceptor(&config.server)?;
    let certificate = config.server.tls_certificate.iter().map(|path| path.display().to_string()).collect::<String>();
    Ok(format!("clients are shown the certificate in {certificate}"))
}

/// Reads the keys that callers are told by, as a start does.
fn identity(config: &Config) -> Result<String, CliError> {
    Identities::open(config)?;
    Ok(format!("callers are told by {}", config.identity.from.label()))
}

fn reader(config: &Config) -> Result<(ModelPaths, EncoderDescription), CliError> {
    let (reader, reader_sha256) = models::examine(&config.models, ModelUse::Reader)?;
    let found = describe_encoder(&reader).map_err(|source| StartError::Engine { source })?;
    Ok((ModelPaths { reader, reader_sha256, chat: None }, found))
}

fn describe_reader(config: &Config, found: &EncoderDescription) -> String {
    let digest = digest(config, ModelUse::Reader);
    format!("{}, {}, {} numbers a vector{digest}", config.models.reader, found.architecture, found.width)
}

fn chat(config: &Config) -> Result<String, CliError> {
    let (path, _) = models::examine(&config.models, ModelUse::Chat)?;
    let architecture = describe_chat(&path).map_err(|source| StartError::Engine { source })?;
    Ok(format!("{}, {architecture}{}", config.models.chat, digest(config, ModelUse::Chat)))
}

fn digest(config: &Config, of: ModelUse) -> String {
    let configured = of.reference(&config.models).digest;
    configured.map_or_else(String::new, |_| format!(", SHA-256 as configured ({})", of.digest_key()))
}

/// What is said of the store, given the reader and the width of its vectors where it is in order.
async fn store(config: &Config, reader: Option<(ModelPaths, usize)>) -> Result<String, CliError> {
    let directory = config.store.directory.display();
    let Some((paths, width)) = reader else {
        app::check_directory(&config.store.directory)?;
        return Ok(format!("{directory} can be written; what is in it is looked at once the reader is in order"));
    };
    Ok(match app::examine_store(config, &paths, width).await? {
        Some(found) => describe_store(config, &found),
        None => format!("{directory} holds no store yet; the first start makes one"),
    })
}

fn describe_store(config: &Config, found: &Examination) -> String {
    let Examination { layout, turns, turns_waiting, .. } = found;
    let directory = config.store.directory.display();
    let notes = [
        (found.is_in_use, "a running mainpoint has it open"),
        (found.is_damaged, "some of its files are damaged, and a start moves them aside into broken/"),
    ];
    let notes: String = notes.iter().filter(|(holds, _)| *holds).map(|(_, note)| format!("; {note}")).collect();
    let waiting = super::waiting(*turns_waiting).map_or_else(String::new, |waiting| format!("; {waiting}"));
    format!("{directory}, layout version {layout}, turns stored: {turns}{waiting}{notes}")
}

/// What is said of each part.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    /// What is wrong, in the order of the lines.
    faults: Vec<CliError>,
}

impl Report {
    fn add(&mut self, part: &str, found: Result<String, CliError>) {
        let said = match found {
            Ok(said) => format!("in order: {said}"),
            Err(fault) => {
                let said = format!("NOT in order: {}", one_line(&fault));
                self.faults.push(fault);
                said
            }
        };
        self.lines.push(format!("{part:<15} {said}"));
    }

    fn show(self) -> Result<(), CliError> {
        let mut faults = self.faults.into_iter();
        let Some(first) = faults.next() else {
            return Ok(write_lines(&mut anstream::stdout(), &self.lines)?);
        };
        // What is wrong is said last, in the line that every command ends with.
        write_lines(&mut anstream::stderr(), &self.lines)?;
        Err(first)
    }
}

fn write_lines(output: &mut impl Write, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(output, "{line}"))
}
