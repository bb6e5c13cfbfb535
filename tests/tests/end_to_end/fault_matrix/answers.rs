//! Answers of an upstream that are late, broken or odd. Each row is asked for as a chat that is read along and on a relayed path.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use mainpoint_tests::compression::compressed;
use mainpoint_tests::faulty_upstream::Act::{self, Drip, Hold, Pause, Reset};
use mainpoint_tests::faulty_upstream::FaultyUpstream;
use mainpoint_tests::proxy::ProxyBuilder;
use mainpoint_tests::{StartedProxy, within};

use super::Outcome::{self, BreaksOff, BreaksOffAfterItsEnd, Passes, Refused};
use super::Remembered::{self, Both, Nothing, Question};
use super::{Route, ask, counted, failures, is_documented, no_panic, retries};

/// A fault, what the upstream does with each request, and what comes of it. Every request is sent once.
struct Row {
    fault: &'static str,
    acts: Vec<Act>,
    outcome: Outcome,
    /// Under which kind it is counted as a failure of the upstream; empty if under none.
    kind: &'static str,
    remembered: Remembered,
}

fn row<const ACTS: usize>(
    fault: &'static str,
    acts: [Act; ACTS],
    outcome: Outcome,
    kind: &'static str,
    remembered: Remembered,
) -> Row {
    Row { fault, acts: acts.into(), outcome, kind, remembered }
}

const LATE: Outcome = Refused(504, "upstream_timeout", "did not answer in time");
const BROKEN: Outcome = Refused(502, "upstream_unreachable", "the connection broke before an answer came");
const MALFORMED: Outcome = Refused(502, "upstream_unreachable", "its answer is not valid HTTP");

const JSON: &str = "200 OK|content-type: application/json|content-length: {length}";
const LONGER: &str = "200 OK|content-type: application/json|content-length: 999";
const IN_CHUNKS: &str = "200 OK|content-type: application/json|transfer-encoding: chunked";
const TO_THE_END: &str = "200 OK|content-type: application/json";
const EVENTS: &str = "200 OK|content-type: text/event-stream|transfer-encoding: chunked";

/// The number of its row is put into each answer.
const NUMBER: &str = "Answer ##";
const WHOLE: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Answer ##"},"finish_reason":"stop"}]}"#;
const HALF: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Answer ##"#;
const TEXT: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Answer ##\"},\"finish_reason\":null}]}\n\n";
const HALF_AN_EVENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"cont";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const ERROR: &str = r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#;
const LAST_CHUNK: &str = "0\r\n\r\n";

fn rows() -> Vec<Row> {
    let tables = [silence(), breaks(), statuses(), lengths(), heads(), encodings(), events()];
    let mut rows: Vec<Row> = tables.into_iter().flatten().collect();
    for (number, row) in rows.iter_mut().enumerate() {
        row.number(number);
    }
    rows
}

fn silence() -> Vec<Row> {
    let processing = Bytes::from("HTTP/1.1 102 Processing\r\n\r\n".repeat(2));
    let slowly = |text: &str| Drip(Bytes::from(text.to_owned()), Duration::from_millis(50));
    vec![
        row("no byte comes", [Hold], LATE, "silent", Nothing),
        row("half a head comes and no more", [say("HTTP/1.1 200 OK\r\ncontent-ty"), Hold], LATE, "silent", Nothing),
        row("silence after the head", [message(LONGER, ""), Hold], BreaksOff(vec![]), "silent_body", Question),
        row("silence within a body", [message(LONGER, HALF), Hold], before(HALF), "silent_body", Question),
        row("silence between events", [message(EVENTS, chunk(TEXT)), Hold], before(TEXT), "silent_body", Question),
        row(
            "silence within an event",
            [message(EVENTS, chunk(HALF_AN_EVENT)), Hold],
            before(HALF_AN_EVENT),
            "silent_body",
            Question,
        ),
        row(
            "a byte every 50 ms, for longer than the time-out",
            [message(JSON_OF_WHOLE, ""), slowly(WHOLE)],
            passes(200, WHOLE),
            "",
            Both,
        ),
        row(
            "102 again and again, for longer than the time-out",
            [Drip(processing, Duration::from_millis(75)), message(JSON, WHOLE)],
            passes(200, WHOLE),
            "",
            Both,
        ),
    ]
}

