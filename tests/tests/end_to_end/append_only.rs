//! What a provider's prompt cache sees: between two evictions every prompt goes on, byte for byte, where the last one ended,
//! whichever process forwards it.

use std::path::Path;
use std::sync::Arc;

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::example::masked;
use mainpoint_tests::forwarded::raw_messages;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{Conversation, RecordedRequest, ScriptedUpstream, StartedProxy, prompt, tokens};

use crate::shared::receipt;

const BUDGET: usize = 1500;
const MEMORY: usize = 300;
const CODE: &str = "7391-K";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_two_evictions_every_prompt_goes_on_where_the_last_one_ended() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut stage = Stage::new(&upstream);
    for _ in 0..59 {
        stage.turn(&proxy).await;
    }
    let (evictions, appended) = stage.check();
    assert!(evictions >= 2, "{evictions} evictions");
    assert!(appended >= evictions, "{appended} prompts went on where the last one ended, {evictions} did not");

    // The same request again, and two at once: the same bytes each time.
    let asked = stage.question();
    proxy.chat(asked.body()).await;
    let first = upstream.last_request().body;
    proxy.chat(asked.body()).await;
    assert_eq!(upstream.last_request().body, first, "a retry forwards the same bytes");
    let mut other = stage.conversation.clone();
    other.user("And which of my friends did I mention first?");
    let before = upstream.requests().len();
    tokio::join!(proxy.chat(other.body()), proxy.chat(other.body()));
    let both = upstream.requests();
    assert_eq!(both[before].body, both[before + 1].body, "requests at the same time agree");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_takes_over_after_a_kill_forwards_what_the_first_one_would_have() {
    // Both runs begin with copies of one data directory, so that they share the key that scopes are made with.
    let upstream = ScriptedUpstream::start().await;
    let home = builder(&upstream).start().await.stop().await;
    let (quiet, killed) = (Home::new(), Home::new());
    copy(&home.data(), &quiet.data());
    copy(&home.data(), &killed.data());

    let undisturbed = play(&quiet, &[]).await;
    let disturbed = play(&killed, &[38, 45, 52]).await;
    assert_eq!(undisturbed.len(), disturbed.len());
    for (turn, (one, other)) in undisturbed.iter().zip(&disturbed).enumerate() {
        assert_eq!(without_stamps(one), without_stamps(other), "turn {}", turn + 1);
    }
}

/// Plays the chat on one data directory; after each of the turns `kills` the proxy is killed and another takes over.
async fn play(home: &Arc<Home>, kills: &[usize]) -> Vec<RecordedRequest> {
    let upstream = ScriptedUpstream::start().await;
    let mut proxy = builder(&upstream).home(home).start().await;
    let mut stage = Stage::new(&upstream);
    for turn in 1..=56 {
        stage.turn(&proxy).await;
        proxy.everything_read().await;
        if kills.contains(&turn) {
            proxy.kill().await;
            proxy = builder(&upstream).home(home).start().await;
        }
    }
    let (evictions, _) = stage.check();
    assert!(evictions >= 1, "nothing was evicted");
    upstream.requests()
}

fn builder(upstream: &ScriptedUpstream) -> mainpoint_tests::proxy::ProxyBuilder {
    StartedProxy::before(upstream).budget(BUDGET, MEMORY)
}

/// A conversation on its way, and what became of each of its requests.
struct Stage<'a> {
    upstream: &'a ScriptedUpstream,
    conversation: Conversation,
    turns: usize,
    seen: Vec<Seen>,
}

struct Seen {
    forwarded: RecordedRequest,
    outcome: String,
    evicts: bool,
}

impl<'a> Stage<'a> {
    fn new(upstream: &'a ScriptedUpstream) -> Self {
        Self { upstream, conversation: Conversation::with_system_and_tools(), turns: 0, seen: Vec::new() }
    }

    /// Plays the next turn, once everything before it has been read.
    async fn turn(&mut self, proxy: &StartedProxy) {
        let exchange = &everyday_chat(CODE)[self.turns];
        self.turns += 1;
        self.conversation.user(&exchange.user);
        self.upstream.say_next(&exchange.assistant);
        proxy.everything_read().await;
        let answer = proxy.chat(self.conversation.body()).await;
        self.seen.push(Seen {
            forwarded: self.upstream.last_request(),
            outcome: answer.outcome().to_owned(),
            evicts: receipt(proxy, &answer).await["eviction"]["is_new"] == true,
        });
        self.conversation.assistant(&exchange.assistant);
    }

    fn question(&self) -> Conversation {
        let mut asked = self.conversation.clone();
        asked.user("What was the code of my bicycle lock again?");
        asked
    }

    /// Holds every request against the laws; how many evicted turns, and how many went on where the last one ended.
    fn check(&self) -> (usize, usize) {
        let mut appended = 0;
        for pair in self.seen.windows(2) {
            let [before, after] = pair else { continue };
            if after.outcome != "rewritten" {
                assert_eq!(after.outcome, "passthrough");
                continue;
            }
            let counted = tokens::count_prompt(&after.forwarded.json());
            assert!(counted <= BUDGET, "{counted} tokens of {BUDGET}");
            prompt::assert_well_formed(&after.forwarded.json());
            if !after.evicts {
                let (old, new) = (raw_messages(&before.forwarded.body), raw_messages(&after.forwarded.body));
                assert!(new.starts_with(&old), "nothing was evicted, and yet the prefix changed:\n{old:#?}\n{new:#?}");
                appended += 1;
            }
        }
        (self.seen.iter().filter(|seen| seen.evicts).count(), appended)
    }
}

/// The body without the days on which its turns were first seen, and without the numbers of its blocks, which are made of the
/// turns' times, too: both differ between two runs.
fn without_stamps(request: &RecordedRequest) -> String {
    masked(&String::from_utf8_lossy(&request.body))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
