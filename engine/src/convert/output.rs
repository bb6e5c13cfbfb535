//! Writing a model's tensors into a GGUF file, a few rows at a time.

use std::path::Path;

use super::fail;
use super::weights::Weights;
use crate::EngineError;
use crate::ffi::gguf::{Form, GgufData, GgufWriter};

/// A tensor of the GGUF file and what it is made of.
pub(super) struct Planned {
    /// llama.cpp's name.
    pub(super) name: String,
    /// The name in the safetensors file.
    pub(super) source: String,
    /// How its numbers are written.
    pub(super) form: Form,
    /// Added to every number.
    pub(super) offset: f32,
}

/// So many numbers are in memory at once.
const NUMBERS: usize = 1 << 20;

impl Planned {
    /// A tensor as it is, in 32-bit numbers.
    pub(super) fn plain(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into(), form: Form::F32, offset: 0.0 }
    }
}

/// Writes the keys of `writer` and all planned tensors. The file appears as `target` only when it is complete.
pub(super) fn write(
    mut writer: GgufWriter,
    planned: &[Planned],
    weights: &mut Weights,
    target: &Path,
) -> Result<(), EngineError> {
    for plan in planned {
        let tensor = weights.tensor(&plan.source)?;
        writer.tensor(&plan.name, &tensor.shape, plan.form)?;
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = readable_by_all().tempfile_in(folder).map_err(|error| fail(target, &error))?;
    let mut data = writer.begin(temporary.path())?;
    for plan in planned {
        copy(plan, weights, &mut data)?;
    }
    data.finish()?;
    temporary.as_file().sync_all().map_err(|error| fail(target, &error))?;
    temporary.persist(target).map_err(|error| fail(target, &error.error))?;
    Ok(())
}

fn copy(plan: &Planned, weights: &mut Weights, data: &mut GgufData) -> Result<(), EngineError> {
    let tensor = weights.tensor(&plan.source)?;
    let rows = (NUMBERS / tensor.width().max(1)).max(1) * tensor.width();
    let mut first = 0;
    while first < tensor.len() {
        let count = rows.min(tensor.len() - first);
        let mut numbers = weights.numbers(&tensor, first, count)?;
        if plan.offset != 0.0 {
            numbers.iter_mut().for_each(|number| *number += plan.offset);
        }
        data.push(&plan.form.encode(tensor.width(), &numbers)?)?;
        first += count;
    }
    Ok(())
}

/// Temporary files are private by default; a model is not.
fn readable_by_all() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "permissions are a matter of Unix"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder
}
