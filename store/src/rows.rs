//! Records to Arrow batches and back.
//!
//! Responsible for: the two conversions, column by column. Must not know: LanceDB, queries, the journal.

use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, FixedSizeListBuilder, Float16Builder, Float32Builder, LargeBinaryBuilder, ListBuilder,
    StringBuilder, StructBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, FixedSizeBinaryArray, LargeBinaryArray, ListArray, PrimitiveArray, RecordBatch, StringArray, StructArray,
};
use arrow_schema::ArrowError;
use chrono::DateTime;
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::error::StoreError;
use crate::record::{Point, Scope, Span, Turn, TurnId};
use crate::schema::{self, column};

/// The column that Lance adds where it is asked for rows' ids.
const ROW_ID: &str = "_rowid";

/// A turn that has been read, with its main points: what the journal hands to LanceDB.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompletedTurn {
    pub(crate) turn: Turn,
    pub(crate) points: Vec<Point>,
}

/// The rows of `completed` for the table of turns.
pub(crate) fn turns_to_batch(completed: &[&CompletedTurn]) -> Result<RecordBatch, StoreError> {
    let (mut scope, mut role, mut text) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut id, mut parent, mut conversation) = (identifiers(), identifiers(), identifiers());
    let (mut position, mut tokens, mut passages) = (UInt32Builder::new(), UInt32Builder::new(), UInt32Builder::new());
    let mut time = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    for CompletedTurn { turn, points } in completed {
        scope.append_value(turn.scope.as_str());
        id.append_value(turn.id.0).map_err(unwritable)?;
        match turn.parent {
            Some(turn) => parent.append_value(turn.0).map_err(unwritable)?,
            None => parent.append_null(),
        }
        conversation.append_value(turn.conversation.0).map_err(unwritable)?;
        position.append_value(turn.position);
        role.append_value(&turn.role);
        text.append_value(&turn.text);
        time.append_value(turn.time.timestamp_micros());
        tokens.append_value(turn.tokens);
        passages.append_value(points.len() as u32);
    }
    RecordBatch::try_new(
        schema::turns(),
        vec![
            Arc::new(scope.finish()),
            Arc::new(id.finish()),
            Arc::new(parent.finish()),
            Arc::new(conversation.finish()),
            Arc::new(position.finish()),
            Arc::new(role.finish()),
            Arc::new(text.finish()),
            Arc::new(time.finish()),
            Arc::new(tokens.finish()),
            Arc::new(passages.finish()),
        ],
    )
    .map_err(unwritable)
}

/// The rows of `completed` for the table of points; every vector must have `vector_width` numbers.
pub(crate) fn points_to_batch(completed: &[&CompletedTurn], vector_width: usize) -> Result<RecordBatch, StoreError> {
    let (mut scope, mut text) = (StringBuilder::new(), StringBuilder::new());
    let (mut turn, mut conversation) = (identifiers(), identifiers());
    let (mut passage, mut start, mut end) = (UInt32Builder::new(), UInt32Builder::new(), UInt32Builder::new());
    let mut spans =
        ListBuilder::new(StructBuilder::from_fields(schema::span_fields(), 0)).with_field(schema::span_item());
    let mut vector =
        FixedSizeListBuilder::new(Float16Builder::new(), vector_width as i32).with_field(schema::vector_item());
    let mut features = LargeBinaryBuilder::new();
    for CompletedTurn { turn: owner, points } in completed {
        for point in points {
            scope.append_value(owner.scope.as_str());
            turn.append_value(point.turn.0).map_err(unwritable)?;
            conversation.append_value(owner.conversation.0).map_err(unwritable)?;
            passage.append_value(point.passage);
            start.append_value(point.start);
            end.append_value(point.end);
            append_spans(&mut spans, &point.spans)?;
            text.append_value(&point.text);
            vector.values().append_slice(&halves(&point.vector));
            vector.append(true);
            features.append_value(&point.features);
        }
    }
    RecordBatch::try_new(
        schema::points(vector_width),
        vec![
            Arc::new(scope.finish()),
            Arc::new(turn.finish()),
            Arc::new(conversation.finish()),
            Arc::new(passage.finish()),
            Arc::new(start.finish()),
            Arc::new(end.finish()),
            Arc::new(spans.finish()),
            Arc::new(text.finish()),
            Arc::new(vector.finish()),
            Arc::new(features.finish()),
        ],
    )
    .map_err(unwritable)
}