fn breaks() -> Vec<Row> {
    let done = format!("{TEXT}{STOP}{DONE}");
    vec![
        row("it closes before the first byte", [Pause], BROKEN, "no_answer", Nothing),
        row("it resets before the first byte", [Reset], BROKEN, "no_answer", Nothing),
        row("it closes within the head", [say("HTTP/1.1 200 OK\r\ncontent-ty")], BROKEN, "no_answer", Nothing),
        row("it resets within the head", [say("HTTP/1.1 200"), Pause, Reset], BROKEN, "no_answer", Nothing),
        row(
            "it resets after the head",
            [message(LONGER, ""), Pause, Reset],
            BreaksOff(vec![]),
            "broken_body",
            Question,
        ),
        row("it resets within the body", [message(LONGER, HALF), Pause, Reset], before(HALF), "broken_body", Question),
        row("it closes within the body at once", [message(LONGER, HALF)], before(HALF), "broken_body", Question),
        row("a length that is too large", [message(LONGER, WHOLE), Pause], before(WHOLE), "broken_body", Question),
        row(
            "a chunk that is no chunk",
            [message(IN_CHUNKS, chunk(HALF)), Pause, say("zz\r\n")],
            before(HALF),
            "broken_body",
            Question,
        ),
        row("no last chunk", [message(IN_CHUNKS, chunk(WHOLE)), Pause], before(WHOLE), "broken_body", Question),
        row("it closes between events", [message(EVENTS, chunk(TEXT)), Pause], before(TEXT), "broken_body", Question),
        row(
            "it resets within an event",
            [message(EVENTS, chunk(HALF_AN_EVENT)), Pause, Reset],
            before(HALF_AN_EVENT),
            "broken_body",
            Question,
        ),
        row(
            "it resets after `[DONE]`",
            [message(EVENTS, chunk(&done)), Pause, Reset],
            BreaksOffAfterItsEnd(done.into()),
            "broken_body",
            Both,
        ),
        row(
            "HTTP/1.0 without a length, reset",
            [say_http_10(HALF), Pause, Reset],
            before(HALF),
            "broken_body",
            Question,
        ),
    ]
}

fn statuses() -> Vec<Row> {
    let error = |fault, head, body: &str| row(fault, [message(head, body)], passes(status(head), body), "", Nothing);
    let not_text = Bytes::from_static(b"{\"error\":\xff\xfe\x00}");
    let early = |status: &str| say(format!("HTTP/1.1 {status}\r\nlink: </a>\r\n\r\n"));
    vec![
        row("100 before the answer", [early("100 Continue"), message(JSON, WHOLE)], passes(200, WHOLE), "", Both),
        row(
            "103 before the answer",
            [early("103 Early Hints"), Pause, message(JSON, WHOLE)],
            passes(200, WHOLE),
            "",
            Both,
        ),
        row("100 and no answer", [early("100 Continue"), Pause], BROKEN, "no_answer", Nothing),
        row(
            "101 that nobody asked for",
            [message("101 Switching Protocols|upgrade: x", "")],
            MALFORMED,
            "malformed",
            Nothing,
        ),
        row("204 with a body", [message("204 No Content|content-length: 5", "hello")], passes(204, ""), "", Question),
        row("304 with a body", [message("304 Not Modified|content-length: 5", "hello")], passes(304, ""), "", Nothing),
        error("400 with JSON", "400 Bad Request|content-type: application/json|content-length: {length}", ERROR),
        error("401 with the wrong content type", "401 Unauthorized|content-type: text/event-stream", ERROR),
        error("429 with HTML", "429 Too Many|content-type: text/html|retry-after: 7|content-length: {length}", "<h1>"),
        error("500 without a body", "500 Internal Server Error|content-length: 0", ""),
        error("a status that nobody knows", "999 Odd|content-type: application/json|content-length: {length}", ERROR),
        row(
            "503 with bytes that are no text",
            [message("503 Busy|content-type: application/json", &not_text)],
            Passes(503, not_text.to_vec()),
            "",
            Nothing,
        ),
        row("200 with an error", [message(JSON, ERROR)], passes(200, ERROR), "", Nothing),
        row("200 with an empty body", [message(JSON, "")], passes(200, ""), "", Nothing),
        row("HTML as JSON", [message(JSON, "<h1>Busy</h1>")], passes(200, "<h1>Busy</h1>"), "", Question),
        row(
            "JSON as text",
            [message("200 OK|content-type: text/plain|content-length: {length}", WHOLE)],
            passes(200, WHOLE),
            "",
            Question,
        ),
        row(
            "JSON as events",
            [message("200 OK|content-type: text/event-stream|content-length: {length}", WHOLE)],
            passes(200, WHOLE),
            "",
            Question,
        ),
        row("no content type", [message("200 OK", WHOLE)], passes(200, WHOLE), "", Question),
    ]
}

