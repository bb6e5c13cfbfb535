//! An upstream that speaks HTTP/2 frame by frame, and breaks off as it is told. TLS is in front of it, as services have it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::Listener;

/// A frame of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The head of an answer with the status 200.
    Head,
    /// The same with a header of so many bytes.
    LargeHead(usize),
    /// A piece of its body; the last one where the text ends with a full stop.
    Body(&'static str),
    /// `RST_STREAM` with this code.
    ResetStream(u32),
    /// `GOAWAY`, which says that nothing of this request was done, or that it was, with this code.
    GoAway {
        /// Whether the request counts as taken.
        took_it: bool,
        /// Why.
        code: u32,
    },
    /// Closes the connection.
    Close,
}

/// A running upstream; it stops when dropped.
#[derive(Debug)]
pub struct RawHttp2 {
    state: Arc<State>,
    listener: Listener,
}

#[derive(Debug, Default)]
struct State {
    script: Mutex<VecDeque<Vec<Step>>>,
    taken: AtomicUsize,
}

impl RawHttp2 {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn start() -> Self {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let listener = Listener::start(move |stream| serve(stream, Arc::clone(&shared))).await;
        Self { state, listener }
    }

    /// The port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.port
    }

    /// Answers the next requests so, and all others with a short text.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Vec<Step>>) {
        *self.state.script.lock().unwrap_or_else(PoisonError::into_inner) = answers.into_iter().collect();
    }

    /// How many requests it has taken in completely.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.state.taken.load(Ordering::SeqCst)
    }
}

const PREFACE: usize = 24;
/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const LARGEST_FRAME: usize = 16 << 10;
/// Flags; the first acknowledges settings as well.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` in the static table of HPACK.
const STATUS_200: &[u8] = &[0x88];

async fn serve(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    stream.read_exact(&mut [0; PREFACE]).await.ok()?;
    write(&mut stream, SETTINGS, 0, 0, &[]).await?;
    loop {
        let (kind, flags, of) = read(&mut stream).await?;
        if kind == SETTINGS && flags & END_STREAM == 0 {
            write(&mut stream, SETTINGS, END_STREAM, 0, &[]).await?;
        }
        if !matches!(kind, DATA | HEADERS) || flags & END_STREAM == 0 {
            continue;
        }
        state.taken.fetch_add(1, Ordering::SeqCst);
        let next = state.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        for step in next.unwrap_or_else(|| vec![Step::Head, Step::Body("All is well.")]) {
            match step {
                Step::Head => write(&mut stream, HEADERS, END_HEADERS, of, STATUS_200).await?,
                Step::LargeHead(size) => {
                    let mut rest = &large_head(size)[..];
                    let mut kind = HEADERS;
                    while !rest.is_empty() {
                        let (piece, more) = rest.split_at(rest.len().min(LARGEST_FRAME));
                        let end = if more.is_empty() { END_HEADERS } else { 0 };
                        write(&mut stream, kind, end, of, piece).await?;
                        (kind, rest) = (CONTINUATION, more);
                    }
                }
                Step::Body(text) => {
                    let end = if text.ends_with('.') { END_STREAM } else { 0 };
                    write(&mut stream, DATA, end, of, text.as_bytes()).await?;
                }
                Step::ResetStream(code) => write(&mut stream, RST_STREAM, 0, of, &code.to_be_bytes()).await?,
                Step::GoAway { took_it, code } => {
                    let last = if took_it { of } else { 0 };
                    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
                    write(&mut stream, GOAWAY, 0, 0, &payload).await?;
                }
                Step::Close => return stream.shutdown().await.ok(),
            }
        }
    }
}

/// The status, and the header `large`, as HPACK has them.
fn large_head(size: usize) -> Vec<u8> {
    // A literal that is not indexed, a new name of five bytes, and a length over 127.
    let mut head = [STATUS_200, &[0, 5], b"large", &[0x7f]].concat();
    let mut left = size - 0x7f;
    while left >= 0x80 {
        head.push((left % 0x80) as u8 | 0x80);
        left /= 0x80;
    }
    head.push(left as u8);
    head.resize(head.len() + size, b'a');
    head
}

/// Type, flags and stream of the next frame.
async fn read(stream: &mut TcpStream) -> Option<(u8, u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [high, middle, low, kind, flags, of @ ..] = head;
    let length = u32::from_be_bytes([0, high, middle, low]);
    stream.read_exact(&mut vec![0; length as usize]).await.ok()?;
    Some((kind, flags, u32::from_be_bytes(of)))
}

async fn write(stream: &mut TcpStream, kind: u8, flags: u8, of: u32, payload: &[u8]) -> Option<()> {
    let [_, high, middle, low] = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let head = [&[high, middle, low, kind, flags][..], &of.to_be_bytes()].concat();
    stream.write_all(&[&head, payload].concat()).await.ok()
}
