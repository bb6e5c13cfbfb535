//! The plain records that go into the store and come out of it.
//!
//! Responsible for: their types, the text forms of identifiers, their validity. Must not know: Arrow, LanceDB, redb.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Identifies a turn: the first 16 bytes of its chain hash. Written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TurnId(pub [u8; 16]);

impl fmt::Display for TurnId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for TurnId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TurnId({self})")
    }
}

impl FromStr for TurnId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || StoreError::InvalidTurnId { value: text.to_owned() };
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| invalid())?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl TryFrom<String> for TurnId {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TurnId> for String {
    fn from(id: TurnId) -> Self {
        id.to_string()
    }
}

/// Whose memory a record belongs to. Nothing is ever read across scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// Accepts 1 to 128 characters of `[a-zA-Z0-9_-.:]`.
    ///
    /// # Errors
    /// [`StoreError::InvalidScope`] for anything else.
    pub fn new(value: impl Into<String>) -> Result<Self, StoreError> {
        let value = value.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if value.is_empty() || value.len() > 128 || !value.bytes().all(allowed) {
            return Err(StoreError::InvalidScope { value });
        }
        Ok(Self(value))
    }

    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Scope {
    type Error = StoreError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Chain hash of the turn.
    pub id: TurnId,
    /// Chain hash of the turn before it; `None` for the first one.
    pub parent: Option<TurnId>,
    /// Chain hash of the first turn of the conversation.
    pub conversation: TurnId,
    /// Whose memory it is.
    pub scope: Scope,
    /// Place in the conversation, counted from 0.
    pub position: u32,
    /// Who spoke, as on the wire (`user`, `assistant`, `tool`).
    pub role: String,
    /// The verbatim text; under [`Retain::Spans`](crate::Retain::Spans), once completed, only its spans joined by ` … `.
    pub text: String,
    /// When the turn was first seen. Kept to the microsecond.
    pub time: DateTime<Utc>,
    /// Length in tokens.
    pub tokens: u32,
}

/// A stretch of a turn's text that carries meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// First byte in the turn's original text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Attention it received, 0 to 1 relative to the turn's maximum.
    pub salience: f32,
}

/// The main point of one passage of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The turn it belongs to.
    pub turn: TurnId,
    /// Number of the passage within the turn, counted from 0.
    pub passage: u32,
    /// First byte of the passage in the turn's original text.
    pub start: u32,
    /// One past the last byte of the passage.
    pub end: u32,
    /// The main point itself.
    pub spans: Vec<Span>,
    /// The passage's verbatim text, or under [`Retain::Spans`](crate::Retain::Spans) its spans joined by ` … `.
    pub text: String,
    /// Embedding of the main point; its length is the store's `vector_width`.
    pub vector: Vec<f32>,
    /// What ranks it once it is found, opaque to the store.
    pub features: Vec<u8>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_turn_id_survives_its_text_form(bytes: [u8; 16]) {
            let id = TurnId(bytes);
            prop_assert_eq!(id.to_string().len(), 32);
            prop_assert_eq!(id.to_string().parse::<TurnId>().unwrap(), id);
            prop_assert_eq!(serde_json::from_str::<TurnId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn a_scope_takes_exactly_the_allowed_characters(text in ".{0,140}") {
            let allowed = !text.is_empty()
                && text.len() <= 128
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c));
            prop_assert_eq!(Scope::new(text).is_ok(), allowed);
        }
    }

    #[test]
    fn text_that_is_not_32_hex_digits_is_no_turn_id() {
        for text in [
            "",
            "00",
            "zz000000000000000000000000000000",
            "+0000000000000000000000000000000",
        ] {
            let error = text.parse::<TurnId>().unwrap_err();
            assert!(error.to_string().contains("32 hexadecimal digits"), "{error}");
        }
    }
}
