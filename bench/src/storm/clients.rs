//! Clients on bare sockets that leave in every way in which clients leave.

use std::io;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In the middle of its request.
    LeavesAsking,
    /// Before the first byte of the answer.
    LeavesBefore,
    /// After the first byte of a stream.
    LeavesAfter,
    /// Says that it sends no more, and waits for what comes.
    HalfCloses,
    /// Takes little by little of a wide answer, and leaves.
    ReadsSlowly,
    /// Reads its answer to the end.
    Stays,
}

/// One client of the storm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest {
    pub(super) number: usize,
    pub(super) manner: Manner,
    /// Whether it leaves with a reset and not in good order.
    pub(super) resets: bool,
    /// After how long it comes.
    pub(super) comes: Duration,
}

/// A client whose request is on its way.
#[derive(Debug)]
pub(super) struct Open(TcpStream);

/// Stands in requests that are answered widely.
pub(super) const WIDE: &str = "all that there is";
/// All come within this.
const ARRIVAL_MS: u64 = 3000;
/// How long a client stays at most.
const PATIENCE: Duration = Duration::from_secs(60);

impl Guest {
    /// One of any manner; those that leave before and after the first byte are the most.
    pub(super) fn random(random: &mut fastrand::Rng, number: usize) -> Self {
        use Manner::{HalfCloses, LeavesAfter, LeavesAsking, LeavesBefore, ReadsSlowly, Stays};
        const MIXTURE: [Manner; 10] = [
            LeavesBefore,
            LeavesBefore,
            LeavesBefore,
            LeavesAfter,
            LeavesAfter,
            LeavesAfter,
            LeavesAsking,
            HalfCloses,
            ReadsSlowly,
            Stays,
        ];
        let manner = MIXTURE[random.usize(..MIXTURE.len())];
        Self { number, manner, resets: random.bool(), comes: Duration::from_millis(random.u64(..ARRIVAL_MS)) }
    }

    /// Comes, asks and leaves: whether it has got a whole answer.
    pub(super) async fn visit(self, authority: &str) -> io::Result<bool> {
        sleep(self.comes).await;
        let mut open = self.arrive(authority).await?;
        // From at once to shortly before the answer ends.
        let stay = Duration::from_millis(self.number as u64 * 37 % 2000);
        let whole = match self.manner {
            Manner::LeavesAsking | Manner::LeavesBefore | Manner::LeavesAfter => {
                sleep(stay).await;
                false
            }
            Manner::HalfCloses => {
                open.0.shutdown().await?;
                open.rest().await?
            }
            Manner::ReadsSlowly => {
                let mut buffer = [0; 512];
                for _ in 0..100 {
                    let _ = timeout(PATIENCE, open.0.read(&mut buffer)).await?;
                    sleep(Duration::from_millis(30)).await;
                }
                false
            }
            Manner::Stays => open.rest().await?,
        };
        open.leave(self.resets)?;
        Ok(whole)
    }

    /// Comes and asks, and has the first bytes of the answer where it waits for them.
    pub(super) async fn arrive(self, authority: &str) -> io::Result<Open> {
        let mut stream = TcpStream::connect(authority).await?;
        let body = self.body();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-storm-{}\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n",
            self.number % 10,
            body.len()
        );
        let said = if self.manner == Manner::LeavesAsking { body.len() / 2 } else { body.len() };
        stream.write_all(&[head.as_bytes(), &body.as_bytes()[..said]].concat()).await?;
        if self.manner == Manner::LeavesAfter {
            let _ = timeout(PATIENCE, stream.read(&mut [0; 2048])).await?;
        }
        Ok(Open(stream))
    }

    fn body(self) -> String {
        let Self { number, manner, .. } = self;
        let streams = match manner {
            Manner::LeavesAfter | Manner::ReadsSlowly => true,
            Manner::LeavesBefore => false,
            _ => number.is_multiple_of(2),
        };
        let what = if manner == Manner::ReadsSlowly { WIDE } else { "what there is" };
        let text = format!("Guest {number} would like to know {what} about lamp {}.", number * 31 % 997);
        json!({"model": "m", "stream": streams, "messages": [{"role": "user", "content": text}]}).to_string()
    }
}

impl Open {
    /// Leaves, and says when.
    pub(super) fn leave(self, resets: bool) -> io::Result<Instant> {
        if resets {
            self.0.set_zero_linger()?;
        }
        let left = Instant::now();
        drop(self);
        Ok(left)
    }

    /// Reads until the other side closes: whether that was a whole answer.
    async fn rest(&mut self) -> io::Result<bool> {
        let mut answer = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut answer)).await??;
        let text = String::from_utf8_lossy(&answer);
        Ok(text.starts_with("HTTP/1.1 200") && (text.contains("data: [DONE]") || text.contains("It is done.")))
    }
}
