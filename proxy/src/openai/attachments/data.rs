//! Bytes in base64, as they stand in a JSON string: decoded as far as they are needed, without unescaping the string first.

/// Base64 in a JSON string, perhaps of a `data:` address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoded<'a>(&'a [u8]);

impl<'a> Encoded<'a> {
    /// The bytes in `text`, a JSON string with its quotes; `None` when it is an address of something elsewhere.
    pub(super) fn new(text: &'a [u8]) -> Option<Self> {
        let inside = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let head = inside.get(..inside.len().min(LONGEST_HEAD))?;
        if head.starts_with(b"data:") {
            let comma = head.iter().position(|byte| *byte == b',')?;
            return Some(Self(inside.get(comma + 1..)?));
        }
        // An address has a colon, and base64 has none.
        (!head.contains(&b':')).then_some(Self(inside))
    }

    /// About how many bytes there are.
    pub(super) fn len(self) -> usize {
        self.0.len() / 4 * 3
    }

    /// The first bytes, at most `limit`, up to what is no base64.
    pub(super) fn first(self, limit: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(limit.min(self.len() + 3));
        let (mut held, mut bits) = (0_u32, 0);
        let mut escapes = false;
        for byte in self.0 {
            // Slashes are escaped by some clients, and long texts broken into lines.
            let is_break = matches!(byte, b' ' | b'\n') || (escapes && matches!(byte, b'n' | b'r'));
            escapes = *byte == b'\\';
            if escapes || is_break {
                continue;
            }
            let Some(digit) = digit(*byte) else { break };
            held = held << 6 | u32::from(digit);
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                bytes.extend(u8::try_from(held >> bits & 0xFF));
                if bytes.len() >= limit {
                    break;
                }
            }
        }
        bytes
    }
}

/// The head of a `data:` address is short.
const LONGEST_HEAD: usize = 256;

/// What a letter of base64 stands for, in the usual alphabet and in that for addresses.
fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// `bytes` in base64.
    pub(in super::super) fn encoded(bytes: &[u8]) -> String {
        let letter = |bits: u32, shift: u32| char::from(LETTERS[(bits >> shift & 63) as usize]);
        let pieces = bytes.chunks(3).map(|piece| {
            let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(piece.get(at).copied().unwrap_or(0)));
            let text: String = [18, 12, 6, 0].into_iter().map(|shift| letter(bits, shift)).collect();
            let written = piece.len() + 1;
            format!("{}{}", &text[..written], "=".repeat(4 - written))
        });
        pieces.collect()
    }

    #[test]
    fn what_was_encoded_is_decoded_with_escaped_slashes_and_up_to_a_limit() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encoded(&bytes);
        let escaped = format!("\"data:image\\/png;base64,{}\"", text.replace('/', "\\/"));
        for text in [format!("\"{text}\""), escaped] {
            let data = Encoded::new(text.as_bytes());
            assert_eq!(data.map(|data| data.first(usize::MAX)), Some(bytes.clone()), "{text}");
            assert_eq!(data.map(|data| data.first(5)), Some(vec![0, 1, 2, 3, 4]));
        }
        assert_eq!(Encoded::new(b"\"https://example.com/a.png\""), None);
        assert_eq!(Encoded::new(b"5"), None);
    }
}
