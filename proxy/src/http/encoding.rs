//! Takes the compression off a request's body, so that it can be looked into, within bounds of size and memory.
//!
//! The bytes that are forwarded are not its business.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::sync::Semaphore;

use crate::error::ProxyError;
use crate::room::{Held, Room};

/// Why a body's compression cannot be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodingError {
    /// The encoding is unknown here, or there are too many around each other.
    #[error("the encoding is not known here")]
    Unknown,
    /// The body is not what its headers say.
    #[error("the body is not what its encoding says")]
    Broken,
    /// The body is larger than allowed once decompressed.
    #[error("the body is too large once decompressed")]
    TooLarge,
    /// There is no room for the body once decompressed.
    #[error("there is no room for the body once decompressed")]
    NoRoom,
}

impl EncodingError {
    /// What a client is told whose body has to be read.
    pub(crate) fn refusal(self) -> ProxyError {
        if self == Self::NoRoom { ProxyError::NoRoom } else { ProxyError::UnsupportedEncoding }
    }
}

/// The body as it was before it was compressed, which holds what it takes of `room`; the body itself if it is not compressed. At most
/// `limit` bytes.
///
/// # Errors
/// When its encoding is unknown here, when it is not what its headers say, when it is larger than `limit`, or when there is no room.
pub(crate) async fn decompressed(
    headers: &HeaderMap,
    body: &Bytes,
    limit: usize,
    room: &Room,
) -> Result<Bytes, EncodingError> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body.clone());
    }
    let codings = codings(headers)?;
    if codings.is_empty() {
        return Ok(body.clone());
    }
    let permit = PLACES.acquire().await.map_err(|_| EncodingError::Broken)?;
    let (body, room) = (body.clone(), room.clone());
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        codings.iter().rev().try_fold(body, |body, coding| coding.undo(&body, limit, &room))
    });
    work.await.map_err(|_| EncodingError::Broken)?
}

/// How many bodies are decompressed at once: so many times the limit is the most memory that hostile ones can take.
static PLACES: Semaphore = Semaphore::const_new(4);

/// Most encodings of one body, each around the one before.
const MOST: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Zstandard,
}

/// The encodings in the order in which they were applied.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, EncodingError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| EncodingError::Unknown)?;
        for name in value.split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "zstd" => codings.push(Coding::Zstandard),
                _ => return Err(EncodingError::Unknown),
            }
        }
    }
    if codings.len() > MOST {
        return Err(EncodingError::Unknown);
    }
    Ok(codings)
}

impl Coding {
    fn undo(self, body: &[u8], limit: usize, room: &Room) -> Result<Bytes, EncodingError> {
        match self {
            Self::Gzip => bounded(MultiGzDecoder::new(body), limit, room),
            Self::Deflate if is_zlib(body) => bounded(ZlibDecoder::new(body), limit, room),
            Self::Deflate => bounded(DeflateDecoder::new(body), limit, room),
            Self::Zstandard => zstandard(body, limit, room),
        }
    }
}

/// `deflate` means zlib (RFC 9110, section 8.4.1.2); some clients send the bare stream.
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

fn zstandard(body: &[u8], limit: usize, room: &Room) -> Result<Bytes, EncodingError> {
    let decoder = zstd::stream::read::Decoder::with_buffer(body).and_then(|mut decoder| {
        decoder.window_log_max(window_log(limit))?;
        Ok(decoder)
    });
    bounded(decoder.map_err(|_| EncodingError::Broken)?, limit, room)
}

/// The largest window that a frame may ask memory for, as a power of two: no frame within the limit needs more than the
/// limit, and all of them may have 8 MiB (RFC 9659).
fn window_log(limit: usize) -> u32 {
    limit.next_power_of_two().trailing_zeros().clamp(23, 27)
}

fn bounded(mut decoder: impl Read, limit: usize, room: &Room) -> Result<Bytes, EncodingError> {
    let mut held = room.try_take(0).ok_or(EncodingError::NoRoom)?;
    let mut decompressed = Vec::new();
    while decompressed.len() <= limit {
        let before = decompressed.len();
        let capacity = (2 * before).max(FIRST_CAPACITY).min(limit + 1);
        grow(&mut held, before, capacity)?;
        decompressed.reserve_exact(capacity - before);
        let piece = decoder.by_ref().take((capacity - before) as u64).read_to_end(&mut decompressed);
        if piece.map_err(|error| broken(&error))? < capacity - before {
            held.keep(capacity);
            return Ok(held.around(decompressed.into()));
        }
    }
    Err(EncodingError::TooLarge)
}

/// What something grows to and what it was are there at once.
fn grow(held: &mut Held, before: usize, capacity: usize) -> Result<(), EncodingError> {
    held.keep(before);
    if held.try_grow_to(before + capacity) { Ok(()) } else { Err(EncodingError::NoRoom) }
}

