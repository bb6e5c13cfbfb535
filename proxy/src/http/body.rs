//! Reads a request's body into memory, bounded in size. How long its client is waited for is the body's own matter.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap};
use http_body::Body;
use http_body_util::BodyExt;

use super::arriving::unreadable;
use crate::error::ProxyError;

/// The body, at most `limit` bytes of it.
///
/// # Errors
/// When the body is larger, breaks off or stalls.
pub(crate) async fn read<B>(mut body: B, headers: &HeaderMap, limit: usize) -> Result<Bytes, ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = announced(headers);
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(FIRST_CAPACITY));
    let mut too_large = announced.is_some_and(|length| length > limit);
    while !too_large && !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|source| unreadable(source.into()))?;
        if let Ok(data) = frame.into_data() {
            too_large = bytes.len() + data.len() > limit;
            bytes.extend_from_slice(&data);
        }
    }
    if !too_large {
        return Ok(bytes.freeze());
    }
    // Many clients look at the answer only once they have sent everything. One that asked first has sent nothing yet.
    if !headers.contains_key(EXPECT) {
        drop(bytes);
        discard(body).await;
    }
    Err(ProxyError::BodyTooLarge { limit })
}

/// Reads a body that nobody wants, so that its client comes to look at the answer. Not for ever, and not without end.
pub(crate) async fn discard<B: Body<Data = Bytes> + Unpin>(body: B) {
    // What comes after that is not read any more; the client may see its connection break.
    let _ = tokio::time::timeout(DISCARD_TIME, throw_away(body)).await;
}

const FIRST_CAPACITY: usize = 1 << 20;
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
    use futures::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_and_a_larger_one_is_refused() {
        let body = |length: usize| Full::new(Bytes::from(vec![b'a'; length]));
        assert_eq!(read(body(5), &HeaderMap::new(), 5).await.unwrap(), "aaaaa");
        let error = read(body(6), &HeaderMap::new(), 5).await.unwrap_err();
        assert_eq!(error.refusal().status, 413);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let frames: Vec<Result<Frame<Bytes>, std::io::Error>> =
            vec![Ok(Frame::data(Bytes::from("a"))), Err(std::io::Error::other("reset"))];
        let error = read(StreamBody::new(stream::iter(frames)), &HeaderMap::new(), 5).await.unwrap_err();
        assert_eq!(error.refusal().status, 400);
    }

    #[tokio::test]
    async fn a_length_over_the_limit_is_refused_and_what_comes_is_thrown_away() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, http::HeaderValue::from(1000));
        let error = read(Full::new(Bytes::from("a")), &headers, 5).await.unwrap_err();
        assert_eq!(error.refusal().code, "body_too_large");
    }
}
