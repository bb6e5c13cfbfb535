//! The Arrow schemas of the two tables and their version.
//!
//! Responsible for: column names and types, the layout version in the schema metadata.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::error::{OLD_VERSION, StoreError};

/// Layout version that this crate reads and writes.
pub(crate) const VERSION: u32 = 3;
const VERSION_KEY: &str = "mainpoint.layout_version";

/// Name of the table of turns.
pub(crate) const TURNS: &str = "turns";
/// Name of the table of main points.
pub(crate) const POINTS: &str = "points";

/// Column names, so that a misspelt one does not compile.
pub(crate) mod column {
    pub(crate) const SCOPE: &str = "scope";
    pub(crate) const ID: &str = "id";
    pub(crate) const PARENT: &str = "parent";
    pub(crate) const CONVERSATION: &str = "conversation";
    pub(crate) const POSITION: &str = "position";
    pub(crate) const ROLE: &str = "role";
    pub(crate) const TEXT: &str = "text";
    pub(crate) const TIME: &str = "time";
    pub(crate) const TOKENS: &str = "tokens";
    pub(crate) const PASSAGES: &str = "passages";
    pub(crate) const TURN: &str = "turn";
    pub(crate) const PASSAGE: &str = "passage";
    pub(crate) const START: &str = "start";
    pub(crate) const END: &str = "end";
    pub(crate) const SPANS: &str = "spans";
    pub(crate) const SALIENCE: &str = "salience";
    pub(crate) const VECTOR: &str = "vector";
    /// The ranking data, by the name that the column has on disk.
    pub(crate) const RANKING_DATA: &str = "features";
}

/// An identifier: 16 bytes.
pub(crate) const IDENTIFIER: DataType = DataType::FixedSizeBinary(16);

/// One row for each completed turn.
pub(crate) fn turns() -> SchemaRef {
    let fields = vec![
        Field::new(column::SCOPE, DataType::Utf8, false),
        Field::new(column::ID, IDENTIFIER, false),
        Field::new(column::PARENT, IDENTIFIER, true),
        Field::new(column::CONVERSATION, IDENTIFIER, false),
        Field::new(column::POSITION, DataType::UInt32, false),
        Field::new(column::ROLE, DataType::Utf8, false),
        Field::new(column::TEXT, DataType::Utf8, false),
        Field::new(column::TIME, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new(column::TOKENS, DataType::UInt32, false),
        Field::new(column::PASSAGES, DataType::UInt32, false),
    ];
    Arc::new(Schema::new_with_metadata(fields, metadata()))
}

/// One row for each passage of a completed turn.
pub(crate) fn points(vector_width: usize) -> SchemaRef {
    let fields = vec![
        Field::new(column::SCOPE, DataType::Utf8, false),
        Field::new(column::TURN, IDENTIFIER, false),
        Field::new(column::CONVERSATION, IDENTIFIER, false),
        Field::new(column::PASSAGE, DataType::UInt32, false),
        Field::new(column::START, DataType::UInt32, false),
        Field::new(column::END, DataType::UInt32, false),
        Field::new(column::SPANS, DataType::List(span_item()), false),
        Field::new(column::TEXT, DataType::Utf8, false),
        Field::new(column::VECTOR, DataType::FixedSizeList(vector_item(), vector_width as i32), false),
        Field::new(column::RANKING_DATA, DataType::LargeBinary, false),
    ];
    Arc::new(Schema::new_with_metadata(fields, metadata()))
}

/// The fields of one span.
pub(crate) fn span_fields() -> Fields {
    Fields::from(vec![
        Field::new(column::START, DataType::UInt32, false),
        Field::new(column::END, DataType::UInt32, false),
        Field::new(column::SALIENCE, DataType::Float32, false),
    ])
}

/// The item of the list of spans.
pub(crate) fn span_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(span_fields()), true))
}

/// The item of a vector: half precision, which finds what single precision finds in half the bytes.
pub(crate) fn vector_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float16, true))
}

/// Checks that a table on disk is one that this crate can read, and write vectors of this width to.
pub(crate) fn check(directory: &Path, found: &Schema, vector_width: usize) -> Result<(), StoreError> {
    let version = found.metadata().get(VERSION_KEY);
    if version.map(String::as_str) != Some(VERSION.to_string().as_str()) {
        return Err(StoreError::Version {
            path: directory.to_owned(),
            found: version.cloned().unwrap_or_else(|| "none".to_owned()),
            expected: VERSION,
        });
    }
    match found.field_with_name(column::VECTOR).map(Field::data_type) {
        Ok(DataType::FixedSizeList(_, width)) if *width as usize != vector_width => {
            Err(StoreError::VectorWidth { path: directory.to_owned(), found: *width as usize, expected: vector_width })
        }
        _ => Ok(()),
    }
}

/// Whether a table says of its layout version something that is no number.
pub(crate) fn has_nonsense_version(found: &Schema) -> bool {
    found.metadata().get(VERSION_KEY).is_some_and(|version| version.parse::<u32>().is_err())
}

/// Whether a table is one of the layout version before this one.
pub(crate) fn is_old(found: &Schema) -> bool {
    found.metadata().get(VERSION_KEY).map(String::as_str) == Some(OLD_VERSION)
}

/// The error for a store of the layout version before this one.
pub(crate) fn old(directory: &Path) -> StoreError {
    StoreError::Version { path: directory.to_owned(), found: OLD_VERSION.to_owned(), expected: VERSION }
}

fn metadata() -> HashMap<String, String> {
    HashMap::from([(VERSION_KEY.to_owned(), VERSION.to_string())])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn a_table_of_another_version_or_width_is_refused_by_name() {
        let directory = Path::new("data");
        check(directory, &turns(), 384).unwrap();
        check(directory, &points(384), 384).unwrap();

        let of_version = |version: &str| {
            let metadata = HashMap::from([(VERSION_KEY.to_owned(), version.to_owned())]);
            let schema = Schema::new_with_metadata(Fields::empty(), metadata);
            check(directory, &schema, 384).unwrap_err().to_string()
        };
        let newer = of_version("4");
        assert!(
            newer.contains("layout version 4, this mainpoint reads version 3; use the mainpoint that wrote it"),
            "{newer}"
        );
        let older = of_version("2");
        assert!(older.contains("`mainpoint migrate`"), "{older}");
        let error = check(directory, &Schema::empty(), 384).unwrap_err();
        assert!(error.to_string().contains("layout version none"), "{error}");
        let error = check(directory, &points(768), 384).unwrap_err();
        assert!(error.to_string().contains("width 768, the model gives 384"), "{error}");
    }
}
