//! The scripted upstream: a real HTTP server on loopback that records every request and answers as the test says.
//!
//! It must not know the proxy; what it records it judges only when told to be strict.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::deadline::wait_until;
use crate::reply::{BrokenOff, Reply, Step, never};
use crate::strict;

/// How long a test waits for a request to arrive or to be given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running upstream; it stops when dropped.
#[derive(Debug)]
pub struct ScriptedUpstream {
    port: u16,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
    /// When its head had come.
    pub arrived: Instant,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<RecordedRequest>,
    script: VecDeque<Scripted>,
    otherwise: Otherwise,
    abandoned: usize,
    is_strict: bool,
    objections: Vec<String>,
}

#[derive(Debug)]
enum Scripted {
    /// A chat completion with this text, streamed when the request asks for it.
    Say(String),
    Exactly(Reply),
}

/// What is answered without a script.
struct Otherwise(Box<dyn FnMut(&RecordedRequest) -> Reply + Send>);

/// Counts a request as abandoned unless its answer was sent to the end.
struct Attendance {
    state: Arc<Mutex<State>>,
    finished: bool,
}

impl ScriptedUpstream {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let state = Arc::new(Mutex::new(State::default()));
        let server = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, server }
    }

    /// The base URL for the proxy's configuration.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// From now on answers every request without a script like this.
    pub fn always(&self, answer: impl FnMut(&RecordedRequest) -> Reply + Send + 'static) {
        self.lock().otherwise = Otherwise(Box::new(answer));
    }

    /// Answers the next request exactly so. Without a script, every request gets a short chat completion.
    pub fn reply_next(&self, reply: Reply) {
        self.lock().script.push_back(Scripted::Exactly(reply));
    }

    /// Answers the next request with a chat completion of this text, streamed when the request asks for that.
    pub fn say_next(&self, text: &str) {
        self.lock().script.push_back(Scripted::Say(text.to_owned()));
    }

    /// From now on refuses what OpenAI's service would refuse, as it would.
    pub fn be_strict(&self) {
        self.lock().is_strict = true;
    }

    /// Why requests were refused.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        self.lock().objections.clone()
    }

    /// Everything that arrived so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests.clone()
    }

    /// What arrived since a moment, in order.
    #[must_use]
    pub fn requests_since(&self, moment: Instant) -> Vec<RecordedRequest> {
        let state = self.lock();
        let new = state.requests.iter().filter(|request| request.arrived >= moment);
        new.cloned().collect()
    }

    /// The request that arrived last.
    ///
    /// # Panics
    /// When none did.
    #[must_use]
    pub fn last_request(&self) -> RecordedRequest {
        self.lock().requests.last().cloned().expect("a request at the upstream")
    }

    /// Waits until `count` requests have arrived.
    ///
    /// # Panics
    /// When they do not arrive in time.
    pub async fn arrived(&self, count: usize) {
        wait_until("the upstream has its request", PATIENCE, || async { self.lock().requests.len() >= count }).await;
    }

    /// Waits until the other side has given up `count` requests before their answers ended.
    ///
    /// # Panics
    /// When it does not do so in time.
    pub async fn abandoned(&self, count: usize) {
        wait_until("the upstream's request is given up", PATIENCE, || async { self.lock().abandoned >= count }).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl RecordedRequest {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the forwarded body {text:?}"))
    }

    /// Whether the body contains exactly these bytes.
    #[must_use]
    pub fn contains(&self, bytes: impl AsRef<[u8]>) -> bool {
        let wanted = bytes.as_ref();
        self.body.windows(wanted.len()).any(|window| window == wanted)
    }

    /// A chat completion with this text, streamed when the request asks for it.
    #[must_use]
    pub fn said(&self, text: &str) -> Reply {
        let request = serde_json::from_slice::<Value>(&self.body);
        if request.is_ok_and(|request| request["stream"] == true) { Reply::stream(text) } else { Reply::chat(text) }
    }

    /// The value of a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Default for Otherwise {
    fn default() -> Self {
        Self(Box::new(|request| request.said("All right.")))
    }
}

impl std::fmt::Debug for Otherwise {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Otherwise")
    }
}

