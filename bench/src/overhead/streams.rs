//! Reads streams and says how long each chunk was under way: the moment at which it was sent is written into it, and both ends
//! run on one host and read the same clock.
//!
//! Many slow streams at once, with one reader that has stopped reading, show what delay a proxy adds to each chunk, and
//! whether its memory grows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Client, Response};
use tokio::task::JoinSet;

use super::Streams;
use super::arm::Arm;
use super::bodies::stream_request;
use super::destination::{self, Destination};
use super::process::Place;
use super::targets::Target;
use crate::report::{Row, quantiles, rows_of};
use crate::stats::percentile;
use crate::{BenchError, Failing};

/// Many slow streams at once, as results call them.
pub(super) const SLOW_STREAMS: &str = "slow-streams";

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// From each request to its first chunk, in milliseconds.
    pub(super) first_ms: Vec<f64>,
    /// From the sending of each chunk to its receipt, in milliseconds.
    pub(super) delays_ms: Vec<f64>,
}

const MARK: &str = "sent-at-";

/// Nanoseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The text that says that something was sent at `nanoseconds` since 1970.
pub(super) fn stamp(nanoseconds: u64) -> String {
    format!("{MARK}{nanoseconds};")
}

/// When the text was sent, in nanoseconds since 1970, if it says so.
pub(super) fn sent_at(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(MARK)?;
    let (digits, _) = rest.split_once(';')?;
    digits.parse().ok()
}

/// Milliseconds from one moment to another; 0 if the clock went back.
fn milliseconds(from: u64, to: u64) -> f64 {
    Duration::from_nanos(to.saturating_sub(from)).as_secs_f64() * 1e3
}

impl Seen {
    pub(super) fn add(&mut self, other: Self) {
        self.first_ms.extend(other.first_ms);
        self.delays_ms.extend(other.delays_ms);
    }
}

/// Beyond the time that a stream takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Reads streams to their ends, all at once. They begin spread over the pause between two chunks.
pub(super) async fn read_all(client: &Client, to: &Destination, streams: Streams) -> Result<Seen, BenchError> {
    // Tasks of their own, so that readers share the cores; they end with the set.
    let mut readers = JoinSet::new();
    for number in 0..streams.count {
        let wait = streams.pause * number / streams.count.max(1);
        let (client, to) = (client.clone(), to.clone());
        readers.spawn(async move {
            tokio::time::sleep(wait).await;
            read(&client, &to, streams).await
        });
    }
    let mut all = Seen::default();
    while let Some(seen) = readers.join_next().await {
        all.add(seen.because("a reader failed")??);
    }
    Ok(all)
}

async fn read(client: &Client, to: &Destination, streams: Streams) -> Result<Seen, BenchError> {
    let chat = to.chat();
    let pause_ms = u64::try_from(streams.pause.as_millis()).unwrap_or(u64::MAX);
    let asked = now();
    let request = to.post(client, stream_request(u64::from(streams.chunks), pause_ms, None));
    let mut response = request.send().await.when_asking(&chat)?;
    let status = response.status();
    let mut lines = Lines::default();
    let mut seen = Seen::default();
    while let Some(bytes) = response.chunk().await.when_asking(&chat)? {
        let received = now();
        for sent in lines.stamps(&bytes) {
            if seen.first_ms.is_empty() {
                seen.first_ms.push(milliseconds(asked, received));
            }
            seen.delays_ms.push(milliseconds(sent, received));
        }
    }
    if status.is_success() && seen.delays_ms.len() == streams.chunks as usize {
        return Ok(seen);
    }
    let (chunks, end) = (seen.delays_ms.len(), String::from_utf8_lossy(&lines.rest).into_owned());
    let wanted = streams.chunks;
    Err(BenchError::new(format!("{chat} answered {status} and {chunks} of {wanted} chunks, at last \"{end}\"")))
}

/// Bytes on their way to becoming lines.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// When each chunk was sent whose line ends in these bytes.
    fn stamps(&mut self, bytes: &[u8]) -> Vec<u64> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let lines: Vec<u8> = self.rest.drain(..=end).collect();
        String::from_utf8_lossy(&lines).lines().filter_map(sent_at).collect()
    }
}

