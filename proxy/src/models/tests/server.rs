//! A server on loopback that serves one file as Hugging Face does: sizes and digests in headers, ranges, and cuts on demand.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::models::Sha256Digest;

/// What was asked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) range: Option<String>,
}

#[derive(Debug, Default)]
struct Script {
    content: Vec<u8>,
    /// Bytes after which the next answer is cut, once.
    cut: Option<usize>,
    without_ranges: bool,
    stated: Option<Sha256Digest>,
    token: Option<String>,
    requests: Vec<Request>,
}

pub(super) struct Server {
    port: u16,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub(super) async fn start(content: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script { content, ..Script::default() }));
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { port, script }
    }

    pub(super) fn cutting_after(self, bytes: usize) -> Self {
        self.script.lock().unwrap().cut = Some(bytes);
        self
    }

    pub(super) fn without_ranges(self) -> Self {
        self.script.lock().unwrap().without_ranges = true;
        self
    }

    pub(super) fn stating(self, digest: Sha256Digest) -> Self {
        self.script.lock().unwrap().stated = Some(digest);
        self
    }

    pub(super) fn wanting_token(self, token: &str) -> Self {
        self.script.lock().unwrap().token = Some(token.to_owned());
        self
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.script.lock().unwrap().requests.clone()
    }
}

/// Answers one request and closes the connection.
async fn answer(mut stream: TcpStream, script: Arc<Mutex<Script>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let bytes = script.lock().unwrap().answer(&head);
    stream.write_all(&bytes).await.ok();
    stream.shutdown().await.ok();
}

impl Script {
    fn answer(&mut self, head: &str) -> Vec<u8> {
        let method = head.split(' ').next().unwrap_or_default().to_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        self.requests.push(Request { method: method.clone(), range: header("range") });
        let expected = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if expected.is_some() && header("authorization") != expected {
            return b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
        }
        if path != "/org/repo/resolve/main/tiny.gguf" {
            return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
        }
        let offset = header("range").filter(|_| !self.without_ranges);
        let offset: usize =
            offset.map_or(0, |range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
        let body = &self.content[offset..];
        let status = if offset > 0 { "206 Partial Content" } else { "200 OK" };
        let mut answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
        if offset > 0 {
            let (last, all) = (self.content.len() - 1, self.content.len());
            answer.push_str(&format!("content-range: bytes {offset}-{last}/{all}\r\n"));
        }
        answer.push_str(&format!("x-linked-size: {}\r\n", self.content.len()));
        if let Some(digest) = self.stated {
            answer.push_str(&format!("x-linked-etag: \"{digest}\"\r\n"));
        }
        answer.push_str("\r\n");
        let mut answer = answer.into_bytes();
        if method == "GET" {
            let length = self.cut.take().unwrap_or(body.len());
            answer.extend(&body[..length.min(body.len())]);
        }
        answer
    }
}
