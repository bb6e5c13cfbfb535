//! What is odd about a message, so that it stays in every prompt as it came: it can be neither quoted nor split.
//!
//! The rest of such a conversation is treated as any other.

/// Why a message stays as it is: the label of `mainpoint_odd_messages_total{reason}` and a key of `odd_messages` in receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Oddity {
    /// It is no object.
    NotAnObject,
    /// It has no role, or one that is no text.
    NoRole,
    /// Its role is none that is known.
    UnknownRole,
    /// Its content is neither text, parts nor null, or its calls are no list.
    UnknownShape,
    /// It is an item of a type that is not known, or one that stands for something that cannot be seen here.
    UnknownItem,
    /// A field that makes it what it is comes twice.
    RepeatedKey,
    /// A text holds half of a surrogate pair.
    LoneSurrogate,
    /// A text holds the character U+0000.
    NullCharacter,
    /// A text holds a control character that JSON wants escaped.
    ControlCharacter,
    /// A text holds an escape that JSON does not know.
    UnknownEscape,
    /// A text is not UTF-8.
    NotUtf8,
    /// A number is too large to be one, or none of JSON's.
    NumberOutOfRange,
    /// It is nested too deeply to be read.
    TooDeep,
}

impl Oddity {
    /// Every oddity.
    pub(crate) const ALL: [Self; 13] = [
        Self::NotAnObject,
        Self::NoRole,
        Self::UnknownRole,
        Self::UnknownShape,
        Self::UnknownItem,
        Self::RepeatedKey,
        Self::LoneSurrogate,
        Self::NullCharacter,
        Self::ControlCharacter,
        Self::UnknownEscape,
        Self::NotUtf8,
        Self::NumberOutOfRange,
        Self::TooDeep,
    ];

    /// Its name in metrics and receipts.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NotAnObject => "not-an-object",
            Self::NoRole => "no-role",
            Self::UnknownRole => "unknown-role",
            Self::UnknownShape => "unknown-shape",
            Self::UnknownItem => "unknown-item",
            Self::RepeatedKey => "repeated-key",
            Self::LoneSurrogate => "lone-surrogate",
            Self::NullCharacter => "null-character",
            Self::ControlCharacter => "control-character",
            Self::UnknownEscape => "unknown-escape",
            Self::NotUtf8 => "not-utf8",
            Self::NumberOutOfRange => "number-out-of-range",
            Self::TooDeep => "too-deep",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_a_label_of_its_own() {
        let labels: std::collections::HashSet<_> = Oddity::ALL.iter().map(|oddity| oddity.label()).collect();
        assert_eq!(labels.len(), Oddity::ALL.len());
    }
}
