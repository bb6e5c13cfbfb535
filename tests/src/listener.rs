//! A socket of the loopback interface whose connections are served side by side.

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens until it is dropped; connections that it has taken go on without it.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The free port that the system chose.
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Starts to listen, and gives every connection to `serve`.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Self { port, accepting }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
