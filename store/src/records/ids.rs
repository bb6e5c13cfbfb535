//! The identifiers of turns, conversations, prefixes and scopes.
//!
//! Responsible for: their text forms and their validity.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Identifies a turn within the store.
pub(crate) type TurnKey = (Scope, TurnId);

/// An identifier of 16 bytes, and the word for what it identifies.
macro_rules! identifier {
    ($(#[$docs:meta])* $name:ident, $what:literal) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let invalid = || StoreError::InvalidId { what: $what, value: text.to_owned() };
                if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(invalid());
                }
                let number = u128::from_str_radix(text, 16).map_err(|_| invalid())?;
                Ok(Self(number.to_be_bytes()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = StoreError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl From<[u8; 16]> for $name {
            fn from(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl From<$name> for [u8; 16] {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

identifier! {
    /// Identifies a turn within its scope: the first 16 bytes of a hash of what it says. Written as 32 lower-case
    /// hexadecimal digits.
    TurnId, "turn"
}

identifier! {
    /// Identifies a conversation, or a branch of one, within its scope. It is given to it when it begins, and tells
    /// nothing of its turns. Written as 32 lower-case hexadecimal digits.
    ConversationId, "conversation"
}

identifier! {
    /// Identifies a prefix within its scope, which is a prompt up to one of its messages, that message included: the
    /// first 16 bytes of a hash of all that is said in it. Written as 32 lower-case hexadecimal digits.
    PrefixId, "prefix"
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

    /// Whether it is that scope, or its name goes on from that one with a dot.
    #[must_use]
    pub fn is_part_of(&self, whole: &Self) -> bool {
        let rest = self.0.strip_prefix(&whole.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
        fn ids_of_all_kinds_are_written_alike(bytes: [u8; 16]) {
            let text = TurnId(bytes).to_string();
            prop_assert_eq!(ConversationId(bytes).to_string(), text.as_str());
            prop_assert_eq!(PrefixId(bytes).to_string(), text.as_str());
            prop_assert_eq!(text.parse::<ConversationId>().unwrap(), ConversationId(bytes));
            prop_assert_eq!(text.parse::<PrefixId>().unwrap(), PrefixId(bytes));
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
    fn text_that_is_not_32_hex_digits_is_no_id_and_the_error_names_which() {
        for text in ["", "00", "zz000000000000000000000000000000", "+0000000000000000000000000000000"] {
            let error = text.parse::<TurnId>().unwrap_err().to_string();
            assert_eq!(error, format!("turn id {text:?} is not allowed; a turn id has 32 hexadecimal digits"));
            let error = text.parse::<ConversationId>().unwrap_err().to_string();
            assert!(error.ends_with("; a conversation id has 32 hexadecimal digits"), "{error}");
            let error = text.parse::<PrefixId>().unwrap_err().to_string();
            assert!(error.ends_with("; a prefix id has 32 hexadecimal digits"), "{error}");
        }
    }
}
