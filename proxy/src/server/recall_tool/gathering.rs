//! A body that comes piece by piece, as a whole if it is not too large.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use crate::error::ProxyError;
use crate::http::response::{Body, BodyError};
use crate::room::{Held, Room};
use crate::telemetry::metrics;

/// A body of which some has come.
pub(super) enum Gathered {
    /// All of it, and what is held for it.
    Whole(Bytes, Option<Held>),
    /// The same body, which is longer than is gathered, or than there is room for.
    TooLarge(Body),
}

/// Gathers a body, as far as there is room for it.
///
/// # Errors
/// When it breaks off.
pub(super) async fn gather(mut body: Body, room: &Room) -> Result<Gathered, ProxyError> {
    let mut bytes = BytesMut::new();
    let mut held = room.try_take(FIRST_ROOM);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            bytes.extend_from_slice(&data);
        }
        let wanted = COPIES * bytes.len();
        let has_room = held.as_mut().is_some_and(|held| wanted <= held.bytes() || held.try_grow_to(2 * wanted));
        if !has_room {
            metrics::no_room("answer");
        }
        if !has_room || bytes.len() > LARGEST {
            let first = stream::iter([Ok::<_, BodyError>(Frame::data(bytes.freeze()))]);
            return Ok(Gathered::TooLarge(StreamBody::new(first.chain(BodyStream::new(body))).boxed_unsync()));
        }
    }
    Ok(Gathered::Whole(bytes.freeze(), held))
}

/// What a client is told of a body that broke off.
fn broken(error: BodyError) -> ProxyError {
    match error.downcast::<ProxyError>() {
        Ok(error) => *error,
        Err(error) => {
            tracing::warn!(error = %error, "the upstream broke off in the middle of an answer");
            ProxyError::UpstreamBroken
        }
    }
}

/// What is taken for an answer at first.
const FIRST_ROOM: usize = 64 << 10;
/// How often an answer is there: as it came, as it is read, and as it is sent.
const COPIES: usize = 3;
/// A larger answer is passed on unread.
const LARGEST: usize = 8 << 20;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]
    use super::*;

    fn body(pieces: Vec<Result<Vec<u8>, &'static str>>) -> Body {
        let frames =
            pieces.into_iter().map(|piece| piece.map(|bytes| Frame::data(bytes.into())).map_err(BodyError::from));
        StreamBody::new(stream::iter(frames.collect::<Vec<_>>())).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_is_whole_too_large_or_broken() {
        let room = Room::of(64 << 20);
        let whole = gather(body(vec![Ok(b"a".to_vec()), Ok(b"b".to_vec())]), &room).await.unwrap();
        assert!(matches!(whole, Gathered::Whole(bytes, _) if bytes == "ab"));
        assert!(matches!(gather(body(vec![Err("reset")]), &room).await, Err(ProxyError::UpstreamBroken)));
        let small = Room::of(FIRST_ROOM);
        let large = gather(body(vec![Ok(vec![1; FIRST_ROOM]), Ok(vec![2])]), &small).await.unwrap();
        assert!(matches!(large, Gathered::TooLarge(_)) && small.held() == 0);
        let pieces = vec![Ok(vec![1; LARGEST]), Ok(vec![2]), Ok(vec![3])];
        let Gathered::TooLarge(body) = gather(body(pieces), &room).await.unwrap() else {
            panic!("it is too large");
        };
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!((bytes.len(), &bytes[LARGEST..]), (LARGEST + 2, &[2, 3][..]));
    }
}
