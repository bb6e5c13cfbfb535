//! Memories are found in every language: what answers a question is in the forwarded prompt, word for word, and small talk gets
//! none.
//!
//! The conversations lie in the directory of data.

#![expect(clippy::print_stdout, reason = "how much was found is to be seen")]

use mainpoint_tests::languages::{Chat, chats};
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::Value;

/// A third of a conversation.
const BUDGET: usize = 1200;
const MEMORY: usize = 500;
/// Least share of a language's questions whose evidence is in the prompt.
const FOUND: f64 = 0.9;
/// Most that a language may be behind English.
const BEHIND: f64 = 0.07;
/// Least share of small talk that gets no memory.
const SILENT: f64 = 0.95;

/// What became of a language's questions and small talk.
struct Outcome {
    language: String,
    found: usize,
    asked: usize,
    silent: usize,
    said: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_is_in_the_prompt_word_for_word_and_small_talk_gets_none_in_every_language() {
    let chats = chats();
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).default_model().budget(BUDGET, MEMORY).start().await;
    let mut outcomes = Vec::new();
    for chat in &chats {
        let outcome = outcome(&proxy, &upstream, chat).await;
        println!(
            "{}: {} of {} questions with their evidence, {} of {} messages without memory",
            outcome.language, outcome.found, outcome.asked, outcome.silent, outcome.said
        );
        outcomes.push(outcome);
    }
    proxy.stop().await;

    let english = outcomes.iter().find(|outcome| outcome.language == "en").map_or(0.0, Outcome::share);
    for outcome in &outcomes {
        let share = outcome.share();
        assert!(share >= FOUND, "{}: {share:.2}", outcome.language);
        assert!(share >= english - BEHIND, "{}: {share:.2}, English {english:.2}", outcome.language);
    }
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>() as f64;
    let silent = sum(|outcome| outcome.silent) / sum(|outcome| outcome.said);
    assert!(silent >= SILENT, "{silent:.2} of small talk got no memory");
}

async fn outcome(proxy: &StartedProxy, upstream: &ScriptedUpstream, chat: &Chat) -> Outcome {
    proxy.chat(asked(chat, &chat.small_talk[0])).await;
    proxy.everything_read().await;
    let mut outcome = Outcome {
        language: chat.language.clone(),
        found: 0,
        asked: chat.questions.len(),
        silent: 0,
        said: chat.small_talk.len(),
    };
    for (question, evidence) in &chat.questions {
        let request = forwarded(proxy, upstream, asked(chat, question)).await;
        let said = words(&request);
        let is_there = |number: &usize| said.iter().any(|text| *text == chat.turns[*number].1);
        if evidence.iter().all(is_there) {
            outcome.found += 1;
        } else {
            println!("{}: without its evidence: {question}", chat.language);
        }
    }
    for message in &chat.small_talk {
        let request = forwarded(proxy, upstream, asked(chat, message)).await;
        if prompt::memory_block(&request).is_none() {
            outcome.silent += 1;
        } else {
            println!("{}: with memories: {message}", chat.language);
        }
    }
    outcome
}

async fn forwarded(proxy: &StartedProxy, upstream: &ScriptedUpstream, body: String) -> Value {
    let answer = proxy.chat(body).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    let request = upstream.last_request().json();
    prompt::assert_well_formed(&request);
    request
}

/// What is said in a prompt: its messages' own texts, and what its block quotes.
fn words(request: &Value) -> Vec<String> {
    let block = prompt::memory_block(request).map_or_else(Vec::new, |block| prompt::quotes(&block));
    let own = prompt::messages(request).iter().map(prompt::own_text);
    own.chain(block.into_iter().map(|quote| quote.text)).collect()
}

fn asked(chat: &Chat, question: &str) -> String {
    let mut conversation = Conversation::new();
    for (role, text) in &chat.turns {
        if role == "user" {
            conversation.user(text);
        } else {
            conversation.assistant(text);
        }
    }
    conversation.user(question);
    conversation.body()
}

impl Outcome {
    fn share(&self) -> f64 {
        self.found as f64 / self.asked.max(1) as f64
    }
}
