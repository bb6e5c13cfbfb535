//! An upstream that speaks HTTP/2, which TLS agrees on.

use std::net::Ipv4Addr;

use mainpoint_tests::proxy::{Home, ProxyBuilder};
use mainpoint_tests::raw_http2::{RawHttp2, Step};
use mainpoint_tests::tls::{Certificate, TlsFront};

use super::Outcome::{self, BreaksOff, Passes, Refused};
use super::{Route, ask, counted, failures, is_documented, no_panic, retries};

/// A fault, what the upstream answers to a request and to the same request when it is sent again, the outcome, how often it was sent,
/// and under which kind it is counted.
struct Row {
    fault: &'static str,
    answers: &'static [&'static [Step]],
    outcome: fn() -> Outcome,
    sent: usize,
    kind: &'static str,
}

const WELL: &[Step] = &[Step::Head, Step::Body("All is well.")];
/// Codes of errors.
const NONE: u32 = 0;
const INTERNAL: u32 = 2;
const REFUSED: u32 = 7;
const CALM: u32 = 11;

const ROWS: [Row; 11] = [
    Row { fault: "HTTP/2 without a fault", answers: &[WELL], outcome: well, sent: 1, kind: "" },
    Row {
        fault: "HTTP/2 with a header of 100 KB",
        answers: &[&[Step::LargeHead(100_000), Step::Body("All is well.")]],
        outcome: well,
        sent: 1,
        kind: "",
    },
    Row {
        fault: "HTTP/2 with a head of 1 MB",
        answers: &[&[Step::LargeHead(1_000_000), Step::Body("All is well.")]],
        outcome: broken,
        sent: 1,
        kind: "no_answer",
    },
    Row {
        fault: "`RST_STREAM` that refuses the request",
        answers: &[&[Step::ResetStream(REFUSED)], WELL],
        outcome: well,
        sent: 2,
        kind: "",
    },
    Row {
        fault: "`RST_STREAM` that refuses it twice",
        answers: &[&[Step::ResetStream(REFUSED)], &[Step::ResetStream(REFUSED)], WELL],
        outcome: broken,
        sent: 2,
        kind: "no_answer",
    },
    Row {
        fault: "`GOAWAY` before the request was taken",
        answers: &[&[Step::GoAway { took_it: false, code: NONE }, Step::Close], WELL],
        outcome: well,
        sent: 2,
        kind: "",
    },
    Row {
        fault: "`GOAWAY` after the request was taken, and an answer",
        answers: &[&[Step::GoAway { took_it: true, code: NONE }, Step::Head, Step::Body("All is well."), Step::Close]],
        outcome: well,
        sent: 1,
        kind: "",
    },
    Row {
        fault: "`GOAWAY` with an error",
        answers: &[&[Step::GoAway { took_it: true, code: CALM }, Step::Close], WELL],
        outcome: broken,
        sent: 1,
        kind: "no_answer",
    },
    Row {
        fault: "`RST_STREAM` with an error before the head",
        answers: &[&[Step::ResetStream(INTERNAL)], WELL],
        outcome: broken,
        sent: 1,
        kind: "no_answer",
    },
    Row {
        fault: "`RST_STREAM` within the body",
        answers: &[&[Step::Head, Step::Body("half"), Step::ResetStream(INTERNAL)], WELL],
        outcome: half,
        sent: 1,
        kind: "broken_body",
    },
    Row {
        fault: "a connection of HTTP/2 that closes within the body",
        answers: &[&[Step::Head, Step::Body("half"), Step::Close], WELL],
        outcome: half,
        sent: 1,
        kind: "broken_body",
    },
];

fn well() -> Outcome {
    Passes(200, b"All is well.".to_vec())
}

fn half() -> Outcome {
    BreaksOff(b"half".to_vec())
}

fn broken() -> Outcome {
    Refused(502, "upstream_unreachable", "the connection broke before an answer came")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_2_only_what_the_upstream_says_it_did_not_take_is_sent_again() {
    let rows = futures::future::join_all(ROWS.iter().map(hold)).await;
    let wrong: Vec<String> = rows.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn hold(row: &Row) -> Vec<String> {
    let (home, certificate) = (Home::new(), Certificate::of(Ipv4Addr::LOCALHOST));
    let upstream = RawHttp2::start().await;
    let front = TlsFront::start(&certificate, "h2", upstream.port()).await;
    let file = certificate.trusted_in(home.configuration().parent().expect("a folder"));
    let builder = ProxyBuilder::as_shipped().home(&home).upstream(&front.base_url("127.0.0.1"));
    let builder = builder.setting("memory", "mode = \"off\"");
    let proxy = builder.environment("SSL_CERT_FILE", &file.display().to_string()).start().await;
    let mut wrong = Vec::new();
    for route in Route::ALL {
        let before = upstream.taken();
        upstream.answer_next(row.answers.iter().map(|answer| answer.to_vec()));
        let found = match ask(&proxy, route, "", "Once more?").await {
            Ok(seen) => (row.outcome)().differs(&seen, false),
            Err(problem) => Some(problem),
        };
        wrong.extend(found.map(|found| format!("{}, {route:?}: {found}", row.fault)));
        let sent = upstream.taken() - before;
        wrong.extend((sent != row.sent).then(|| format!("{}, {route:?}: sent {sent} times", row.fault)));
        // Whatever came of it, the next one is answered.
        upstream.answer_next([]);
        let next = ask(&proxy, route, "", "And now?").await;
        let found = next.map_or_else(Some, |seen| well().differs(&seen, false));
        wrong.extend(found.map(|found| format!("{}, the next one: {found}", row.fault)));
    }
    let metrics = proxy.metrics().await;
    let is = (failures(&metrics, row.kind), retries(&metrics));
    let expected = (if row.kind.is_empty() { 0 } else { 2 }, (row.sent - 1) * 2);
    wrong.extend((is != expected).then(|| format!("{}: {is:?} failures and retries, not {expected:?}", row.fault)));
    no_panic(&proxy);
    wrong
}

#[test]
fn the_document_shows_what_http_2_can_say() {
    let line = |row: &Row| {
        let sent = if row.sent == 1 { "once" } else { "twice" };
        format!("| {} | {} | {} | {sent} |", row.fault, (row.outcome)().words(), counted(row.kind))
    };
    is_documented(&ROWS.iter().map(line).collect::<Vec<_>>());
}
