//! A client's socket that tells its connection when bytes come and when the client takes none.

use tokio::net::TcpStream;

use super::connection_table::Entry;
use crate::http::tapped::{Ear, Tapped};

/// The socket; the connection counts until it is dropped.
pub(super) type Socket = Tapped<TcpStream, Client>;

/// What a client does on its connection.
#[derive(Debug)]
pub(super) struct Client {
    entry: Entry,
    is_stuck: bool,
}

/// Listens to `stream`.
pub(super) fn socket(stream: TcpStream, entry: Entry) -> Socket {
    Tapped { stream, ear: Client { entry, is_stuck: false } }
}

impl Ear for Client {
    fn read(&mut self, bytes: usize) {
        self.entry.state().received(bytes);
    }

    fn written(&mut self, is_pending: bool) {
        if is_pending == self.is_stuck {
            return;
        }
        self.is_stuck = is_pending;
        if is_pending {
            self.entry.state().is_stuck();
        } else {
            self.entry.state().flows();
        }
    }
}
