//! Many slow streams at once, with one reader that has stopped reading: what delay a proxy adds to each chunk, and
//! whether its memory grows.
//!
//! It must not know how the figures are shown.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Streams;
use super::arms::Arm;
use super::bodies::stream_request;
use super::destination::{self, Destination};
use super::process::Place;
use super::report::{SLOW_STREAMS, delays, row};
use super::streams::{PATIENCE, Seen, read_all};
use super::targets::{Mode, Target};
use crate::BenchError;
use crate::report::Row;
use crate::stats::percentile;

/// Lets the streams run straight from the upstream and then through a mainpoint of their own.
pub(super) async fn measure(place: &Place, streams: Streams) -> Result<Vec<Row>, BenchError> {
    let (direct, _) = run(&Target::direct(&place.upstream), streams).await?;
    let mainpoint = Target::mainpoint(place, Mode::Off).await;
    let (through, memory) = run(&mainpoint, streams).await?;
    mainpoint.end().await;
    Ok(rows(&direct.delays_ms, &through.delays_ms, memory, streams))
}

/// The delays of both ways, what mainpoint adds to them, and its memory: idle, with all streams open, in the middle, and before
/// the first one ends.
fn rows(direct: &[f64], through: &[f64], memory: [f64; 4], streams: Streams) -> Vec<Row> {
    let own = |metric: &str, value: f64, unit| row(SLOW_STREAMS, metric, Arm::Mainpoint, (value, unit));
    let mut rows = delays(SLOW_STREAMS, "chunk_delay", Arm::Mainpoint, through);
    rows.extend(delays(SLOW_STREAMS, "chunk_delay", Arm::Direct, direct));
    for (name, thousandths) in [("p50", 500), ("p99", 990)] {
        let added = percentile(through, thousandths) - percentile(direct, thousandths);
        rows.push(own(&format!("added_chunk_delay_{name}_ms"), added, "ms"));
    }
    let [idle, start, middle, end] = memory;
    for (metric, value) in [
        ("rss_growth_mib", end - start),
        ("rss_idle_mib", idle),
        ("rss_start_mib", start),
        ("rss_middle_mib", middle),
        ("rss_end_mib", end),
    ] {
        rows.push(own(metric, value, "MiB"));
    }
    rows.push(own("streams", f64::from(streams.count), "streams"));
    rows
}

async fn run(target: &Target, streams: Streams) -> Result<(Seen, [f64; 4]), BenchError> {
    let idle = target.resident_mib();
    let client = destination::client(streams.length() + PATIENCE)?;
    let stuck = StuckReader::begin(&target.destination).await?;
    let (seen, watched) = tokio::join!(read_all(&client, &target.destination, streams), watch(target, streams));
    drop(stuck);
    let [start, middle, end] = watched;
    Ok((seen?, [idle, start, middle, end]))
}

/// Looks three times while all streams are open: they begin within the first pause.
async fn watch(target: &Target, streams: Streams) -> [f64; 3] {
    let half = (streams.length() / 2).saturating_sub(streams.pause);
    let mut looks = [0.0; 3];
    for (look, wait) in looks.iter_mut().zip([streams.pause * 3 / 2, half, half]) {
        tokio::time::sleep(wait).await;
        *look = target.resident_mib();
    }
    looks
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
        let body = stream_request(Self::CHUNKS, Self::PAUSE_MS, Some(Self::CHUNK_BYTES));
        connection.write_all(head(to, body.len()).as_bytes()).await?;
        connection.write_all(body.as_bytes()).await?;
        let mut beginning = [0; 1024];
        let read = connection.read(&mut beginning).await?;
        if beginning[..read].starts_with(b"HTTP/1.1 200") {
            Ok(Self { _connection: connection })
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
    let headers: String = (to.headers().iter()).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {body_bytes}\r\n{headers}\r\n", to.authority())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::Plan;
    use crate::report::find;

    #[test]
    fn the_head_written_by_hand_ends_with_an_empty_line() {
        let head = head(&Destination::at("http://127.0.0.1:4/v1"), 12);
        assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:4\r\ncontent-length: 12\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
    }

    #[test]
    fn growth_is_from_all_open_to_the_first_end_and_delays_are_added() {
        let rows = rows(&[2.0], &[3.0], [10.0, 40.0, 41.0, 42.5], Plan::quick().slow);
        let value = |metric| find(&rows, SLOW_STREAMS, metric, "mainpoint").map(|row| row.value);
        assert_eq!(value("rss_growth_mib"), Some(2.5));
        assert_eq!(value("chunk_delay_p99_ms"), Some(3.0));
        assert_eq!(value("added_chunk_delay_p99_ms"), Some(1.0));
    }
}
