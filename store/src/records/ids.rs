//! The identifiers of turns and scopes.
//!
//! Responsible for: their text forms and their validity. Must not know: what they identify.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Identifies a turn within the store.
pub(crate) type TurnKey = (Scope, TurnId);

/// Identifies a turn within its scope: the first 16 bytes of a hash of what it says. A conversation has such a name, too. Written as
/// 32 lower-case hexadecimal digits.
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
        for text in ["", "00", "zz000000000000000000000000000000", "+0000000000000000000000000000000"] {
            let error = text.parse::<TurnId>().unwrap_err();
            assert!(error.to_string().contains("32 hexadecimal digits"), "{error}");
        }
    }
}
