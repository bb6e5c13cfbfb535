//! Many slow streams at once, with one reader that has stopped reading: what delay a proxy adds to each chunk, and
//! whether its memory grows.
//!
//! It must not know how the figures are shown.

use reqwest::{Client, Response};

use super::Streams;
use super::bodies::stream_request;
use super::destination::{self, Destination};
use super::process::Place;
use super::report::SLOW_STREAMS;
use super::streams::{PATIENCE, Seen, read_all};
use super::targets::{Arm, Target};
use crate::report::{Row, quantiles, rows_of};
use crate::stats::percentile;
use crate::{BenchError, Failing};

/// Lets the streams run straight from the upstream and then through a mainpoint of their own.
pub(super) async fn measure(place: &Place, streams: Streams) -> Result<Vec<Row>, BenchError> {
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
    fn growth_is_from_all_open_to_the_first_end_and_delays_are_added() {
        let rows = rows([vec![2.0], vec![3.0]], [10.0, 40.0, 41.0, 42.5], Plan::quick().slow);
        let value = |metric| find(&rows, SLOW_STREAMS, metric, "mainpoint").map(|row| row.value);
        assert_eq!(value("rss_growth_mib"), Some(2.5));
        assert_eq!(value("chunk_delay_p99_ms"), Some(3.0));
        assert_eq!(value("added_chunk_delay_p99_ms"), Some(1.0));
    }
}
