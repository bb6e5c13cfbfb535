//! Reads a request's body into memory, bounded in size, where there is room for it. How long its client is waited for is the body's own
//! matter; but one that keeps others waiting for its room has to send.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::arriving::unreadable;
use crate::error::ProxyError;
use crate::room::{Held, Room};
use crate::telemetry::metrics;

/// The body, at most `limit` bytes of it, which holds what it takes of `room` until its last copy is dropped.
///
/// # Errors
/// When the body is larger, breaks off or stalls, and when there is no room for it.
pub(crate) async fn read<B>(mut body: B, headers: &HeaderMap, limit: usize, room: &Room) -> Result<Bytes, ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = announced(headers);
    let expected = announced.unwrap_or(FIRST_CAPACITY.min(limit));
    let read = if expected > limit {
        Err(ProxyError::BodyTooLarge { limit })
    } else if let Some(held) = room.take(expected).await {
        gather(&mut body, limit, held).await
    } else {
        Err(ProxyError::NoRoom)
    };
    if matches!(read, Err(ProxyError::NoRoom)) {
        metrics::no_room("body");
    }
    // Many clients look at the answer only once they have sent everything. One that asked first has sent nothing yet.
    if matches!(read, Err(ProxyError::BodyTooLarge { .. } | ProxyError::NoRoom)) && !headers.contains_key(EXPECT) {
        discard(body).await;
    }
    read
}

/// The body, for as much of which as is announced there is room.
async fn gather<B>(body: &mut B, limit: usize, mut held: Held) -> Result<Bytes, ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut bytes = BytesMut::with_capacity(held.bytes());
    let began = Instant::now();
    let mut look = pin!(tokio::time::sleep_until(began + PATIENCE));
    while !body.is_end_stream() {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            // One that takes little keeps nobody waiting.
            () = look.as_mut(), if held.bytes() > LITTLE => {
                let allowed = PATIENCE + Duration::from_secs((bytes.len() / LEAST_RATE) as u64);
                let (now, due) = (Instant::now(), began + allowed);
                if due <= now && held.is_wanted() {
                    return Err(ProxyError::NoRoom);
                }
                look.as_mut().reset(due.max(now + PATIENCE));
                continue;
            }
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|source| unreadable(source.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(ProxyError::BodyTooLarge { limit });
        }
        if length > bytes.capacity() {
            // What it grows to and what it was are there at once.
            let capacity = (2 * length).min(limit);
            if !held.grow_to(capacity + length).await {
                return Err(ProxyError::NoRoom);
            }
            bytes.reserve(capacity - bytes.len());
            held.keep(capacity);
        }
        bytes.extend_from_slice(&data);
    }
    held.keep(bytes.len());
    Ok(held.around(bytes.freeze()))
}

/// Reads a body that nobody wants, so that its client comes to look at the answer. Not for ever, and not without end.
pub(crate) async fn discard<B: Body<Data = Bytes> + Unpin>(body: B) {
    // What comes after that is not read any more; the client may see its connection break.
    let _ = tokio::time::timeout(DISCARD_TIME, throw_away(body)).await;
}

/// What is taken for a body that does not say how long it is.
const FIRST_CAPACITY: usize = 64 << 10;
/// While others wait for room, a body that takes more than a little of it has to come as quickly as this, in bytes a second,
/// but for a moment.
const LITTLE: usize = 64 << 10;
const LEAST_RATE: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of a body that nobody wants is read and thrown away, and for how long.
const DISCARD_BYTES: usize = 256 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(10);

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn throw_away<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut left = DISCARD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn room() -> Room {
        Room::of(1 << 20)
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_and_a_larger_one_is_refused() {
        let body = |length: usize| Full::new(Bytes::from(vec![b'a'; length]));
        assert_eq!(read(body(5), &HeaderMap::new(), 5, &room()).await.unwrap(), "aaaaa");
        let error = read(body(6), &HeaderMap::new(), 5, &room()).await.unwrap_err();
        assert_eq!(error.refusal().status, 413);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let frames: Vec<Result<Frame<Bytes>, std::io::Error>> =
            vec![Ok(Frame::data(Bytes::from("a"))), Err(std::io::Error::other("reset"))];
        let error = read(StreamBody::new(stream::iter(frames)), &HeaderMap::new(), 5, &room()).await.unwrap_err();
        assert_eq!(error.refusal().status, 400);
    }

    #[tokio::test]
    async fn a_length_over_the_limit_is_refused_and_what_comes_is_thrown_away() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, http::HeaderValue::from(1000));
        let error = read(Full::new(Bytes::from("a")), &headers, 5, &room()).await.unwrap_err();
        assert_eq!(error.refusal().code, "body_too_large");
    }
    /// The pieces, and after them nothing for ever.
    fn stalled(pieces: Vec<Vec<u8>>) -> impl Body<Data = Bytes, Error = std::io::Error> + Unpin {
        let come = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
        StreamBody::new(stream::iter(come).chain(stream::pending()))
    }

    #[tokio::test]
    async fn a_body_holds_what_it_takes_of_the_room_and_no_more() {
        let room = room();
        let pieces: Vec<Result<Frame<Bytes>, std::io::Error>> =
            (0..30).map(|_| Ok(Frame::data(Bytes::from(vec![b'a'; 10_000])))).collect();
        let body = read(StreamBody::new(stream::iter(pieces)), &HeaderMap::new(), 1 << 20, &room).await.unwrap();
        assert_eq!((body.len(), room.held()), (300_000, 293 << 10));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, http::HeaderValue::from(800_000));
        let other = Full::new(Bytes::from(vec![b'a'; 800_000]));
        let error = read(other, &headers, 1 << 20, &room).await.unwrap_err();
        assert_eq!((error.refusal().status.as_u16(), error.refusal().code), (503, "no_room"));
        drop(body);
        assert_eq!(room.held(), 0);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_makes_room_for_one_that_does() {
        let room = room();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, http::HeaderValue::from(900_000));
        headers.insert(EXPECT, http::HeaderValue::from_static("100-continue"));
        let slow = read(stalled(vec![vec![b'a'; 1000]]), &headers, 1 << 20, &room);
        let quick = read(Full::new(Bytes::from(vec![b'a'; 900_000])), &headers, 1 << 20, &room);
        let (slow, quick) = tokio::join!(slow, quick);
        assert_eq!(slow.unwrap_err().refusal().code, "no_room");
        assert_eq!(quick.unwrap().len(), 900_000);
    }
}
