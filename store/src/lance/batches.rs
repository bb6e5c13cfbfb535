//! Records to Arrow batches and back.
//!
//! Responsible for: the two conversions, column by column.

use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, FixedSizeListBuilder, Float16Builder, Float32Builder, LargeBinaryBuilder, ListBuilder,
    StringBuilder, StructBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, LargeBinaryArray, ListArray, PrimitiveArray, RecordBatch, StructArray};
use chrono::{DateTime, Utc};
use half::slice::HalfFloatSliceExt;

use super::columns::{array, halves, identifier, identifiers, numbers, strings, wrong_type};
use super::schema::{self, column};
use crate::error::StoreError;
use crate::records::{CompletedTurn, Point, Scope, Span, Turn};

/// The rows of `completed` for the table of turns.
pub(crate) fn turns_to_batch(completed: &[&CompletedTurn]) -> Result<RecordBatch, StoreError> {
    let (mut scope, mut role, mut text) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut id, mut parent, mut conversation) = (identifier_builder(), identifier_builder(), identifier_builder());
    let (mut position, mut tokens, mut passages) = (UInt32Builder::new(), UInt32Builder::new(), UInt32Builder::new());
    let mut time = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    for CompletedTurn { turn, points } in completed {
        scope.append_value(turn.scope.as_str());
        id.append_value(turn.id.0).map_err(StoreError::batch)?;
        match turn.parent {
            Some(turn) => parent.append_value(turn.0).map_err(StoreError::batch)?,
            None => parent.append_null(),
        }
        conversation.append_value(turn.conversation.0).map_err(StoreError::batch)?;
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
    .map_err(StoreError::batch)
}

/// The rows of `completed` for the table of points; every vector must have `vector_width` numbers.
pub(crate) fn points_to_batch(completed: &[&CompletedTurn], vector_width: usize) -> Result<RecordBatch, StoreError> {
    let (mut scope, mut text) = (StringBuilder::new(), StringBuilder::new());
    let (mut turn, mut conversation) = (identifier_builder(), identifier_builder());
    let (mut passage, mut start, mut end) = (UInt32Builder::new(), UInt32Builder::new(), UInt32Builder::new());
    let mut spans =
        ListBuilder::new(StructBuilder::from_fields(schema::span_fields(), 0)).with_field(schema::span_item());
    let mut vector =
        FixedSizeListBuilder::new(Float16Builder::new(), vector_width as i32).with_field(schema::vector_item());
    let mut ranking_data = LargeBinaryBuilder::new();
    for CompletedTurn { turn: owner, points } in completed {
        for point in points {
            scope.append_value(owner.scope.as_str());
            turn.append_value(point.turn.0).map_err(StoreError::batch)?;
            conversation.append_value(owner.conversation.0).map_err(StoreError::batch)?;
            passage.append_value(point.passage);
            start.append_value(point.start);
            end.append_value(point.end);
            append_spans(&mut spans, &point.spans)?;
            text.append_value(&point.text);
            vector.values().append_slice(&halves(&point.vector));
            vector.append(true);
            ranking_data.append_value(&point.ranking_data);
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
            Arc::new(ranking_data.finish()),
        ],
    )
    .map_err(StoreError::batch)
}

/// The turns of a batch that holds every column of the table of turns.
pub(crate) fn turns_from_batch(batch: &RecordBatch) -> Result<Vec<Turn>, StoreError> {
    let (scope, role, text) =
        (strings(batch, column::SCOPE)?, strings(batch, column::ROLE)?, strings(batch, column::TEXT)?);
    let id = identifiers(batch, column::ID)?;
    let parent = identifiers(batch, column::PARENT)?;
    let conversation = identifiers(batch, column::CONVERSATION)?;
    let (position, tokens) = (numbers(batch, column::POSITION)?, numbers(batch, column::TOKENS)?);
    let time = times(batch)?;
    (0..batch.num_rows())
        .map(|row| {
            Ok(Turn {
                id: identifier(id.value(row))?,
                parent: parent.is_valid(row).then(|| identifier(parent.value(row))).transpose()?,
                conversation: identifier(conversation.value(row))?,
                scope: Scope::new(scope.value(row))?,
                position: position.value(row),
                role: role.value(row).to_owned(),
                text: text.value(row).to_owned(),
                time: time_of(time.value(row))?,
                tokens: tokens.value(row),
            })
        })
        .collect()
}

