//! `mainpoint-bench projection`: which directions of a reader's pooled vectors are kept.
//!
//! Question: in which directions do texts differ most? Method: principal components of the pooled vectors of all
//! passages of the conversations that things are chosen on, and of the first half of each language's chat. What is lost
//! or won by keeping these alone is what `mainpoint-bench recall` measures, on other conversations.

use half::bf16;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::{CHOSEN_ON, ReadingOptions, sets};
use crate::data::{DataSet, Kind};
use crate::{BenchError, Failing};

/// Numbers that are kept of a vector.
const COMPONENTS: usize = 256;

/// Learns a projection on the conversations of [`CHOSEN_ON`] and on half of every language, and writes it as
/// `proxy/src/models/projections` has it.
///
/// # Errors
/// Any failure of data, engine or files.
pub async fn learn_projection(options: &ReadingOptions) -> Result<(), BenchError> {
    let (_, library) = options.open().await?;
    let mut vectors: Vec<Vec<f32>> = Vec::new();
    for DataSet { kind, conversations } in sets()? {
        for conversation in &conversations {
            let learns = kind == Kind::Language || CHOSEN_ON.contains(&conversation.name.as_str());
            if !learns {
                continue;
            }
            let turns = library.read(conversation).await?.turns;
            let some = if kind == Kind::Language { turns.len() / 2 } else { turns.len() };
            vectors.extend(turns.into_iter().take(some).flatten().map(|passage| passage.vector));
        }
    }
    let width = library.engine.mean().len();
    let (rows, share) = center_and_components(&vectors, width);
    let path = options.out.join("projection.bf16");
    let bytes: Vec<u8> = rows.into_iter().flat_map(|number| bf16::from_f32(number).to_le_bytes()).collect();
    std::fs::write(&path, bytes).when_writing(&path)?;
    anstream::println!(
        "{COMPONENTS} of {width} numbers hold {share:.3} of what differs between {} vectors: {}",
        vectors.len(),
        path.display()
    );
    Ok(())
}

/// The mean of the vectors and behind it the components, the strongest first, with the share of the variance that they hold.
fn center_and_components(vectors: &[Vec<f32>], width: usize) -> (Vec<f32>, f64) {
    let rows = vectors.iter().flatten().map(|number| f64::from(*number));
    let mut matrix = DMatrix::from_row_iterator(vectors.len(), width, rows);
    let center = matrix.row_mean();
    for mut row in matrix.row_iter_mut() {
        row -= &center;
    }
    let eigen = SymmetricEigen::new(matrix.tr_mul(&matrix));
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|one, other| eigen.eigenvalues[*other].total_cmp(&eigen.eigenvalues[*one]));
    order.truncate(COMPONENTS);
    let held: f64 = order.iter().map(|index| eigen.eigenvalues[*index]).sum();
    let share = held / eigen.eigenvalues.sum().max(f64::MIN_POSITIVE);
    let components = order.iter().map(|index| DVector::from(eigen.eigenvectors.column(*index)));
    let numbers =
        center.iter().copied().chain(components.flat_map(|component| component.iter().copied().collect::<Vec<_>>()));
    #[expect(clippy::cast_possible_truncation, reason = "16 bits are kept of each")]
    let numbers = numbers.map(|number| number as f32).collect();
    (numbers, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_in_which_vectors_differ_most_comes_first_around_their_mean() {
        let vectors = [[1.0, 3.0, 0.0], [1.0, -3.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]].map(Vec::from);
        let (numbers, share) = center_and_components(&vectors, 3);
        assert_eq!(numbers.len(), 3 + 3 * 3);
        assert_eq!(numbers[..3], [1.0, 0.0, 0.0]);
        assert!((numbers[4].abs() - 1.0).abs() < 1e-6 && (numbers[6].abs() - 1.0).abs() < 1e-6, "{numbers:?}");
        assert!((share - 1.0).abs() < 1e-9);
    }
}
