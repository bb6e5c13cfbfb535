//! The fields of a JSON object as raw values that borrow from the text.
//!
//! It must not know which fields there should be.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object's fields in order. When a name comes twice the last one counts, as with most parsers.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// The field `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(field, _)| field == name)
            .map(|(_, raw)| *raw)
    }

    /// The field `name`, which must be there.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub(crate) fn required<T: Deserialize<'a>>(&self, name: &'static str) -> Result<T, serde_json::Error> {
        let raw = self.get(name).ok_or_else(|| serde_json::Error::missing_field(name))?;
        serde_json::from_str(raw.get())
    }

    /// The field `name`; `None` when it is missing or null.
    ///
    /// # Errors
    /// When it is of another type.
    pub(crate) fn optional<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.get(name).map_or(Ok(None), |raw| serde_json::from_str(raw.get()))
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
