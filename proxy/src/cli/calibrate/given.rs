//! Heads that a head file names, instead of chosen ones.
//!
//! It must not know how heads are chosen.

use std::path::Path;

use mainpoint_engine::{Calibration, EngineError, Head, Survey};

use super::Chosen;
use crate::cli::CliError;

/// The heads of a file, by their positions among the surveyed ones.
///
/// # Errors
/// [`CliError::Argument`] if the file cannot be read, is no head file, is another model's, or names a head that is not
/// surveyed.
pub(super) fn heads(survey: &Survey, file: &Path) -> Result<Chosen, CliError> {
    let fail = |reason: String| CliError::Argument(format!("--heads {}: {reason}", file.display()));
    let sha256 = survey.calibration(&[], &[]).model_sha256;
    let found = Calibration::from_file(file, &sha256).map_err(|error| match error {
        EngineError::Calibration { reason, .. } => fail(reason),
        other => CliError::Engine(other),
    })?;
    let position = |head: &Head| {
        let position = survey.heads().iter().position(|surveyed| surveyed == head);
        position.ok_or_else(|| {
            let Head(layer, number) = head;
            fail(format!(
                "head ({layer}, {number}) is not among the {} heads that are surveyed; --layers says in how many layers",
                survey.heads().len()
            ))
        })
    };
    let positions = |heads: &[Head]| heads.iter().map(position).collect::<Result<Vec<usize>, CliError>>();
    Ok(Chosen {
        main_point: positions(&found.main_point_heads)?,
        search: positions(&found.search_heads)?,
        main_point_ranking: Vec::new(),
        search_ranking: Vec::new(),
    })
}