/// The turns of a batch that holds every column of the table of turns.
pub(crate) fn turns_from_batch(batch: &RecordBatch) -> Result<Vec<Turn>, StoreError> {
    let (scope, role, text) = (
        strings(batch, column::SCOPE)?,
        strings(batch, column::ROLE)?,
        strings(batch, column::TEXT)?,
    );
    let id = identifier_column(batch, column::ID)?;
    let parent = identifier_column(batch, column::PARENT)?;
    let conversation = identifier_column(batch, column::CONVERSATION)?;
    let (position, tokens) = (numbers(batch, column::POSITION)?, numbers(batch, column::TOKENS)?);
    let time: &PrimitiveArray<TimestampMicrosecondType> = array(batch, column::TIME)?
        .as_primitive_opt()
        .ok_or_else(|| wrong_type(column::TIME))?;
    (0..batch.num_rows())
        .map(|row| {
            Ok(Turn {
                id: turn_id(id.value(row))?,
                parent: parent.is_valid(row).then(|| turn_id(parent.value(row))).transpose()?,
                conversation: turn_id(conversation.value(row))?,
                scope: Scope::new(scope.value(row))?,
                position: position.value(row),
                role: role.value(row).to_owned(),
                text: text.value(row).to_owned(),
                time: DateTime::from_timestamp_micros(time.value(row))
                    .ok_or_else(|| unreadable(format!("time {} is out of range", time.value(row))))?,
                tokens: tokens.value(row),
            })
        })
        .collect()
}

/// The points of a batch that holds every column of the table of points.
pub(crate) fn points_from_batch(batch: &RecordBatch) -> Result<Vec<Point>, StoreError> {
    let turn = identifier_column(batch, column::TURN)?;
    let passage = numbers(batch, column::PASSAGE)?;
    let (start, end) = (numbers(batch, column::START)?, numbers(batch, column::END)?);
    let spans: &ListArray = array(batch, column::SPANS)?
        .as_list_opt()
        .ok_or_else(|| wrong_type(column::SPANS))?;
    let text = strings(batch, column::TEXT)?;
    let vector = array(batch, column::VECTOR)?
        .as_fixed_size_list_opt()
        .ok_or_else(|| wrong_type(column::VECTOR))?;
    let features: &LargeBinaryArray = array(batch, column::FEATURES)?
        .as_binary_opt()
        .ok_or_else(|| wrong_type(column::FEATURES))?;
    (0..batch.num_rows())
        .map(|row| {
            let numbers = vector.value(row);
            let numbers: &PrimitiveArray<Float16Type> =
                numbers.as_primitive_opt().ok_or_else(|| wrong_type(column::VECTOR))?;
            Ok(Point {
                turn: turn_id(turn.value(row))?,
                passage: passage.value(row),
                start: start.value(row),
                end: end.value(row),
                spans: spans_from(&spans.value(row))?,
                text: text.value(row).to_owned(),
                vector: numbers.values().to_f32_vec(),
                features: features.value(row).to_vec(),
            })
        })
        .collect()
}

/// A column of bytes.
pub(crate) fn bytes(batch: &RecordBatch, name: &'static str) -> Result<Vec<Arc<[u8]>>, StoreError> {
    let column: &LargeBinaryArray = array(batch, name)?.as_binary_opt().ok_or_else(|| wrong_type(name))?;
    Ok((0..batch.num_rows()).map(|row| column.value(row).into()).collect())
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
    let vectors = array(batch, column::VECTOR)?
        .as_fixed_size_list_opt()
        .ok_or_else(wrong)?;
    let width = vectors.value_length() as usize;
    let numbers = vectors
        .values()
        .as_primitive_opt::<Float16Type>()
        .ok_or_else(wrong)?
        .values();
    // A batch may be a part of a longer one.
    let first = vectors.value_offset(0) as usize;
    numbers.get(first..first + vectors.len() * width).ok_or_else(wrong)
}

/// The turn ids in a column of identifiers.
pub(crate) fn identifiers_from(batch: &RecordBatch, name: &'static str) -> Result<Vec<TurnId>, StoreError> {
    let column = identifier_column(batch, name)?;
    (0..batch.num_rows()).map(|row| turn_id(column.value(row))).collect()
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
pub(crate) fn array<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a dyn Array, StoreError> {
    let column = batch
        .column_by_name(name)
        .ok_or_else(|| unreadable(format!("column {name} is missing")))?;
    Ok(column.as_ref())
}

fn identifiers() -> FixedSizeBinaryBuilder {
    FixedSizeBinaryBuilder::new(16)
}

fn identifier_column<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a FixedSizeBinaryArray, StoreError> {
    array(batch, name)?
        .as_fixed_size_binary_opt()
        .ok_or_else(|| wrong_type(name))
}

fn turn_id(bytes: &[u8]) -> Result<TurnId, StoreError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| unreadable(format!("an identifier has {} bytes", bytes.len())))?;
    Ok(TurnId(bytes))
}

