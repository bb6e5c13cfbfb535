//! The ways of keeping shorter keys, and what each takes.
//!
//! It must not know how keys are coded.

use super::keys::Shape;
use super::levels::{Bits, Fit, SCALE};

/// A way of keeping keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scheme {
    /// Its name in result files, behind `full-pipeline-keys-` and `attention-among-keys-`.
    pub(super) name: &'static str,
    /// What it keeps, for tables.
    pub(super) title: &'static str,
    /// Which tokens it keeps keys of.
    pub(super) tokens: Tokens,
    /// The only slot that it keeps, of two; all if there is none.
    pub(super) slot: Option<usize>,
    /// How it writes a key.
    pub(super) code: Code,
}

/// The tokens of a passage that keep keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tokens {
    /// All of the main point.
    All,
    /// The first, the third and so on.
    EverySecond,
    /// So many.
    First(usize),
    /// One in the place of all: the mean of their keys.
    Mean,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Code {
    /// As it is read: int8, and a scale of 4 bytes.
    Whole,
    /// Few bits for each coordinate after a random rotation.
    Levels(Levels),
    /// The numbers of learned centroids.
    Product,
}

/// Codes of few bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    /// Bits a coordinate.
    pub(super) bits: Bits,
    /// Coordinates that are left out.
    pub(super) dropped: usize,
    /// How the scale is chosen.
    pub(super) fit: Fit,
    /// What is taken off every key first. A softmax over keys does not see what is taken off all of them.
    pub(super) centre: Centre,
}

/// What is taken off every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Centre {
    /// Nothing.
    Nothing,
    /// The mean of the keys of other conversations.
    Learned,
    /// The mean of the keys of the same conversation.
    Own,
}

/// The scheme that loses nothing, which the others are compared with.
pub(super) const WHOLE: &str = "int8";
/// Numbers of a key that a centroid stands for.
const PART: usize = 8;
/// Bytes of a key's scale in int8.
const WHOLE_SCALE: usize = 4;

const ONE_BIT: Levels = Levels {
    bits: Bits::One,
    dropped: 0,
    fit: Fit::Unbiased,
    centre: Centre::Nothing,
};
/// With its scale, 32 bytes.
const ONE_BIT_240: Levels = Levels { dropped: 16, ..ONE_BIT };
const TWO_BITS: Levels = Levels {
    bits: Bits::Two,
    ..ONE_BIT
};
/// With its scale, 64 bytes.
const TWO_BITS_248: Levels = Levels { dropped: 8, ..TWO_BITS };

/// All schemes, in the order of the table. The slots of the reference reader are its layers 3 and 5.
pub(super) const SCHEMES: &[Scheme] = &[
    scheme(WHOLE, "int8, as they are read", Code::Whole),
    levels(
        "bits-4",
        "4 bits a coordinate",
        Levels {
            bits: Bits::Four,
            ..ONE_BIT
        },
    ),
    levels("bits-2", "2 bits a coordinate", TWO_BITS),
    levels("bits-1", "1 bit a coordinate", ONE_BIT),
    levels(
        "bits-1-least-squares",
        "1 bit a coordinate, scale by least squares",
        Levels {
            fit: Fit::LeastSquares,
            ..ONE_BIT
        },
    ),
    levels(
        "bits-1-centred",
        "1 bit a coordinate, minus the mean key of other conversations",
        Levels {
            centre: Centre::Learned,
            ..ONE_BIT
        },
    ),
    levels(
        "bits-1-own-mean",
        "1 bit a coordinate, minus the conversation's mean key",
        Levels {
            centre: Centre::Own,
            ..ONE_BIT
        },
    ),
    levels("bits-1-60", "1 bit for 240 of 256 coordinates", ONE_BIT_240),
    levels(
        "bits-1-60-centred",
        "1 bit for 240 of 256 coordinates, minus the mean key of other conversations",
        Levels {
            centre: Centre::Learned,
            ..ONE_BIT_240
        },
    ),
    scheme("product-32", "32 parts by one of 256 centroids each", Code::Product),
    one_layer(
        0,
        scheme("one-layer-3", "int8, layer 3 alone (1 of 4 search heads)", Code::Whole),
    ),
    one_layer(
        1,
        scheme("one-layer-5", "int8, layer 5 alone (3 of 4 search heads)", Code::Whole),
    ),
    one_layer(
        1,
        levels(
            "one-layer-5-bits-4",
            "4 bits a coordinate, layer 5 alone",
            Levels {
                bits: Bits::Four,
                ..ONE_BIT
            },
        ),
    ),
    one_layer(
        1,
        scheme(
            "one-layer-5-product-32",
            "32 parts by one of 256 centroids each, layer 5 alone",
            Code::Product,
        ),
    ),
    one_layer(
        1,
        levels(
            "one-layer-5-bits-2",
            "2 bits for 248 of 256 coordinates, layer 5 alone",
            TWO_BITS_248,
        ),
    ),
    one_layer(
        1,
        levels(
            "one-layer-5-bits-2-centred",
            "2 bits for 248 of 256 coordinates, layer 5 alone, minus the mean key of other conversations",
            Levels {
                centre: Centre::Learned,
                ..TWO_BITS_248
            },
        ),
    ),
    of_tokens(
        Tokens::EverySecond,
        scheme("every-second", "int8, every second token", Code::Whole),
    ),
    of_tokens(
        Tokens::First(8),
        scheme("first-8", "int8, the first 8 tokens of a passage", Code::Whole),
    ),
    of_tokens(
        Tokens::Mean,
        scheme("pooled", "int8, one mean key a passage", Code::Whole),
    ),
    of_tokens(
        Tokens::Mean,
        levels("bits-1-pooled", "1 bit a coordinate, one mean key a passage", ONE_BIT),
    ),
];