/// Lets the streams run straight from the upstream and then through a mainpoint of their own.
pub(super) async fn measure_slow(place: &Place, streams: Streams) -> Result<Vec<Row>, BenchError> {
    let (direct, _) = run(&Target::direct(&place.upstream), streams).await?;
    let mainpoint = Target::mainpoint(place, Arm::Mainpoint).await;
    let (through, memory) = run(&mainpoint, streams).await?;
    mainpoint.end().await;
    Ok(rows([direct, through].map(|seen| seen.delays_ms), memory, streams))
}

/// The delays of both ways, what mainpoint adds to them, and its memory: idle, with all streams open, in the middle, and before
/// the first one ends.
fn rows([direct, through]: [Vec<f64>; 2], memory: [f64; 4], streams: Streams) -> Vec<Row> {
    let added = |thousandths| percentile(&through, thousandths) - percentile(&direct, thousandths);
    let [idle, start, middle, end] = memory;
    let own = [
        ("added_chunk_delay_p50_ms", added(500), "ms"),
        ("added_chunk_delay_p99_ms", added(990), "ms"),
        ("rss_growth_mib", end - start, "MiB"),
        ("rss_idle_mib", idle, "MiB"),
        ("rss_start_mib", start, "MiB"),
        ("rss_middle_mib", middle, "MiB"),
        ("rss_end_mib", end, "MiB"),
        ("streams", f64::from(streams.count), "streams"),
    ];
    let own = rows_of(SLOW_STREAMS, Arm::Mainpoint.name(), own);
    let delays = |arm: Arm, delays| quantiles(SLOW_STREAMS, "chunk_delay_", arm.name(), &[delays]);
    [delays(Arm::Mainpoint, through), delays(Arm::Direct, direct), own].concat()
}

async fn run(target: &Target, streams: Streams) -> Result<(Seen, [f64; 4]), BenchError> {
    let idle = target.resident_mib();
    let client = destination::client(streams.length() + PATIENCE)?;
    let stuck = stuck_reader(&client, &target.destination).await?;
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

/// A client that asks for a wide and fast stream, reads its beginning, and then nothing more until it is dropped.
async fn stuck_reader(client: &Client, to: &Destination) -> Result<Response, BenchError> {
    const CHUNKS: u64 = 1_000_000;
    const PAUSE_MS: u64 = 5;
    const CHUNK_BYTES: usize = 64 * 1024;
    const UPSTREAM: &str = "the stuck reader's upstream";
    let sent = to.post(client, stream_request(CHUNKS, PAUSE_MS, Some(CHUNK_BYTES))).send().await;
    let mut response = sent.and_then(Response::error_for_status).when_asking(UPSTREAM)?;
    response.chunk().await.when_asking(UPSTREAM)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::Plan;
    use crate::report::find;

    #[test]
    fn stamps_are_found_when_their_line_ends() {
        let mut lines = Lines::default();
        assert!(lines.stamps(b"data: {\"content\":\"sent-at-1").is_empty());
        assert_eq!(lines.stamps(b"2;\"}\n\ndata: sent-at-13;\n\ndata: sent"), [12, 13]);
        assert_eq!(lines.stamps(b"-at-14;\n"), [14]);
    }

    #[test]
    fn a_stamp_is_found_inside_of_other_text_and_delays_are_never_negative() {
        let text = format!("data: {{\"content\":\"{} and more\"}}", stamp(1_700_000_000_123_456_789));
        assert_eq!(sent_at(&text), Some(1_700_000_000_123_456_789));
        for other in ["", "data: [DONE]", "sent-at-", "sent-at-12", "sent-at-x;"] {
            assert_eq!(sent_at(other), None, "{other}");
        }
        assert!((milliseconds(1_000_000, 3_500_000) - 2.5).abs() < 1e-9 && milliseconds(5, 4) < 1e-9);
    }

    #[test]
    fn growth_is_from_all_open_to_the_first_end_and_delays_are_added() {
        let rows = rows([vec![2.0], vec![3.0]], [10.0, 40.0, 41.0, 42.5], Plan::quick().slow);
        let value = |metric| find(&rows, SLOW_STREAMS, metric, "mainpoint").map(|row| row.value);
        assert_eq!(value("rss_growth_mib"), Some(2.5));
        assert_eq!(value("chunk_delay_p99_ms"), Some(3.0));
        assert_eq!(value("added_chunk_delay_p99_ms"), Some(1.0));
    }
}
