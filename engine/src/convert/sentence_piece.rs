//! Reading what a SentencePiece model file says: the pieces of its vocabulary and how it prepares a text.
//!
//! The file is a protocol buffer; only the few fields that are needed are read.

/// What a model file says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct SentencePieces {
    /// The vocabulary, in its order.
    pub(super) pieces: Vec<Piece>,
    /// The normaliser's table, empty where there is none.
    pub(super) character_map: Vec<u8>,
}

/// One piece of a vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// What a piece is, with the numbers of the file, which are those of GGUF too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// Reads a model file; `None` if it is not one.
pub(super) fn read(bytes: &[u8]) -> Option<SentencePieces> {
    let mut found = SentencePieces::default();
    let mut fields = Fields { rest: bytes };
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(piece)) => found.pieces.push(read_piece(piece)?),
            (3, Value::Bytes(normalizer)) => found.character_map = read_character_map(normalizer)?,
            _ => {}
        }
    }
    (!found.pieces.is_empty()).then_some(found)
}

fn read_piece(bytes: &[u8]) -> Option<Piece> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
    let mut fields = Fields { rest: bytes };
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(text)) => piece.text = String::from_utf8(text.to_vec()).ok()?,
            (2, Value::Four(score)) => piece.score = f32::from_le_bytes(score),
            (3, Value::Number(kind)) => piece.kind = Kind::from_number(kind)?,
            _ => {}
        }
    }
    Some(piece)
}

fn read_character_map(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut map = Vec::new();
    let mut fields = Fields { rest: bytes };
    while let Some(field) = fields.next()? {
        if let (2, Value::Bytes(bytes)) = field {
            map = bytes.to_vec();
        }
    }
    Some(map)
}

impl Kind {
    fn from_number(number: u64) -> Option<Self> {
        let kinds = [Self::Normal, Self::Unknown, Self::Control, Self::UserDefined, Self::Unused, Self::Byte];
        kinds.into_iter().find(|kind| *kind as u64 == number)
    }
}

/// The value of a field, by its wire type.
enum Value<'bytes> {
    Number(u64),
    Bytes(&'bytes [u8]),
    Four([u8; 4]),
    Eight,
}

/// The fields of a message that have not been read yet.
struct Fields<'bytes> {
    rest: &'bytes [u8],
}

impl<'bytes> Fields<'bytes> {
    /// The number and the value of the next field, `Some(None)` at the end, and `None` if the message is malformed.
    fn next(&mut self) -> Option<Option<(u64, Value<'bytes>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => {
                self.take(8)?;
                Value::Eight
            }
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some(Some((tag >> 3, value)))
    }

    /// A number in groups of seven bits, the lowest first.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(*self.take(1)?.first()?);
            number |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'bytes [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A model file with these pieces.
    pub(in super::super) fn written(pieces: &[Piece], character_map: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in pieces {
            let mut own = field(1, piece.text.as_bytes());
            own.push(2 << 3 | 5);
            own.extend(piece.score.to_le_bytes());
            own.extend([3 << 3, piece.kind as u8]);
            bytes.extend(field(1, &own));
        }
        // A field that nobody asks for, of every wire type.
        bytes.extend([9 << 3, 0xff, 0x01, 10 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(field(3, &field(2, character_map)));
        bytes
    }

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f | 0x80).unwrap_or(0));
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap_or(0));
        bytes.extend(content);
        bytes
    }

    #[test]
    fn a_file_that_is_none_has_no_pieces() {
        assert_eq!(read(b""), None);
        assert_eq!(read(b"\x0a\x05ab"), None);
        assert_eq!(read(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }

    fn a_piece() -> impl Strategy<Value = Piece> {
        let kinds = prop_oneof![
            Just(Kind::Normal),
            Just(Kind::Unknown),
            Just(Kind::Control),
            Just(Kind::UserDefined),
            Just(Kind::Unused),
            Just(Kind::Byte)
        ];
        ("\\PC{0,200}", -1e3_f32..1e3, kinds).prop_map(|(text, score, kind)| Piece { text, score, kind })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(pieces in prop::collection::vec(a_piece(), 1..8), map in prop::collection::vec(any::<u8>(), 0..300)) {
            let read = read(&written(&pieces, &map));
            prop_assert_eq!(read, Some(SentencePieces { pieces, character_map: map }));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