fn lengths() -> Vec<Row> {
    let typed = |lines: &str| format!("{TO_THE_END}|{lines}");
    let more = format!("{WHOLE}HTTP/1.1 200 OK\r\n\r\nmore");
    let exact = format!("content-length: {}", WHOLE.len());
    let refused = |fault, lines: &str| row(fault, [message(&typed(lines), WHOLE)], MALFORMED, "malformed", Nothing);
    let whole = |fault, act| row(fault, [act], passes(200, WHOLE), "", Both);
    vec![
        whole("a length that is too small", message(&typed(&exact), &more)),
        whole("the same length twice", message(&typed("content-length: {length}|content-length: {length}"), WHOLE)),
        whole("the same length twice in one line", message(&typed("content-length: {length}, {length}"), WHOLE)),
        refused("two lengths", "content-length: 5|content-length: 6"),
        refused("a length that is no number", "content-length: -5"),
        whole(
            "a length beside chunks",
            message(&format!("{IN_CHUNKS}|content-length: 5"), format!("{}{LAST_CHUNK}", chunk(WHOLE))),
        ),
        whole("trailers", message(IN_CHUNKS, format!("{}0\r\nx-sum: 1\r\n\r\n", chunk(WHOLE)))),
        whole("HTTP/1.0 without a length", say_http_10(WHOLE)),
    ]
}

fn heads() -> Vec<Row> {
    let lines = |count: usize| format!("{JSON}{}", "|x-line: 1".repeat(count));
    let large = |bytes: usize| format!("{JSON}|x-large: {}", "a".repeat(bytes));
    let whole = |fault, act| row(fault, [act], passes(200, WHOLE), "", Both);
    let refused = |fault, act| row(fault, [act, Pause], MALFORMED, "malformed", Nothing);
    let with = |line: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", WHOLE.len());
        say([head.as_bytes(), line, b"\r\n\r\n", WHOLE.as_bytes()].concat())
    };
    let bare = format!("HTTP/1.1 200 OK\ncontent-type: application/json\ncontent-length: {}\n\n{WHOLE}", WHOLE.len());
    vec![
        whole("a header of 100 KB", message(&large(100_000), WHOLE)),
        refused("a head of 10 MB", message(&large(10_000_000), WHOLE)),
        refused("5,000 headers", message(&lines(5000), WHOLE)),
        whole("a header that is no text", with(b"x-odd: \xff\xfe")),
        refused("a header with U+0000", with(b"x-odd: a\0b")),
        refused("a header that goes on in the next line", with(b"x-odd: a\r\n b")),
        refused("a space before a colon", with(b"x-odd : a")),
        whole("lines that end in LF alone", say(bare)),
        refused("no HTTP", say("HELLO THERE\r\n\r\n")),
        refused("an answer in HTTP/2 to a request in HTTP/1.1", say("HTTP/2.0 200 OK\r\n\r\n")),
    ]
}