fn append_spans(list: &mut ListBuilder<StructBuilder>, spans: &[Span]) -> Result<(), StoreError> {
    let item = list.values();
    for span in spans {
        for (index, number) in [span.start, span.end].into_iter().enumerate() {
            let builder = item
                .field_builder::<UInt32Builder>(index)
                .ok_or_else(|| wrong_type(column::SPANS))?;
            builder.append_value(number);
        }
        let builder = item
            .field_builder::<Float32Builder>(2)
            .ok_or_else(|| wrong_type(column::SPANS))?;
        builder.append_value(span.salience);
        item.append(true);
    }
    list.append(true);
    Ok(())
}

fn spans_from(items: &dyn Array) -> Result<Vec<Span>, StoreError> {
    let items: &StructArray = items.as_struct_opt().ok_or_else(|| wrong_type(column::SPANS))?;
    let field = |name| items.column_by_name(name).ok_or_else(|| wrong_type(column::SPANS));
    let wrong = || wrong_type(column::SPANS);
    let start: &PrimitiveArray<UInt32Type> = field(column::START)?.as_primitive_opt().ok_or_else(wrong)?;
    let end: &PrimitiveArray<UInt32Type> = field(column::END)?.as_primitive_opt().ok_or_else(wrong)?;
    let salience: &PrimitiveArray<Float32Type> = field(column::SALIENCE)?.as_primitive_opt().ok_or_else(wrong)?;
    let span = |row| Span {
        start: start.value(row),
        end: end.value(row),
        salience: salience.value(row),
    };
    Ok((0..items.len()).map(span).collect())
}

fn wrong_type(name: &str) -> StoreError {
    unreadable(format!("column {name} has another type than it was written with"))
}

fn unreadable(what: String) -> StoreError {
    StoreError::Unreadable { what }
}

fn unwritable(source: ArrowError) -> StoreError {
    StoreError::Batch {
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    const WIDTH: usize = 3;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let span =
            (any::<u32>(), any::<u32>(), 0.0f32..=1.0).prop_map(|(start, end, salience)| Span { start, end, salience });
        prop::collection::vec(span, 0..4)
    }

    fn points(turn: TurnId) -> impl Strategy<Value = Vec<Point>> {
        let point = (
            any::<[u32; 3]>(),
            spans(),
            any::<String>(),
            any::<[i16; WIDTH]>(),
            any::<Vec<u8>>(),
        )
            .prop_map(move |([passage, start, end], spans, text, vector, features)| Point {
                turn,
                passage,
                start,
                end,
                spans,
                text,
                // Whatever half precision has room for.
                vector: vector.map(|bits| f32::from(bits / 16)).to_vec(),
                features,
            });
        prop::collection::vec(point, 0..4)
    }

    prop_compose! {
        fn turn()(
            ids in any::<(u128, Option<u128>, u128)>(),
            numbers in any::<[u32; 2]>(),
            texts in any::<[String; 2]>(),
            scope in "[a-zA-Z0-9_.:-]{1,128}",
            micros in 0i64..4_000_000_000_000_000,
        ) -> Turn {
            let id = |number: u128| TurnId(number.to_be_bytes());
            let [role, text] = texts;
            Turn {
                id: id(ids.0),
                parent: ids.1.map(id),
                conversation: id(ids.2),
                scope: Scope::new(scope).unwrap(),
                position: numbers[0],
                role,
                text,
                time: DateTime::from_timestamp_micros(micros).unwrap(),
                tokens: numbers[1],
            }
        }
    }

    fn completed() -> impl Strategy<Value = Vec<CompletedTurn>> {
        let one = turn().prop_flat_map(|turn| {
            points(turn.id).prop_map(move |points| CompletedTurn {
                turn: turn.clone(),
                points,
            })
        });
        prop::collection::vec(one, 0..4)
    }

    proptest! {
        #[test]
        fn records_survive_their_arrow_form(completed in completed()) {
            let borrowed: Vec<&CompletedTurn> = completed.iter().collect();
            let turns = turns_from_batch(&turns_to_batch(&borrowed).unwrap()).unwrap();
            let points = points_from_batch(&points_to_batch(&borrowed, WIDTH).unwrap()).unwrap();
            prop_assert_eq!(turns, completed.iter().map(|one| one.turn.clone()).collect::<Vec<_>>());
            prop_assert_eq!(points, completed.iter().flat_map(|one| one.points.clone()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_without_the_columns_is_an_error_that_names_one() {
        let error = points_from_batch(&turns_to_batch(&[]).unwrap()).unwrap_err();
        assert!(error.to_string().contains("column turn is missing"), "{error}");
    }
}