impl Attendance {
    fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        if !self.finished {
            lock(&self.state).abandoned += 1;
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    // A connection that one side breaks off is part of the script, not a failure of the server.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<UnsyncBoxBody<Bytes, BrokenOff>>, BrokenOff> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(BrokenOff::other)?.to_bytes();
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let recorded = RecordedRequest { method: parts.method, target, headers: parts.headers, body, arrived };
    let reply = {
        let mut state = lock(&state);
        let refused = state.is_strict.then(|| refusal(&recorded)).flatten();
        let reply = match refused {
            Some(objection) => {
                let reply = Reply::refusal(&objection);
                state.objections.push(objection);
                reply
            }
            None => match state.script.pop_front() {
                Some(Scripted::Exactly(reply)) => reply,
                Some(Scripted::Say(text)) => recorded.said(&text),
                None => (state.otherwise.0)(&recorded),
            },
        };
        state.requests.push(recorded);
        reply
    };
    respond(reply, Attendance { state, finished: false }).await
}

fn refusal(request: &RecordedRequest) -> Option<String> {
    match serde_json::from_slice(&request.body) {
        Ok(body) => strict::objection(&request.target, &body),
        Err(error) => Some(format!("the body is not JSON: {error}")),
    }
}

async fn respond(
    reply: Reply,
    mut attendance: Attendance,
) -> Result<Response<UnsyncBoxBody<Bytes, BrokenOff>>, BrokenOff> {
    let Some(status) = reply.status else {
        attendance.finish();
        return Err(BrokenOff::other("hung up as scripted"));
    };
    let mut steps = VecDeque::from(reply.steps);
    // A pause before the first byte holds the head back as well.
    loop {
        match steps.front() {
            Some(Step::Wait(gate)) => gate.clone().passed().await,
            Some(Step::Pause(pause)) => tokio::time::sleep(*pause).await,
            _ => break,
        }
        steps.pop_front();
    }
    let body = match (steps.pop_front(), steps.is_empty()) {
        (Some(Step::Send(bytes)), true) => {
            attendance.finish();
            Full::new(bytes).map_err(never).boxed_unsync()
        }
        (None, _) => {
            attendance.finish();
            Full::new(Bytes::new()).map_err(never).boxed_unsync()
        }
        (Some(first), _) => {
            steps.push_front(first);
            stepwise(steps, attendance)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

fn stepwise(steps: VecDeque<Step>, attendance: Attendance) -> UnsyncBoxBody<Bytes, BrokenOff> {
    let frames = stream::unfold((steps, attendance), |(mut steps, mut attendance)| async move {
        loop {
            match steps.pop_front() {
                None => {
                    attendance.finish();
                    return None;
                }
                Some(Step::Send(bytes)) => return Some((Ok(Frame::data(bytes)), (steps, attendance))),
                Some(Step::Wait(gate)) => gate.passed().await,
                Some(Step::Pause(pause)) => tokio::time::sleep(pause).await,
                Some(Step::Cut) => {
                    attendance.finish();
                    // Lets what was sent before leave the process first.
                    tokio::task::yield_now().await;
                    return Some((Err(BrokenOff::other("cut as scripted")), (VecDeque::new(), attendance)));
                }
            }
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::reply::{Gate, Reply};
    use crate::wire;

    use super::ScriptedUpstream;

    #[tokio::test]
    async fn a_request_is_recorded_and_answered_as_scripted() {
        let upstream = ScriptedUpstream::start().await;
        upstream.reply_next(Reply::events().then("a").then("b").byte_by_byte().header("x-one", "1"));
        let url = format!("{}/models?x=%2F", upstream.base_url());
        let answer = wire::client().post(url).body("exactly  this").send().await.expect("an answer");
        assert_eq!(answer.headers()["x-one"], "1");
        assert_eq!(answer.bytes().await.expect("a body"), "ab");
        let recorded = upstream.last_request();
        assert_eq!((recorded.method.as_str(), recorded.target.as_str()), ("POST", "/v1/models?x=%2F"));
        assert!(recorded.contains("exactly  this") && recorded.body.len() == 13);
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed_before_and_after_the_first_byte() {
        let upstream = ScriptedUpstream::start().await;
        let never = Gate::closed();
        upstream.reply_next(Reply::events().then("a").then_wait(&never));
        let mut answer = wire::client().get(upstream.base_url()).send().await.expect("an answer");
        assert_eq!(answer.chunk().await.expect("a body").expect("a chunk"), "a");
        drop(answer);
        upstream.abandoned(1).await;

        upstream.reply_next(Reply::chat("late").held_back(&never));
        let asking = tokio::spawn(wire::client().get(upstream.base_url()).send());
        upstream.arrived(2).await;
        asking.abort();
        upstream.abandoned(2).await;
    }

    #[tokio::test]
    async fn a_cut_comes_after_the_bytes_before_it() {
        let upstream = ScriptedUpstream::start().await;
        upstream.reply_next(Reply::events().then("a").then_cut());
        let mut answer = wire::client().get(upstream.base_url()).send().await.expect("an answer");
        assert_eq!(answer.chunk().await.expect("a body").expect("a chunk"), "a");
        assert!(answer.chunk().await.is_err(), "the body is not whole");
        upstream.reply_next(Reply::hang_up());
        assert!(wire::client().get(upstream.base_url()).send().await.is_err(), "no answer at all");
    }
}