/// What is taken for a body at first.
const FIRST_CAPACITY: usize = 64 << 10;

/// Zstandard refuses a window over the limit with these words and no kind of its own.
fn broken(error: &io::Error) -> EncodingError {
    if error.to_string().contains("too much memory") { EncodingError::TooLarge } else { EncodingError::Broken }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn encoded(names: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        headers
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn bare_deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(body: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(body, 3).unwrap()
    }

    fn undo(names: &[&'static str], body: &[u8], limit: usize) -> Result<Bytes, EncodingError> {
        let codings = codings(&encoded(names))?;
        let room = Room::of(1 << 30);
        codings.iter().rev().try_fold(Bytes::copy_from_slice(body), |body, coding| coding.undo(&body, limit, &room))
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_out_as_it_was(body in prop::collection::vec(any::<u8>(), 0..4000)) {
            for (names, compressed) in [
                (vec!["gzip"], gzip(&body)),
                (vec!["X-GZIP"], gzip(&body)),
                (vec!["deflate"], zlib(&body)),
                (vec!["zstd"], zstandard(&body)),
                (vec!["identity, gzip, zstd"], zstandard(&gzip(&body))),
                (vec!["deflate", "gzip"], gzip(&zlib(&body))),
                (vec![" Identity "], body.clone()),
            ] {
                let decompressed = undo(&names, &compressed, LIMIT).unwrap();
                prop_assert_eq!(&decompressed[..], &body[..], "{:?}", names);
            }
        }

        #[test]
        fn noise_is_never_more_than_an_error(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            for name in ["gzip", "deflate", "zstd"] {
                if let Err(reason) = undo(&[name], &noise, 1000) {
                    prop_assert!(matches!(reason, EncodingError::Broken | EncodingError::TooLarge));
                }
            }
        }
    }

    #[test]
    fn a_bare_deflate_stream_is_read_too() {
        let body = b"{\"messages\": []}".repeat(20);
        assert_eq!(undo(&["deflate"], &bare_deflate(&body), LIMIT).unwrap(), body);
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let large = vec![b' '; 50 << 20];
        for (name, bomb) in [("gzip", gzip(&large)), ("deflate", zlib(&large)), ("zstd", zstandard(&large))] {
            assert!(bomb.len() < LIMIT / 2, "{name}: {} bytes", bomb.len());
            assert_eq!(undo(&[name], &bomb, LIMIT), Err(EncodingError::TooLarge), "{name}");
        }
        let twice = gzip(&gzip(&large));
        assert_eq!(undo(&["gzip, gzip"], &twice, LIMIT), Err(EncodingError::TooLarge));
        let exact = vec![b' '; LIMIT];
        assert_eq!(undo(&["zstd"], &zstandard(&exact), LIMIT).unwrap().len(), LIMIT);
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_told_apart() {
        let body = b"a longer text that does not fit into one block ".repeat(100);
        for (name, whole) in [("gzip", gzip(&body)), ("zstd", zstandard(&body))] {
            let cut = &whole[..whole.len() / 2];
            assert_eq!(undo(&[name], cut, LIMIT), Err(EncodingError::Broken), "{name}");
        }
        assert_eq!(undo(&["br"], b"x", LIMIT), Err(EncodingError::Unknown));
        assert_eq!(undo(&["gzip, br"], b"x", LIMIT), Err(EncodingError::Unknown));
        assert_eq!(undo(&["gzip,gzip,gzip,gzip"], b"x", LIMIT), Err(EncodingError::Unknown));
    }

    #[tokio::test]
    async fn a_body_without_an_encoding_is_not_copied() {
        let body = Bytes::from_static(b"{}");
        let decompressed = decompressed(&HeaderMap::new(), &body, LIMIT, &Room::of(0)).await.unwrap();
        assert_eq!(decompressed.as_ptr(), body.as_ptr());
    }
    #[tokio::test]
    async fn a_body_holds_what_it_takes_once_decompressed_and_is_not_when_there_is_no_room() {
        let (room, headers) = (Room::of(4 << 20), encoded(&["gzip"]));
        let body = Bytes::from(gzip(&vec![b' '; LIMIT]));
        let plain = decompressed(&headers, &body, LIMIT, &room).await.unwrap();
        assert!(plain.len() == LIMIT && (LIMIT..=LIMIT + 1024).contains(&room.held()), "{}", room.held());
        let second = decompressed(&headers, &body, LIMIT, &room).await.unwrap();
        let third = decompressed(&headers, &body, LIMIT, &room).await;
        assert_eq!(third.unwrap_err(), EncodingError::NoRoom);
        drop((plain, second));
        assert_eq!(room.held(), 0);
    }
}