impl Scheme {
    /// The scheme of this name.
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Option<Self> {
        SCHEMES.iter().copied().find(|scheme| scheme.name == name)
    }

    /// Whether it needs something learned on other conversations.
    #[must_use]
    pub(super) fn needs_learning(&self) -> bool {
        match self.code {
            Code::Whole => false,
            Code::Levels(levels) => levels.centre == Centre::Learned,
            Code::Product => true,
        }
    }

    /// Whether it can be applied to keys with so many slots.
    #[must_use]
    pub(super) fn fits(&self, slots: usize) -> bool {
        self.slot.is_none() || slots == 2
    }

    /// Bytes of the keys of a block, without its header.
    #[must_use]
    pub(super) fn bytes(&self, shape: Shape) -> usize {
        let tokens = match self.tokens {
            Tokens::All => shape.tokens,
            Tokens::EverySecond => shape.tokens.div_ceil(2),
            Tokens::First(most) => shape.tokens.min(most),
            Tokens::Mean => shape.tokens.min(1),
        };
        let key = match self.code {
            Code::Whole => shape.width + WHOLE_SCALE,
            Code::Levels(levels) => {
                let coordinates = shape.width.next_power_of_two().saturating_sub(levels.dropped);
                levels.bits.bytes(coordinates) + SCALE
            }
            Code::Product => shape.width / PART,
        };
        tokens * self.slot.map_or(shape.slots, |_| 1) * key
    }
}

const fn scheme(name: &'static str, title: &'static str, code: Code) -> Scheme {
    Scheme {
        name,
        title,
        tokens: Tokens::All,
        slot: None,
        code,
    }
}

const fn levels(name: &'static str, title: &'static str, levels: Levels) -> Scheme {
    scheme(name, title, Code::Levels(levels))
}

const fn one_layer(slot: usize, scheme: Scheme) -> Scheme {
    Scheme {
        slot: Some(slot),
        ..scheme
    }
}

const fn of_tokens(tokens: Tokens, scheme: Scheme) -> Scheme {
    Scheme { tokens, ..scheme }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn every_scheme_takes_the_bytes_that_it_says() {
        let bytes = |name: &str, tokens: usize| {
            Scheme::named(name).unwrap().bytes(Shape {
                slots: 2,
                width: 256,
                tokens,
            })
        };
        for (name, each) in [
            ("bits-4", 260),
            ("bits-2", 132),
            ("bits-1", 68),
            ("bits-1-least-squares", 68),
            ("bits-1-centred", 68),
            ("bits-1-own-mean", 68),
            ("bits-1-60", 64),
            ("bits-1-60-centred", 64),
            ("product-32", 64),
            ("one-layer-3", 260),
            ("one-layer-5", 260),
            ("one-layer-5-bits-4", 130),
            ("one-layer-5-product-32", 32),
            ("one-layer-5-bits-2", 64),
            ("one-layer-5-bits-2-centred", 64),
        ] {
            assert_eq!((bytes(name, 1), bytes(name, 20)), (each, 20 * each), "{name}");
        }
        assert_eq!((bytes("pooled", 20), bytes("bits-1-pooled", 20)), (520, 68));
        assert_eq!((bytes("every-second", 5), bytes("first-8", 20)), (3 * 520, 8 * 520));
        assert_eq!((bytes("pooled", 0), bytes("first-8", 5)), (0, 5 * 520));
        assert_eq!(bytes(WHOLE, 3), 3 * 520);
    }

    #[test]
    fn every_scheme_has_a_name_of_its_own() {
        let mut names: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCHEMES.len());
    }
}