/// When the turns of a batch were first seen.
pub(crate) fn times_from_batch(batch: &RecordBatch) -> Result<Vec<DateTime<Utc>>, StoreError> {
    times(batch)?.values().iter().map(|micros| time_of(*micros)).collect()
}

/// The spans of each point of a batch.
pub(crate) fn spans_from_batch(batch: &RecordBatch) -> Result<Vec<Vec<Span>>, StoreError> {
    let spans: &ListArray = array(batch, column::SPANS)?.as_list_opt().ok_or_else(|| wrong_type(column::SPANS))?;
    (0..batch.num_rows()).map(|row| spans_from(&spans.value(row))).collect()
}

/// The points of a batch that holds every column of the table of points.
pub(crate) fn points_from_batch(batch: &RecordBatch) -> Result<Vec<Point>, StoreError> {
    let turn = identifiers(batch, column::TURN)?;
    let passage = numbers(batch, column::PASSAGE)?;
    let (start, end) = (numbers(batch, column::START)?, numbers(batch, column::END)?);
    let mut spans = spans_from_batch(batch)?.into_iter();
    let text = strings(batch, column::TEXT)?;
    let vector = array(batch, column::VECTOR)?.as_fixed_size_list_opt().ok_or_else(|| wrong_type(column::VECTOR))?;
    let ranking_data: &LargeBinaryArray =
        array(batch, column::RANKING_DATA)?.as_binary_opt().ok_or_else(|| wrong_type(column::RANKING_DATA))?;
    (0..batch.num_rows())
        .map(|row| {
            let numbers = vector.value(row);
            let numbers: &PrimitiveArray<Float16Type> =
                numbers.as_primitive_opt().ok_or_else(|| wrong_type(column::VECTOR))?;
            Ok(Point {
                turn: identifier(turn.value(row))?,
                passage: passage.value(row),
                start: start.value(row),
                end: end.value(row),
                spans: spans.next().unwrap_or_default(),
                text: text.value(row).to_owned(),
                vector: numbers.values().to_f32_vec(),
                ranking_data: ranking_data.value(row).to_vec(),
            })
        })
        .collect()
}

fn times(batch: &RecordBatch) -> Result<&PrimitiveArray<TimestampMicrosecondType>, StoreError> {
    array(batch, column::TIME)?.as_primitive_opt().ok_or_else(|| wrong_type(column::TIME))
}

fn time_of(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    let time = DateTime::from_timestamp_micros(micros);
    time.ok_or_else(|| StoreError::unreadable(format!("time {micros} is out of range")))
}

fn identifier_builder() -> FixedSizeBinaryBuilder {
    FixedSizeBinaryBuilder::new(16)
}

fn append_spans(list: &mut ListBuilder<StructBuilder>, spans: &[Span]) -> Result<(), StoreError> {
    let item = list.values();
    for span in spans {
        for (index, number) in [span.start, span.end].into_iter().enumerate() {
            let builder = item.field_builder::<UInt32Builder>(index).ok_or_else(|| wrong_type(column::SPANS))?;
            builder.append_value(number);
        }
        let builder = item.field_builder::<Float32Builder>(2).ok_or_else(|| wrong_type(column::SPANS))?;
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
    let span = |row| Span { start: start.value(row), end: end.value(row), salience: salience.value(row) };
    Ok((0..items.len()).map(span).collect())
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
