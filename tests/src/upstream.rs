//! The scripted upstream: a real HTTP server on loopback that records every request and answers as the test says.

mod request;
mod script;
mod serving;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::request::RecordedRequest;
use self::script::{Otherwise, Scripted, State, lock};
use self::serving::serve;
use crate::deadline::wait_until;
use crate::reply::Reply;

/// How long a test waits for a request to arrive or to be given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running upstream; it stops when dropped.
#[derive(Debug)]
pub struct ScriptedUpstream {
    port: u16,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl ScriptedUpstream {
    /// Starts to listen on a free port of the loopback interface.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    /// Starts to listen on this port, such as that of an upstream that has ended; 0 lets the machine choose.
    ///
    /// # Panics
    /// When somebody else has the port.
    pub async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let state = Arc::new(Mutex::new(State::default()));
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { port, state, server }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
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

    /// From now on records no bodies, which may be many and large.
    pub fn forget_bodies(&self) {
        self.lock().forgets_bodies = true;
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
        wait_until("the upstream's request is given up", PATIENCE, || async { self.lock().given_up.len() >= count })
            .await;
    }

    /// When the other side has given up requests before their answers ended, in order.
    #[must_use]
    pub fn given_up(&self) -> Vec<Instant> {
        self.lock().given_up.clone()
    }

    /// How many requests are being answered.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.lock().unfinished
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
