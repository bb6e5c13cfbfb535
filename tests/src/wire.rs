//! Clients that change nothing: one for ordinary requests, and one that writes exactly the bytes it is given.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::deadline::within;

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one ordinary request may take.
const REQUEST: Duration = Duration::from_secs(120);

/// A client that follows no proxy settings and no redirects, and takes no encoding off.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn client() -> reqwest::Client {
    builder().build().expect("a client")
}

/// What [`client`] is built by.
pub fn builder() -> reqwest::ClientBuilder {
    // Other crates of the workspace may switch on the decoders of this one.
    let builder = reqwest::Client::builder().no_gzip().no_brotli().no_zstd().no_deflate();
    builder.no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(REQUEST)
}

/// The same, speaking HTTP/2 from the first byte.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn client_of_http_2() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_gzip().no_brotli().no_zstd().no_deflate();
    let builder = builder.no_proxy().http2_prior_knowledge().timeout(REQUEST);
    builder.build().expect("a client")
}

/// Sends `request` to `authority` and reads until the other side closes. The request must ask for that with
/// `Connection: close`.
///
/// # Panics
/// When the connection fails or is not closed in time.
pub async fn exchange(authority: &str, request: &[u8]) -> Vec<u8> {
    within("a raw exchange ends", PATIENCE, async {
        let mut stream = TcpStream::connect(authority).await.expect("a connection");
        stream.write_all(request).await.expect("the request is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the answer is read");
        answer
    })
    .await
}

/// The status of a raw answer.
///
/// # Panics
/// When it does not begin as an HTTP answer does.
#[must_use]
pub fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("not an HTTP answer: {text:?}"))
}
