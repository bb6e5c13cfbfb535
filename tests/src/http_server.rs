//! A plain HTTP/1.1 server on a listener.

use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Any error that ends a connection.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Pause after a failed accept, such as when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Most headers of a request.
const MOST_HEADERS: usize = 2000;

/// Answers every request of every connection, until the future is dropped; connections go on without it.
pub async fn serve<F, R, B, E>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data: Send, Error: Into<AnyError>> + Send + 'static,
    E: Into<AnyError> + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without this, small chunks wait for the acknowledgement of those before.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        // A connection that one side breaks off is no failure of the server.
        let mut builder = http1::Builder::new();
        builder.max_headers(MOST_HEADERS);
        let connection = builder.serve_connection(TokioIo::new(stream), service_fn(answer.clone()));
        tokio::spawn(connection);
    }
}
