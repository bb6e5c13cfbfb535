//! What a file or a recording costs: pages of a PDF, characters of a text, seconds of sound, found out from its bytes.
//!
//! All of it is a guess, made in time that grows with the file and no faster.

use std::io::Read;

use flate2::bufread::ZlibDecoder;

use super::data::Encoded;

/// Providers read a page as its text and as a picture of it.
pub(super) const TOKENS_PER_PAGE: usize = 1500;

/// Tokens of a file.
pub(super) fn tokens_of_file(data: Encoded<'_>) -> usize {
    let head = data.first(HEAD);
    if head.starts_with(b"%PDF") || contains(&head, b"%PDF-") {
        return pages(&data.first(LARGEST_PDF)).unwrap_or_else(|| by_size(data.len())) * TOKENS_PER_PAGE;
    }
    let is_text = head.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\n' | b'\r' | b'\t'));
    if is_text { data.len().div_ceil(4) } else { by_size(data.len()) * TOKENS_PER_PAGE }
}

/// Seconds of sound, at least one: of a WAV by what its head says, else at the rate that compressed speech usually has.
pub(super) fn seconds_of_sound(data: Encoded<'_>) -> usize {
    let head = data.first(HEAD);
    let rate = head.get(28..32).and_then(|rate| rate.try_into().ok()).map(u32::from_le_bytes);
    let is_wave = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE");
    let rate = match rate.and_then(|rate| usize::try_from(rate).ok()) {
        Some(rate) if is_wave && rate > 0 => rate,
        _ => COMPRESSED_SOUND,
    };
    data.len().div_ceil(rate).max(1)
}

/// So much of a file says what it is.
const HEAD: usize = 512;
/// Of a larger PDF only the beginning is looked at.
const LARGEST_PDF: usize = 64 << 20;
/// Bytes of a page of a document whose pages cannot be counted, and the most pages that are believed then.
const BYTES_PER_PAGE: usize = 50 << 10;
const MOST_PAGES: usize = 100;
/// Bytes a second, 128 kbit/s.
const COMPRESSED_SOUND: usize = 16_000;
/// How much of a PDF's compressed tables is unpacked.
const UNPACKED: u64 = 4 << 20;

fn by_size(bytes: usize) -> usize {
    bytes.div_ceil(BYTES_PER_PAGE).clamp(1, MOST_PAGES)
}

/// The pages of a PDF: its page objects, or, where those are packed away, what its packed tables hold or its first table says.
fn pages(pdf: &[u8]) -> Option<usize> {
    let plain = page_objects(pdf);
    let found = if plain > 0 { plain } else { packed_pages(pdf).max(linear_pages(pdf)) };
    (found > 0).then_some(found)
}

/// Objects that are a page, `/Type /Page` with any white space.
fn page_objects(text: &[u8]) -> usize {
    let mut count = 0;
    for at in places(text, b"/Type") {
        let rest = text.get(at + b"/Type".len()..).unwrap_or_default().trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"/Page") {
            count += usize::from(!after.first().is_some_and(u8::is_ascii_alphanumeric));
        }
    }
    count
}

/// Page objects in packed object streams.
fn packed_pages(pdf: &[u8]) -> usize {
    let mut left = UNPACKED;
    let mut count = 0;
    for at in places(pdf, b"/ObjStm") {
        let after = pdf.get(at..).unwrap_or_default();
        let Some(begin) = places(after, b"stream").next() else {
            continue;
        };
        let packed = after.get(begin + b"stream".len()..).unwrap_or_default().trim_ascii_start();
        let mut unpacked = Vec::new();
        // What breaks off is counted as far as it goes.
        let _ = ZlibDecoder::new(packed).take(left).read_to_end(&mut unpacked);
        count += page_objects(&unpacked);
        left = left.saturating_sub(unpacked.len() as u64);
        if left == 0 {
            break;
        }
    }
    count
}

/// What a PDF that is laid out for the web says in its first object: `/N` and the number of pages.
fn linear_pages(pdf: &[u8]) -> usize {
    let head = pdf.get(..pdf.len().min(HEAD * 2)).unwrap_or_default();
    if !contains(head, b"/Linearized") {
        return 0;
    }
    let number = places(head, b"/N ").next().and_then(|at| {
        let digits = head.get(at + 3..)?.trim_ascii_start();
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(digits.get(..length)?).ok()?.parse().ok()
    });
    number.unwrap_or(0)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    places(text, word).next().is_some()
}

/// Where `word` stands in `text`.
fn places<'a>(text: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = word.first().copied().unwrap_or_default();
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let at = from + rest.iter().position(|byte| *byte == first)?;
            from = at + 1;
            if text.get(at..)?.starts_with(word) {
                return Some(at);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::super::data::tests::encoded;
    use super::*;

    fn tokens(bytes: &[u8]) -> usize {
        tokens_of_file(Encoded::new(format!("\"{}\"", encoded(bytes)).as_bytes()).unwrap())
    }

    fn page(number: usize) -> String {
        format!("{number} 0 obj\n<< /Type /Page /Parent 1 0 R >>\nendobj\n")
    }

    #[test]
    fn a_pdf_is_counted_by_its_pages_however_large_it_is() {
        let pages: String = (2..7).map(page).collect();
        let pdf = format!("%PDF-1.4\n1 0 obj\n<</Type/Pages /Count 5>>\nendobj\n{pages}{}", "x".repeat(225_000));
        assert_eq!(tokens(pdf.as_bytes()), 5 * TOKENS_PER_PAGE);
    }

    #[test]
    fn pages_that_are_packed_away_are_found() {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all((0..12).map(page).collect::<String>().as_bytes()).unwrap();
        let mut pdf = b"%PDF-1.5\n4 0 obj\n<</Type/ObjStm/N 12/Filter/FlateDecode>>\nstream\r\n".to_vec();
        pdf.extend(packed.finish().unwrap());
        pdf.extend(b"\nendstream\nendobj");
        assert_eq!(tokens(&pdf), 12 * TOKENS_PER_PAGE);
        let linear = b"%PDF-1.6\n1 0 obj\n<</Linearized 1/L 900/N 31/T 80>>\nendobj\n";
        assert_eq!(tokens(linear), 31 * TOKENS_PER_PAGE);
    }

    #[test]
    fn other_files_are_counted_by_what_they_are() {
        assert_eq!(tokens("word\n".repeat(600).as_bytes()), 750);
        let office = [b"PK\x03\x04\0\0".as_slice(), &[7; 120_000]].concat();
        assert_eq!(tokens(&office), 3 * TOKENS_PER_PAGE);
        assert_eq!(tokens(b"%PDF-1.4 broken"), TOKENS_PER_PAGE);
    }

    #[test]
    fn sound_is_counted_by_its_length() {
        let mut wave = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wave.extend(16_000_u32.to_le_bytes());
        wave.extend(32_000_u32.to_le_bytes());
        wave.resize(318_000, 0);
        let text = format!("\"{}\"", encoded(&wave));
        assert_eq!(seconds_of_sound(Encoded::new(text.as_bytes()).unwrap()), 10);
        let text = format!("\"{}\"", encoded(&[0xFF; 159_999]));
        assert_eq!(seconds_of_sound(Encoded::new(text.as_bytes()).unwrap()), 10);
    }
}
