//! What a client has seen the end of is never lost and never there twice, however the process ends.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainpoint_tests::proxy::{Home, TENANT};
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy, prompt, sse, wait_until};
use serde_json::Value;

use crate::shared;

/// Clients that talk at the same time.
const CLIENTS: usize = 12;
/// Answers before the process is ended. The reader has read only a few of them by then.
const ANSWERS: usize = 150;
const TALKING: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_turn_of_an_answer_that_was_seen_to_its_end_outlives_a_kill_and_is_there_once() {
    outlives(|proxy| Box::pin(proxy.kill())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_turn_of_an_answer_that_was_seen_to_its_end_outlives_a_stop_under_load_and_is_there_once() {
    outlives(|proxy| Box::pin(async move { drop(proxy.stop().await) })).await;
}

async fn outlives(end: impl FnOnce(StartedProxy) -> futures::future::BoxFuture<'static, ()>) {
    let upstream = echoing().await;
    let start = |home: Arc<Home>| {
        let builder = StartedProxy::before(&upstream);
        builder.setting("store", "flush_interval_ms = 200").setting("store", "flush_turns = 20").home(&home).start()
    };
    let home = Home::new();
    let proxy = start(Arc::clone(&home)).await;
    let talk = Talk::default();
    let clients = (0..CLIENTS).map(|client| tokio::spawn(talk.clone().talks(client, proxy.base_url().to_owned())));
    let clients: Vec<_> = clients.collect();
    wait_until("many are answered", TALKING, || async { talk.answers.load(Ordering::Acquire) >= ANSWERS }).await;
    end(proxy).await;
    for client in clients {
        client.await.expect("a client");
    }

    // The next start reads what is left, while it takes in what comes.
    let proxy = start(Arc::clone(&home)).await;
    let mut later = Conversation::new();
    let question = "And what did I say before?";
    later.user(question);
    assert_eq!(proxy.chat(later.body()).await.status, 200);
    proxy.everything_read().await;
    let home = proxy.stop().await;

    let (answered, asked) = talk.told();
    assert!(answered.len() >= ANSWERS && asked.len() >= answered.len());
    let known = imported(&home, &answered);
    assert_eq!(
        (&known["turns"], &known["turns_known"]),
        (&Value::from(0), &Value::from(2 * answered.len())),
        "every turn of an answer that was seen is there: {known}"
    );
    let mut everything = asked.clone();
    later.assistant(&reply(question));
    everything.push(later);
    let whole = imported(&home, &everything);
    assert_eq!(whole["turns_stored"], 2 * everything.len(), "no turn is there twice: {whole}");
}

/// An upstream that says something else to everything, since what is said twice is stored once.
async fn echoing() -> ScriptedUpstream {
    let upstream = ScriptedUpstream::start().await;
    upstream.always(|request| request.said(&reply(&prompt::last_user_text(&request.json()))));
    upstream
}

fn reply(question: &str) -> String {
    format!("All right. You said: {question}")
}

/// What clients said and saw.
#[derive(Debug, Clone, Default)]
struct Talk {
    answers: Arc<AtomicUsize>,
    answered: Arc<Mutex<Vec<Conversation>>>,
    asked: Arc<Mutex<Vec<Conversation>>>,
}

impl Talk {
    /// One conversation after the other, until no answer comes any more.
    async fn talks(self, client: usize, base_url: String) {
        let http = mainpoint_tests::wire::client();
        for number in 0.. {
            let mut conversation = Conversation::new();
            let said = format!("Client {client} counts its sheep: there are {number} of them today.");
            conversation.user(&said);
            let mut whole = conversation.clone();
            whole.assistant(&reply(&said));
            add(&self.asked, whole.clone());
            let streams = (client + number).is_multiple_of(2);
            let asked = if streams { conversation.streaming() } else { conversation };
            let sent = http
                .post(format!("{base_url}/chat/completions"))
                .header("authorization", TENANT)
                .body(asked.body())
                .send();
            let Ok(response) = sent.await else { return };
            let Ok(body) = response.bytes().await else { return };
            if streams && !sse::is_done(&body) {
                return;
            }
            add(&self.answered, whole);
            self.answers.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn told(&self) -> (Vec<Conversation>, Vec<Conversation>) {
        let all = |list: &Mutex<Vec<Conversation>>| list.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (all(&self.answered), all(&self.asked))
    }
}

fn add(list: &Mutex<Vec<Conversation>>, conversation: Conversation) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(conversation);
}

/// What `mainpoint import` says of these conversations; it reads what the memory does not know.
pub(crate) fn imported(home: &Home, conversations: &[Conversation]) -> Value {
    let file = home.path().join("told.jsonl");
    let line = |conversation: &Conversation| {
        let value: Value = serde_json::from_str(&conversation.body()).expect("JSON");
        format!("{value}\n")
    };
    let lines: String = conversations.iter().map(line).collect();
    fs::write(&file, lines).expect("a file");
    shared::imported(home, &file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_backlog_is_counted_and_told_and_no_client_sees_it() {
    let upstream = echoing().await;
    let builder = StartedProxy::before(&upstream);
    let proxy = builder
        .setting("server", "fault_injection = true")
        .setting("store", "backlog_turns = 4")
        .setting("store", "backlog_share = 0.5")
        .start()
        .await;
    // Nothing is read any more, so that whatever is kept waits.
    proxy.stop_part("reader").await;
    let answers = [
        asked(&proxy, "Bearer sk-one", 1).await,
        asked(&proxy, "Bearer sk-one", 2).await,
        asked(&proxy, "Bearer sk-two", 1).await,
        asked(&proxy, "Bearer sk-three", 1).await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert!(answer.reply().starts_with("All right. You said: This is question"), "{}", answer.reply());
    }
    let metrics = proxy.metrics().await;
    let refused = |reason| metrics.sum("mainpoint_backlog_refused_turns_total", &[("reason", reason)]);
    assert!((refused("share") - 2.0).abs() < 0.5, "the second conversation of one caller");
    assert!((refused("full") - 2.0).abs() < 0.5, "the third caller");
    assert!((metrics.sum("mainpoint_backlog_turns", &[]) - 4.0).abs() < 0.5);
    for (answer, caller, reason) in [
        (&answers[0], "Bearer sk-one", Value::Null),
        (&answers[1], "Bearer sk-one", Value::from("backlog_share")),
        (&answers[3], "Bearer sk-three", Value::from("backlog_full")),
    ] {
        let receipt = shared::receipt_of(&proxy, caller, answer).await;
        assert_eq!(receipt["not_stored"], reason, "{receipt}");
    }
    assert!(proxy.output().contains("store.backlog_share"), "{}", proxy.output());
}

async fn asked(proxy: &StartedProxy, caller: &str, number: usize) -> Answer {
    let mut conversation = Conversation::new();
    conversation.user(&format!("This is question {number} of {caller}."));
    proxy.chat_as(caller, conversation.body()).await
}
