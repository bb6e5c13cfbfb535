//! Many slow streams at once, with one reader that has stopped reading: what delay a proxy adds to each chunk, and
//! whether its memory grows.
//!
//! It must not know how the figures are shown.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bodies::wide_stream_request;
use super::destination::{self, Destination};
use super::plan::Streams;
use super::streams::{PATIENCE, Percentiles, Seen, read_all};
use super::targets::{Mode, Place, Target, start_mainpoint};
use crate::BenchError;
use crate::running::usage;

/// What many slow streams have shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slow {
    /// The streams.
    pub(super) streams: Streams,
    /// The delays of chunks that came straight from the upstream.
    pub(super) direct: Percentiles,
    /// The delays of chunks that came through mainpoint.
    pub(super) through: Percentiles,
    /// mainpoint's memory.
    pub(super) memory: Memory,
}

/// A process's memory over the streams, in MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Memory {
    /// Before the first one.
    pub(super) idle_mib: f64,
    /// As soon as all of them are open.
    pub(super) start_mib: f64,
    /// In the middle.
    pub(super) middle_mib: f64,
    /// Before the first one ends.
    pub(super) end_mib: f64,
}

impl Memory {
    /// Growth while all streams are open.
    #[must_use]
    pub(super) fn growth_mib(&self) -> f64 {
        self.end_mib - self.start_mib
    }
}

/// Lets the streams run straight from the upstream and then through a mainpoint of their own.
///
/// # Errors
/// Any failure of mainpoint or of a stream.
pub(super) async fn measure(place: &Place<'_>, streams: Streams) -> Result<Slow, BenchError> {
    let (direct, _) = run(&Target::direct(place.upstream), streams).await?;
    let mainpoint = start_mainpoint(place, Mode::Off).await?;
    let (through, memory) = run(&mainpoint, streams).await?;
    mainpoint.end().await?;
    let percentiles = |seen: &Seen| {
        let found = Percentiles::of(&seen.delays_ms);
        found.ok_or_else(|| BenchError::program("the streams", "there was no chunk"))
    };
    Ok(Slow {
        streams,
        direct: percentiles(&direct)?,
        through: percentiles(&through)?,
        memory,
    })
}

/// As many streams as this many open files allow: mainpoint needs two for each.
#[must_use]
pub(super) fn within(streams: Streams, open_files: u64) -> Streams {
    const OTHERS: u64 = 200;
    let most = u32::try_from(open_files.saturating_sub(OTHERS) / 2).unwrap_or(u32::MAX);
    Streams {
        count: streams.count.min(most.max(1)),
        ..streams
    }
}

async fn run(target: &Target, streams: Streams) -> Result<(Seen, Memory), BenchError> {
    let idle_mib = resident(target);
    let client = destination::client(streams.length() + PATIENCE)?;
    let stuck = StuckReader::begin(&target.destination).await?;
    let (seen, memory) = tokio::join!(read_all(&client, &target.destination, streams), watch(target, streams));
    drop(stuck);
    Ok((seen?, Memory { idle_mib, ..memory }))
}

/// Looks three times while all streams are open: they begin within the first pause.
async fn watch(target: &Target, streams: Streams) -> Memory {
    let middle = (streams.length() / 2).saturating_sub(streams.pause);
    let mut memory = Memory::default();
    tokio::time::sleep(streams.pause * 3 / 2).await;
    memory.start_mib = resident(target);
    tokio::time::sleep(middle).await;
    memory.middle_mib = resident(target);
    tokio::time::sleep(middle).await;
    memory.end_mib = resident(target);
    memory
}

fn resident(target: &Target) -> f64 {
    target.process().map_or(0.0, |id| usage::of_tree(id).resident_mib)
}

/// A client that asks for a wide and fast stream, reads its beginning, and then nothing more.
#[derive(Debug)]
struct StuckReader {
    _connection: TcpStream,
}

impl StuckReader {
    const CHUNKS: u64 = 1_000_000;
    const PAUSE_MS: u64 = 5;
    const CHUNK_BYTES: usize = 64 * 1024;
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn begin(to: &Destination) -> Result<Self, BenchError> {
        let failed = |reason: String| BenchError::program("the stuck reader", reason);
        let begun = timeout(Self::PATIENCE, Self::connect(to)).await;
        let begun = begun.map_err(|_| failed("there is no answer".to_owned()))?;
        begun.map_err(|error| failed(error.to_string()))
    }

    async fn connect(to: &Destination) -> std::io::Result<Self> {
        let mut connection = TcpStream::connect(to.authority()).await?;
        let body = wide_stream_request(Self::CHUNKS, Self::PAUSE_MS, Self::CHUNK_BYTES);
        connection.write_all(head(to, body.len()).as_bytes()).await?;
        connection.write_all(body.as_bytes()).await?;
        let mut beginning = [0; 1024];
        let read = connection.read(&mut beginning).await?;
        if beginning[..read].starts_with(b"HTTP/1.1 200") {
            Ok(Self {
                _connection: connection,
            })
        } else {
            let said = String::from_utf8_lossy(&beginning[..read]).into_owned();
            Err(std::io::Error::other(format!("it is answered {said:?}")))
        }
    }
}

/// The head of a chat request, written by hand.
fn head(to: &Destination, body_bytes: usize) -> String {
    let chat = to.chat();
    let path = chat.split_once(to.authority()).map_or("/", |(_, path)| path);
    let headers: String = (to.headers().iter())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {body_bytes}\r\n{headers}\r\n",
        to.authority()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::plan::Plan;

    #[test]
    fn streams_are_fewer_where_few_files_may_be_open() {
        let streams = Plan::full().slow;
        assert_eq!(within(streams, 20_000), streams);
        assert_eq!(within(streams, 1024).count, 412);
        assert_eq!(within(streams, 10).count, 1);
    }

    #[test]
    fn the_head_written_by_hand_ends_with_an_empty_line() {
        let head = head(&Destination::at("http://127.0.0.1:4/v1"), 12);
        assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:4\r\ncontent-length: 12\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
    }

    #[test]
    fn growth_is_from_all_open_to_the_first_end() {
        let memory = Memory {
            idle_mib: 10.0,
            start_mib: 40.0,
            middle_mib: 41.0,
            end_mib: 42.5,
        };
        assert!((memory.growth_mib() - 2.5).abs() < 1e-9);
    }
}
