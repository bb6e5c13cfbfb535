//! Heads that a head file names, instead of chosen ones.
//!
//! It must not know how heads are chosen.

use std::fs;
use std::path::Path;

use mainpoint_engine::{Calibration, Head, Survey};

use super::Chosen;
use crate::cli::CliError;

/// The heads of a file, by their positions among the surveyed ones.
///
/// # Errors
/// [`CliError::Argument`] if the file cannot be read, is no head file, is another model's, or names a head that is not
/// surveyed.
pub(super) fn heads(survey: &Survey, file: &Path) -> Result<Chosen, CliError> {
    let fail = |reason: String| CliError::Argument(format!("--heads {}: {reason}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    let found: Calibration = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    let surveyed = survey.calibration(&[], &[]).model_sha256;
    if found.model_sha256 != surveyed {
        return Err(fail(format!(
            "is for the model with sha256 {}, but the reader's is {surveyed}",
            found.model_sha256
        )));
    }
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
