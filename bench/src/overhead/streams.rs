//! Reads streams and says how long each chunk was under way.
//!
//! It must not know who passes them on.

use std::time::Duration;

use futures::future::try_join_all;
use reqwest::Client;

use super::bodies::stream_request;
use super::destination::Destination;
use super::plan::Streams;
use super::stamps::{milliseconds, now, sent_at};
use crate::BenchError;
use crate::bootstrap::quantile;

/// What the readers of streams have seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// From each request to its first chunk, in milliseconds.
    pub(super) first_ms: Vec<f64>,
    /// From the sending of each chunk to its receipt, in milliseconds.
    pub(super) delays_ms: Vec<f64>,
}

/// Median and 99th percentile, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percentiles {
    /// Half of the values are no greater.
    pub(super) p50_ms: f64,
    /// 99 % of the values are no greater.
    pub(super) p99_ms: f64,
}

impl Percentiles {
    /// Of the values; nothing without any.
    #[must_use]
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            p50_ms: quantile(&sorted, 500)?,
            p99_ms: quantile(&sorted, 990)?,
        })
    }
}

impl Seen {
    /// Adds what others have seen.
    pub(super) fn add(&mut self, other: Self) {
        self.first_ms.extend(other.first_ms);
        self.delays_ms.extend(other.delays_ms);
    }
}

/// Beyond the time that a stream takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Reads streams to their ends, all at once. They begin spread over the pause between two chunks.
///
/// # Errors
/// [`BenchError::Request`] or [`BenchError::Proxy`] if one breaks off or lacks chunks.
pub(super) async fn read_all(client: &Client, to: &Destination, streams: Streams) -> Result<Seen, BenchError> {
    let readers = (0..streams.count).map(|number| {
        let wait = streams.pause * number / streams.count.max(1);
        let (client, to) = (client.clone(), to.clone());
        // A task of its own, so that readers share the cores.
        let reader = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            read(&client, &to, streams).await
        });
        AbortOnDrop(reader)
    });
    let mut all = Seen::default();
    for seen in try_join_all(readers.map(AbortOnDrop::joined)).await? {
        all.add(seen);
    }
    Ok(all)
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop(tokio::task::JoinHandle<Result<Seen, BenchError>>);

impl AbortOnDrop {
    async fn joined(mut self) -> Result<Seen, BenchError> {
        let joined = (&mut self.0).await;
        joined.map_err(|error| BenchError::program("a reader", error.to_string()))?
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(client: &Client, to: &Destination, streams: Streams) -> Result<Seen, BenchError> {
    let failed = |source| BenchError::Request { url: to.chat(), source };
    let pause_ms = u64::try_from(streams.pause.as_millis()).unwrap_or(u64::MAX);
    let asked = now();
    let request = to.post(client, stream_request(u64::from(streams.chunks), pause_ms));
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let mut lines = Lines::default();
    let mut seen = Seen::default();
    while let Some(bytes) = response.chunk().await.map_err(failed)? {
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
    Err(BenchError::Proxy(format!(
        "{} answered {status} and {chunks} of {} chunks, at last \"{end}\"",
        to.chat(),
        streams.chunks
    )))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_when_their_line_ends() {
        let mut lines = Lines::default();
        assert!(lines.stamps(b"data: {\"content\":\"sent-at-1").is_empty());
        assert_eq!(lines.stamps(b"2;\"}\n\ndata: sent-at-13;\n\ndata: sent"), [12, 13]);
        assert_eq!(lines.stamps(b"-at-14;\n"), [14]);
    }

    #[test]
    fn percentiles_are_of_all_that_was_seen() {
        let mut seen = Seen::default();
        for value in [3.0, 1.0, 2.0] {
            seen.add(Seen {
                first_ms: vec![value],
                delays_ms: vec![value, value],
            });
        }
        assert_eq!(seen.delays_ms.len(), 6);
        let expected = Percentiles {
            p50_ms: 2.0,
            p99_ms: 3.0,
        };
        assert_eq!(Percentiles::of(&seen.first_ms), Some(expected));
        assert_eq!(Percentiles::of(&[]), None);
    }
}