fn encodings() -> Vec<Row> {
    let encoded = |fault, name: &str, body: Vec<u8>| {
        let head = format!("{JSON}|content-encoding: {name}");
        row(fault, [message(&head, &body)], Passes(200, body), "", Question)
    };
    let gzip = compressed("gzip", WHOLE.as_bytes());
    let events =
        format!("200 OK|content-type: text/event-stream|content-encoding: gzip|content-length: {}", gzip.len());
    vec![
        encoded("gzip that nobody asked for", "gzip", gzip.clone()),
        encoded("zstd that nobody asked for", "zstd", compressed("zstd", WHOLE.as_bytes())),
        encoded("brotli that nobody asked for", "br", b"\x0b\x02\x80{}\x03".to_vec()),
        encoded("an encoding that nobody knows", "rot13", WHOLE.into()),
        encoded("gzip that is cut short", "gzip", gzip[..gzip.len() / 2].to_vec()),
        row(
            "gzip of events that breaks off",
            [message(&events, &gzip[..20]), Pause],
            BreaksOff(gzip[..20].to_vec()),
            "broken_body",
            Question,
        ),
    ]
}

fn events() -> Vec<Row> {
    let stream = |fault, body: String, remembered| {
        let acts = [message(EVENTS, format!("{}{LAST_CHUNK}", chunk(&body)))];
        row(fault, acts, passes(200, &body), "", remembered)
    };
    let failed = format!("data: {ERROR}\n\n");
    let long = format!("data: {{\"choices\":[],\"pad\":\"{}\"}}\n\n", "a".repeat(5 << 20));
    vec![
        stream("events without `[DONE]`", format!("{TEXT}{STOP}"), Both),
        stream("events without any end", TEXT.to_owned(), Question),
        stream("half an event at the end", format!("{TEXT}{HALF_AN_EVENT}"), Question),
        stream("an error event first", format!("{failed}{DONE}"), Nothing),
        stream("an error event after text", format!("{TEXT}{failed}{DONE}"), Question),
        stream("events with CR", format!("{TEXT}{STOP}{DONE}").replace('\n', "\r"), Both),
        stream("an event of 5 MB", format!("{long}{TEXT}{STOP}{DONE}"), Question),
        stream("events that are no JSON", format!("{TEXT}data: nonsense\n\n{DONE}"), Question),
        stream("events after `[DONE]`", format!("{TEXT}{STOP}{DONE}{TEXT}"), Both),
    ]
}

/// The head of a whole answer that comes by itself.
const JSON_OF_WHOLE: &str = "200 OK|content-type: application/json|content-length: 101";

fn passes(status: u16, body: &str) -> Outcome {
    Passes(status, body.into())
}

fn before(body: &str) -> Outcome {
    BreaksOff(body.into())
}

fn say(bytes: impl Into<Bytes>) -> Act {
    Act::Say(bytes.into())
}

/// An answer after which the connection is closed; `|` ends a line of its head.
fn message(head: &str, body: impl AsRef<[u8]>) -> Act {
    let body = body.as_ref();
    let head = head.replace("{length}", &body.len().to_string()).replace('|', "\r\n");
    say([format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes(), body].concat())
}

fn say_http_10(body: &str) -> Act {
    say(format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}"))
}

fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

fn status(head: &str) -> u16 {
    head[..3].parse().expect("a status")
}

impl Row {
    /// Puts its number into what it says.
    fn number(&mut self, number: usize) {
        let numbered = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            while let Some(at) = bytes.windows(NUMBER.len()).position(|piece| piece == NUMBER.as_bytes()) {
                bytes[at..at + NUMBER.len()].copy_from_slice(answer(number).as_bytes());
            }
            bytes
        };
        for act in &mut self.acts {
            match act {
                Act::Say(bytes) if bytes.len() < 1 << 20 => *bytes = numbered(bytes).into(),
                Drip(bytes, _) => *bytes = numbered(bytes).into(),
                _ => {}
            }
        }
        match &mut self.outcome {
            Passes(_, body) | BreaksOff(body) | BreaksOffAfterItsEnd(body) if body.len() < 1 << 20 => {
                *body = numbered(body);
            }
            _ => {}
        }
    }

    /// As the document has it.
    fn line(&self) -> String {
        let Self { fault, outcome, kind, remembered, .. } = self;
        format!("| {fault} | {} | {} | once | {} |", outcome.words(), counted(kind), remembered.words())
    }
}

fn answer(number: usize) -> String {
    format!("Answer {number:02}")
}

