//! The columns of a batch.
//!
//! Responsible for: finding them by name and type, with an error that names what is wrong.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, UInt32Type, UInt64Type};
use arrow_array::{Array, FixedSizeBinaryArray, LargeBinaryArray, PrimitiveArray, RecordBatch, StringArray};
use half::f16;

use super::schema::column;
use crate::error::StoreError;

/// The column that Lance adds where it is asked for rows' ids.
const ROW_ID: &str = "_rowid";

/// A column of bytes.
pub(crate) fn bytes(batch: &RecordBatch, name: &'static str) -> Result<Vec<Arc<[u8]>>, StoreError> {
    Ok(byte_slices(batch, name)?.map(Arc::from).collect())
}

/// The same where it lies.
pub(crate) fn byte_slices<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<impl Iterator<Item = &'a [u8]>, StoreError> {
    let column: &LargeBinaryArray = array(batch, name)?.as_binary_opt().ok_or_else(|| wrong_type(name))?;
    Ok((0..column.len()).map(|row| column.value(row)))
}

/// A vector as it is stored.
pub(crate) fn halves(vector: &[f32]) -> Vec<f16> {
    vector.iter().copied().map(f16::from_f32).collect()
}

/// How many numbers each vector of a batch has.
pub(crate) fn vector_width(batch: &RecordBatch) -> Result<usize, StoreError> {
    let vectors = array(batch, column::VECTOR)?.as_fixed_size_list_opt();
    Ok(vectors.ok_or_else(|| wrong_type(column::VECTOR))?.value_length() as usize)
}

/// The vectors of a batch, one after the other, each as long as the store's vectors are wide.
pub(crate) fn vectors(batch: &RecordBatch) -> Result<&[f16], StoreError> {
    let wrong = || wrong_type(column::VECTOR);
    let vectors = array(batch, column::VECTOR)?.as_fixed_size_list_opt().ok_or_else(wrong)?;
    let width = vectors.value_length() as usize;
    let numbers = vectors.values().as_primitive_opt::<Float16Type>().ok_or_else(wrong)?.values();
    // A batch may be a part of a longer one.
    let first = vectors.value_offset(0) as usize;
    numbers.get(first..first + vectors.len() * width).ok_or_else(wrong)
}

/// The ids in a column of identifiers.
pub(crate) fn identifiers_from<Id: From<[u8; 16]>>(
    batch: &RecordBatch,
    name: &'static str,
) -> Result<Vec<Id>, StoreError> {
    let column = identifiers(batch, name)?;
    (0..batch.num_rows()).map(|row| identifier(column.value(row))).collect()
}

/// A column of text.
pub(crate) fn strings<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a StringArray, StoreError> {
    array(batch, name)?.as_string_opt().ok_or_else(|| wrong_type(name))
}

/// A column of unsigned numbers.
pub(crate) fn numbers<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a PrimitiveArray<UInt32Type>, StoreError> {
    array(batch, name)?.as_primitive_opt().ok_or_else(|| wrong_type(name))
}

/// Where the rows of a batch lie in the version of the table that they were read from.
pub(crate) fn row_ids(batch: &RecordBatch) -> Result<&[u64], StoreError> {
    let ids = array(batch, ROW_ID)?.as_primitive_opt::<UInt64Type>();
    Ok(ids.ok_or_else(|| wrong_type(ROW_ID))?.values())
}

/// A column of scores or distances.
pub(crate) fn scores<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a PrimitiveArray<Float32Type>, StoreError> {
    array(batch, name)?.as_primitive_opt().ok_or_else(|| wrong_type(name))
}

/// Any column.
pub(super) fn array<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a dyn Array, StoreError> {
    let column =
        batch.column_by_name(name).ok_or_else(|| StoreError::unreadable(format!("column {name} is missing")))?;
    Ok(column.as_ref())
}

pub(super) fn identifiers<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a FixedSizeBinaryArray, StoreError> {
    array(batch, name)?.as_fixed_size_binary_opt().ok_or_else(|| wrong_type(name))
}

pub(super) fn identifier<Id: From<[u8; 16]>>(bytes: &[u8]) -> Result<Id, StoreError> {
    let bytes: [u8; 16] =
        bytes.try_into().map_err(|_| StoreError::unreadable(format!("an identifier has {} bytes", bytes.len())))?;
    Ok(bytes.into())
}

pub(super) fn wrong_type(name: &str) -> StoreError {
    StoreError::unreadable(format!("column {name} has another type than it was written with"))
}
