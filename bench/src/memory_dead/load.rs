//! Several callers who ask at a steady rate, streamed and not, within the budget and over it, and check what comes back.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::cache::short_hash;
use crate::running::{CHAT, Door};
use crate::{BenchError, Failing};

/// What came of requests.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Tally {
    pub(super) asked: usize,
    /// Whole and rightly.
    pub(super) answered: usize,
    pub(super) failed_open: usize,
    /// Answered and, as the program says, forwarded as they came.
    pub(super) not_rewritten: usize,
    /// Those of them that reached the upstream with exactly their own bytes.
    pub(super) as_sent: usize,
    /// From sending to the last byte of the answer.
    pub(super) times_ms: Vec<f64>,
}

const CALLERS: usize = 4;
/// A caller asks so often.
const PACE: Duration = Duration::from_millis(200);
/// Within the budget or over it, plain or streamed.
const KINDS: usize = 4;
/// Exchanges of a chat that is over its budget.
const EXCHANGES: usize = 8;
const SEAL: &str = "What came has the hash";

/// What the upstream answers: which body it got.
pub(super) fn seal(body: &[u8]) -> String {
    format!("{SEAL} {}.", short_hash(body, 8))
}

/// Every kind of request of every caller once, so that its chats are known.
pub(super) async fn fill(door: &Door) {
    for caller in 0..CALLERS {
        for number in 0..KINDS {
            door.send(Method::POST, CHAT, &key(caller), body(caller, number)).await;
        }
    }
}

/// Everybody asks for so long.
pub(super) async fn rush(door: &Door, length: Duration) -> Result<Tally, BenchError> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let door = door.clone();
        callers.spawn(async move { ask(&door, caller, length).await });
    }
    let mut all = Tally::default();
    while let Some(tally) = callers.join_next().await {
        all.add(tally.because("a caller failed")?);
    }
    Ok(all)
}

async fn ask(door: &Door, caller: usize, length: Duration) -> Tally {
    let (mut tally, begun) = (Tally::default(), Instant::now());
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in KINDS.. {
        ticks.tick().await;
        if begun.elapsed() >= length {
            break;
        }
        let body = body(caller, number);
        let (expected, sent) = (seal(body.as_bytes()), Instant::now());
        let heard = door.send(Method::POST, CHAT, &key(caller), body).await;
        let time_ms = sent.elapsed().as_secs_f64() * 1e3;
        let told = heard.map(|heard| (heard.reply(), heard.outcome));
        tally.count(told.and_then(|(reply, outcome)| Some((reply?, outcome))), &expected, time_ms);
    }
    tally
}

impl Tally {
    /// Counts one request with the reply and the outcome that it got, if any.
    fn count(&mut self, told: Option<(String, String)>, expected: &str, time_ms: f64) {
        self.asked += 1;
        self.times_ms.push(time_ms);
        let Some((reply, outcome)) = told.filter(|(reply, _)| reply.starts_with(SEAL)) else { return };
        self.answered += 1;
        self.failed_open += usize::from(outcome == "failed-open");
        self.not_rewritten += usize::from(outcome != "rewritten");
        self.as_sent += usize::from(outcome != "rewritten" && reply == expected);
    }

    fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.failed_open += other.failed_open;
        self.not_rewritten += other.not_rewritten;
        self.as_sent += other.as_sent;
        self.times_ms.extend(other.times_ms);
    }
}

fn key(caller: usize) -> String {
    format!("sk-dead-{caller}")
}

/// A request that nobody has sent before.
fn body(caller: usize, number: usize) -> String {
    let said = |role: &str, text: String| json!({"role": role, "content": text});
    let is_long = number % KINDS >= 2;
    let mut messages: Vec<Value> = Vec::new();
    for day in (0..EXCHANGES).filter(|_| is_long) {
        messages.push(said(
            "user",
            format!("Day {day}: walker {caller} met {day} herons by the pond and fed none of them."),
        ));
        messages
            .push(said("assistant", format!("Herons on day {day}, walker {caller}: that is a good walk by the pond.")));
    }
    messages.push(said(
        "user",
        format!("Question {number} of walker {caller}: where were the herons on day {}?", number % 8),
    ));
    json!({"model": "gpt-4o", "stream": number % 2 == 1, "messages": messages}).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_requests_are_alike_and_half_of_them_are_over_the_budget() {
        let bodies: HashSet<String> =
            (0..3).flat_map(|caller| (0..40).map(move |number| body(caller, number))).collect();
        assert_eq!(bodies.len(), 3 * 40);
        assert_eq!(bodies.iter().filter(|body| body.len() > 1500).count(), 3 * 20);
    }

    #[test]
    fn other_bytes_are_told_from_those_that_were_sent_unless_the_prompt_was_rewritten() {
        let (sent, other) = (seal(b"sent"), seal(b"other"));
        let told = |reply: &str, outcome: &str| Some((reply.to_owned(), outcome.to_owned()));
        let mut tally = Tally::default();
        for told in
            [told(&sent, "failed-open"), told(&other, "failed-open"), told(&other, "rewritten"), told("?", ""), None]
        {
            tally.count(told, &sent, 1.0);
        }
        let Tally { asked, answered, failed_open, not_rewritten, as_sent, .. } = tally;
        assert_eq!((asked, answered, failed_open, not_rewritten, as_sent), (5, 3, 2, 2, 1));
    }
}