fn question(number: usize) -> String {
    format!("What is behind door {number:02}?")
}

/// Longest silence of an upstream here, in seconds; what drips takes longer.
const SILENCE: u64 = 3;
/// Rows that are asked for at once.
const AT_ONCE: usize = 12;

/// A proxy in front of an upstream that has a script for each row.
async fn started(builder: ProxyBuilder, rows: &[Row]) -> (FaultyUpstream, StartedProxy) {
    let scripts = rows.iter().enumerate().map(|(number, row)| (number.to_string(), vec![row.acts.clone()]));
    let upstream = FaultyUpstream::start(scripts).await;
    let silence = format!("idle_timeout_seconds = {SILENCE}");
    let proxy = builder.upstream(&upstream.base_url()).setting("upstream", &silence).start().await;
    (upstream, proxy)
}

/// Asks for every row on these routes, and holds what came to it. `reads` says whether chats are read along.
async fn hold(rows: &[Row], (upstream, proxy): (&FaultyUpstream, &StartedProxy), routes: &[Route], reads: bool) {
    let asked = rows.iter().enumerate().flat_map(|(number, row)| routes.iter().map(move |route| (number, row, *route)));
    let found = stream::iter(asked).map(|(number, row, route)| async move {
        let (script, question) = (number.to_string(), question(number));
        let asking = ask(proxy, route, &script, &question);
        let differs = match within(row.fault, Duration::from_secs(60), asking).await {
            Ok(seen) => row.outcome.differs(&seen, reads && route == Route::Chat),
            Err(problem) => Some(problem),
        };
        differs.map(|seen| format!("{} ({}), {route:?}: {seen}", row.fault, row.outcome.words()))
    });
    let mut wrong: Vec<String> = found.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    let metrics = proxy.metrics().await;
    for kind in ["connect", "connect_timeout", "tls", "silent", "no_answer", "malformed", "silent_body", "broken_body"]
    {
        let expected = rows.iter().filter(|row| row.kind == kind).count() * routes.len();
        let is = failures(&metrics, kind);
        wrong.extend((is != expected).then(|| format!("{is} failures are counted as {kind}, and {expected} expected")));
    }
    for (number, row) in rows.iter().enumerate() {
        let sent = upstream.taken(&number.to_string());
        wrong.extend(
            (sent != routes.len()).then(|| format!("{}: sent {sent} times, asked {}", row.fault, routes.len())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(retries(&metrics), 0);
    no_panic(proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_or_odd_answer_has_its_outcome_and_nothing_of_it_is_remembered() {
    let rows = rows();
    let (upstream, proxy) = started(StartedProxy::builder(), &rows).await;
    hold(&rows, (&upstream, &proxy), &Route::ALL, true).await;
    // What a broken answer leaves is written while its client has gone already.
    let mut wrong = wrongly_remembered(&rows, &proxy).await;
    for _ in 0..WRITING {
        if wrong.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        wrong = wrongly_remembered(&rows, &proxy).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How long writing may take, in seconds.
const WRITING: usize = 30;

/// Rows of which something else is remembered than they have.
async fn wrongly_remembered(rows: &[Row], proxy: &StartedProxy) -> Vec<String> {
    let memory = proxy.get("/mainpoint/v1/export").await.text();
    let remembered = |number| match [question(number), answer(number)].map(|text| memory.contains(&text)) {
        [false, false] => Nothing,
        [true, false] => Question,
        [_, true] => Both,
    };
    let rows = rows.iter().enumerate().map(|(number, row)| (row, remembered(number)));
    let wrong = rows.filter(|(row, remembered)| row.remembered != *remembered);
    wrong.map(|(row, remembered)| format!("{}: {} is remembered", row.fault, remembered.words())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_memory_every_broken_or_odd_answer_has_the_same_outcome() {
    let rows = rows();
    let (upstream, proxy) = started(ProxyBuilder::as_shipped().setting("memory", "mode = \"off\""), &rows).await;
    hold(&rows, (&upstream, &proxy), &Route::ALL, false).await;
}

#[test]
fn the_document_shows_every_answer_and_its_outcome() {
    is_documented(&rows().iter().map(Row::line).collect::<Vec<_>>());
}
