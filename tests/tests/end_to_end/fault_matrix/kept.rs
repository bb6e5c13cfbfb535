//! Connections to the upstream that are kept alive: when a request is sent a second time, and that no answer is taken for another's.

use bytes::Bytes;
use mainpoint_tests::faulty_upstream::Act::{self, CloseAtTheNext, Keep, Pause, Reset, Say};
use mainpoint_tests::faulty_upstream::FaultyUpstream;
use mainpoint_tests::proxy::ProxyBuilder;

use super::Outcome::{self, Passes, Refused};
use super::{Route, ask, counted, failures, is_documented, no_panic, retries};

/// What an upstream does on a connection after it has answered a first request, the outcome of the second, how often that was sent,
/// and under which kind it is counted. A third one is answered whatever the second came to.
struct Row {
    fault: &'static str,
    /// After the answer to the first request.
    then: Vec<Act>,
    /// To the second one, if it is read.
    second: Vec<Act>,
    outcome: Outcome,
    /// How often the second one was read, and how often it was sent a second time.
    read: usize,
    again: usize,
    kind: &'static str,
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const BROKEN: Outcome = Refused(502, "upstream_unreachable", "the connection broke before an answer came");
const MALFORMED: Outcome = Refused(502, "upstream_unreachable", "its answer is not valid HTTP");

fn rows() -> Vec<Row> {
    let good = || Passes(200, b"{}".to_vec());
    let again = |fault, then: &[Act], second: &[Act], read| Row {
        fault,
        then: then.to_vec(),
        second: second.to_vec(),
        outcome: good(),
        read,
        again: 1,
        kind: "",
    };
    let once = |fault, second: &[Act], outcome, kind| Row {
        fault,
        then: vec![Keep],
        second: second.to_vec(),
        outcome,
        read: 1,
        again: 0,
        kind,
    };
    vec![
        again("a kept connection closes as the request comes", &[CloseAtTheNext], &[], 1),
        again("a kept connection closes without a byte of an answer", &[Keep], &[Pause], 2),
        again("a kept connection is reset without a byte of an answer", &[Keep], &[Reset], 2),
        once("a kept connection closes after 100", &[say("HTTP/1.1 100 Continue\r\n\r\n"), Pause], BROKEN, "no_answer"),
        once("a kept connection closes within the head", &[say("HTTP/1.1 200 O"), Pause], BROKEN, "no_answer"),
        once("a kept connection speaks no HTTP", &[say("HELLO\r\n\r\n"), Pause], MALFORMED, "malformed"),
        once(
            "bytes behind a kept answer",
            &[say(&format!("{ANSWER}and more that nobody asked for")), Keep],
            good(),
            "",
        ),
        once(
            "a body behind a kept 204",
            &[say("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello"), Keep],
            Passes(204, vec![]),
            "",
        ),
    ]
}

fn say(text: &str) -> Act {
    Say(Bytes::copy_from_slice(text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_nobody_can_have_answered_is_sent_again_and_only_once() {
    let rows = futures::future::join_all(rows().into_iter().map(hold)).await;
    let wrong: Vec<String> = rows.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn hold(row: Row) -> Vec<String> {
    let first = [vec![say(ANSWER)], row.then.clone()].concat();
    let good = vec![say(ANSWER), Keep];
    let scripts = [("first", vec![first]), ("second", vec![row.second.clone(), good.clone()]), ("third", vec![good])];
    // What is closed unread is read for the first time when it is sent again.
    let scripts = scripts.map(|(name, mut answers)| {
        if row.second.is_empty() && name == "second" {
            answers.remove(0);
        }
        (name.to_owned(), answers)
    });
    let upstream = FaultyUpstream::start(scripts).await;
    let builder = ProxyBuilder::as_shipped().upstream(&upstream.base_url()).setting("memory", "mode = \"off\"");
    let proxy = builder.start().await;
    let mut wrong = Vec::new();
    let good = Passes(200, b"{}".to_vec());
    for (script, expected) in [("first", &good), ("second", &row.outcome), ("third", &good)] {
        let found = match ask(&proxy, Route::Relay, script, "Once more?").await {
            Ok(seen) => expected.differs(&seen, false),
            Err(problem) => Some(problem),
        };
        wrong.extend(found.map(|found| format!("{}, {script}: {found}", row.fault)));
    }
    let metrics = proxy.metrics().await;
    let is = (upstream.taken("second"), retries(&metrics));
    if is != (row.read, row.again) {
        wrong.push(format!("{}: read and sent again {is:?}, expected {:?}", row.fault, (row.read, row.again)));
    }
    if !row.kind.is_empty() && failures(&metrics, row.kind) != 1 {
        wrong.push(format!("{}: no failure is counted as {}", row.fault, row.kind));
    }
    no_panic(&proxy);
    wrong
}

#[test]
fn the_document_shows_what_is_sent_again() {
    let line = |row: &Row| {
        let sent = if row.again == 0 { "once" } else { "twice" };
        format!("| {} | {} | {} | {sent} |", row.fault, row.outcome.words(), counted(row.kind))
    };
    is_documented(&rows().iter().map(line).collect::<Vec<_>>());
}
