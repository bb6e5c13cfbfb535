//! A body that comes piece by piece, as a whole if it is not too large.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use crate::error::ProxyError;
use crate::http::response::{Body, BodyError};

/// A body of which some has come.
pub(super) enum Gathered {
    /// All of it.
    Whole(Bytes),
    /// The same body, which is longer than is gathered.
    TooLarge(Body),
}

/// Gathers a body.
///
/// # Errors
/// When it breaks off.
pub(super) async fn gather(mut body: Body) -> Result<Gathered, ProxyError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > LARGEST {
            let first = stream::iter([Ok::<_, BodyError>(Frame::data(bytes.freeze()))]);
            return Ok(Gathered::TooLarge(StreamBody::new(first.chain(BodyStream::new(body))).boxed_unsync()));
        }
    }
    Ok(Gathered::Whole(bytes.freeze()))
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
        let whole = gather(body(vec![Ok(b"a".to_vec()), Ok(b"b".to_vec())])).await.unwrap();
        assert!(matches!(whole, Gathered::Whole(bytes) if bytes == "ab"));
        assert!(matches!(gather(body(vec![Err("reset")])).await, Err(ProxyError::UpstreamBroken)));
        let pieces = vec![Ok(vec![1; LARGEST]), Ok(vec![2]), Ok(vec![3])];
        let Gathered::TooLarge(body) = gather(body(pieces)).await.unwrap() else {
            panic!("it is too large");
        };
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!((bytes.len(), &bytes[LARGEST..]), (LARGEST + 2, &[2, 3][..]));
    }
}
