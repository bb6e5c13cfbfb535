//! Values that are checked while they are read: numbers within bounds, times, shares and texts.
//!
//! A key names its check in its section: `#[serde(with = "Whole::<1, 1000>")]`.

use std::fmt::{Debug, Display};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use crate::secret::Secret;

/// A section of the configuration: a struct whose keys stand with their defaults, read by serde. Unknown keys are refused.
macro_rules! section {
    ($(#[$about:meta])* $visible:vis struct $section:ident {
        $($(#[$key:meta])* $field:ident: $value:ty = $default:expr,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $visible struct $section {
            $($(#[$key])* $visible $field: $value,)*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}
pub(super) use section;

/// What a refusal begins with, so that it can be told from what serde says by itself.
pub(super) const REFUSED: &str = "refused: ";
/// What the refusal of a secret begins with.
pub(super) const SECRET: &str = "a secret";

/// A whole number from `LEAST` to `MOST`.
pub(super) struct Whole<const LEAST: i64, const MOST: i64>;

impl<const LEAST: i64, const MOST: i64> Whole<LEAST, MOST> {
    pub(super) fn deserialize<'de, T: TryFrom<i64>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
        let value = i64::deserialize(input)?;
        let taken = T::try_from(value).ok().filter(|_| (LEAST..=MOST).contains(&value));
        taken.ok_or_else(|| refusal(value, format_args!("a whole number from {LEAST} to {MOST}")))
    }
}

/// From `LEAST` to `MOST` times `UNIT` milliseconds.
pub(super) struct Time<const UNIT: u64, const LEAST: i64, const MOST: i64>;
pub(super) type Milliseconds<const LEAST: i64, const MOST: i64> = Time<1, LEAST, MOST>;
pub(super) type Seconds<const LEAST: i64, const MOST: i64> = Time<1000, LEAST, MOST>;
pub(super) type Days<const LEAST: i64, const MOST: i64> = Time<86_400_000, LEAST, MOST>;

impl<const UNIT: u64, const LEAST: i64, const MOST: i64> Time<UNIT, LEAST, MOST> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        Whole::<LEAST, MOST>::deserialize(input).map(|count: u64| Duration::from_millis(count * UNIT))
    }
}

/// A share over 0 and at most 1.
pub(super) fn share<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    number(input, |value| value > 0.0 && value <= 1.0, "a share over 0 and at most 1, such as 0.5")
}

/// A number for which `is_allowed` holds.
pub(super) fn number<'de, D: Deserializer<'de>>(
    input: D,
    is_allowed: impl FnOnce(f64) -> bool,
    allowed: &str,
) -> Result<f64, D::Error> {
    let value = f64::deserialize(input)?;
    if is_allowed(value) { Ok(value) } else { Err(refusal(value, allowed)) }
}

/// What `parse` makes of a value; its error says what is allowed.
pub(super) fn parsed<'de, D: Deserializer<'de>, Written: Deserialize<'de> + Debug, T, Allowed: Display>(
    input: D,
    parse: impl FnOnce(&Written) -> Result<T, Allowed>,
) -> Result<T, D::Error> {
    let written = Written::deserialize(input)?;
    parse(&written).map_err(|allowed| refusal(format_args!("{written:?}"), allowed))
}

/// Refuses `value`; [`Document::read`](super::document::Document::read) adds its key and place.
pub(super) fn refusal<E: Error>(value: impl Display, allowed: impl Display) -> E {
    E::custom(format_args!("{REFUSED}{value}, expected {allowed}"))
}

/// The name of an environment variable, which [`complete`](super::complete::complete) replaces by what the variable holds.
pub(super) fn variable<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Secret>, D::Error> {
    let name = String::deserialize(input)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Error::custom(SECRET));
    }
    Ok(Some(Secret::new(name)))
}

#[expect(clippy::cast_possible_truncation, reason = "shares and cosines need no more than single precision")]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}
