//! An upstream to which no connection can be made, or none that is as it should be.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mainpoint_tests::faulty_upstream::FaultyUpstream;
use mainpoint_tests::proxy::{Home, ProxyBuilder};
use mainpoint_tests::tls::{Certificate, TlsFront};
use mainpoint_tests::{ScriptedUpstream, within};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Outcome::{self, Refused};
use super::{Route, ask, counted, failures, is_documented, no_panic, retries};
use crate::shared::nobody;

/// A fault, its outcome, and under which kind it is counted.
struct Row {
    fault: &'static str,
    outcome: Outcome,
    kind: &'static str,
}

const CANNOT: Outcome = Refused(502, "upstream_unreachable", "the connection was refused or could not be made");
const SLOW: Outcome = Refused(502, "upstream_unreachable", "connecting took too long");
const NO_TLS: Outcome = Refused(502, "upstream_unreachable", "no encrypted connection to whom it should be");
const MALFORMED: Outcome = Refused(502, "upstream_unreachable", "its answer is not valid HTTP");

const ROWS: [Row; 8] = [
    Row { fault: "it refuses connections", outcome: CANNOT, kind: "connect" },
    Row { fault: "a name that does not resolve", outcome: CANNOT, kind: "connect" },
    Row { fault: "nobody takes the connection", outcome: SLOW, kind: "connect_timeout" },
    Row { fault: "TLS in which nobody says anything", outcome: SLOW, kind: "connect_timeout" },
    Row { fault: "a certificate that is not trusted", outcome: NO_TLS, kind: "tls" },
    Row { fault: "a certificate for another name", outcome: NO_TLS, kind: "tls" },
    Row { fault: "plain HTTP where TLS is expected", outcome: NO_TLS, kind: "tls" },
    Row { fault: "TLS where plain HTTP is expected", outcome: MALFORMED, kind: "malformed" },
];

/// Longer than a label of a name may be, so that nobody is asked for it.
const NO_NAME: &str = "http://a-name-that-is-longer-than-sixty-three-letters-and-that-nobody-can-have.invalid/v1";
/// How long connecting may take here, and how long an answer may take then on a machine that is busy.
const CONNECTING: u64 = 1;
const PROMPT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_that_cannot_be_made_is_a_502_that_says_why() {
    let (_socket, refusing) = nobody();
    let (_full, backlog) = full_backlog().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let unspoken = format!("https://{}/v1", silent.local_addr().expect("the port"));
    let (plain, spoken) = (FaultyUpstream::start([]).await, ScriptedUpstream::start().await);
    let (ours, anothers) = (Certificate::of(Ipv4Addr::LOCALHOST), Certificate::of(Ipv4Addr::new(127, 0, 0, 2)));
    let front = TlsFront::start(&ours, "http/1.1", plain.port()).await;
    let of_another = TlsFront::start(&anothers, "http/1.1", plain.port()).await;
    let urls = [
        refusing,
        NO_NAME.to_owned(),
        backlog,
        unspoken,
        front.base_url("127.0.0.1"),
        of_another.base_url("127.0.0.1"),
        spoken.base_url().replace("http:", "https:"),
        front.plain_base_url(),
    ];
    let rows = ROWS.iter().zip(&urls).map(|(row, url)| {
        let trusted = if url.starts_with(&of_another.base_url("127.0.0.1")) { &anothers } else { &ours };
        let is_trusted = row.fault != "a certificate that is not trusted";
        hold(row, url, is_trusted.then_some(trusted))
    });
    let wrong: Vec<String> = futures::future::join_all(rows).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asks on both routes, and says what was otherwise than the row has it.
async fn hold(row: &Row, url: &str, trusted: Option<&Certificate>) -> Vec<String> {
    let home = Home::new();
    let mut builder = ProxyBuilder::as_shipped().home(&home).upstream(url).setting("memory", "mode = \"off\"");
    builder = builder.setting("upstream", &format!("connect_timeout_seconds = {CONNECTING}"));
    builder = builder.setting("upstream", "idle_timeout_seconds = 5");
    // Where nobody is trusted, somebody else is.
    let somebody = Certificate::of(Ipv4Addr::new(127, 0, 0, 3));
    let folder = home.configuration();
    let file = trusted.unwrap_or(&somebody).trusted_in(folder.parent().expect("a folder"));
    let proxy = builder.environment("SSL_CERT_FILE", &file.display().to_string()).start().await;
    let mut wrong = Vec::new();
    for route in Route::ALL {
        let begun = Instant::now();
        let found = match within(row.fault, PROMPT * 2, ask(&proxy, route, "", "Is anybody there?")).await {
            Ok(seen) => row.outcome.differs(&seen, false),
            Err(problem) => Some(problem),
        };
        let late = (begun.elapsed() > PROMPT).then(|| format!("it took {:?}", begun.elapsed()));
        wrong.extend([found, late].into_iter().flatten().map(|found| format!("{}: {found}", row.fault)));
    }
    let metrics = proxy.metrics().await;
    let is = (failures(&metrics, row.kind), retries(&metrics));
    wrong.extend((is != (2, 0)).then(|| format!("{}: {is:?} failures of kind {} and retries", row.fault, row.kind)));
    no_panic(&proxy);
    wrong
}

/// A socket that takes no further connection, and answers none: what wants to connect waits. It is full as long as what comes back is
/// kept.
async fn full_backlog() -> ((TcpListener, Vec<TcpStream>), String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("the port");
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 100, "a backlog of one has an end");
    }
    ((listener, waiting), format!("http://{address}/v1"))
}

#[test]
fn the_document_shows_every_connection_that_cannot_be_made() {
    let line = |row: &Row| {
        let sent = if row.kind == "malformed" { "once" } else { "never" };
        format!("| {} | {} | {} | {sent} |", row.fault, row.outcome.words(), counted(row.kind))
    };
    is_documented(&ROWS.iter().map(line).collect::<Vec<_>>());
}
