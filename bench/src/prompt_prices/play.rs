//! Plays a conversation through the running proxy and keeps what the upstream received.

use mainpoint_tests::Answer;
use serde_json::Value;

use super::PriceOptions;
use super::message::{Messages, Prompt};
use super::pricing::TOLD;
use crate::BenchError;
use crate::data::Conversation;
use crate::filled::{History, Stage, message};
use crate::progress::bar;
use crate::running::Client;

#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) rounds: Vec<Forwarded>,
    /// One request for each question, asked after the last round.
    pub(super) questions: Vec<Forwarded>,
}

/// A request as the upstream received it, and what the proxy says of it.
#[derive(Debug)]
pub(super) struct Forwarded {
    pub(super) prompt: Prompt,
    /// What happened to it, as the proxy says: `passthrough`, `rewritten` or `failed-open`.
    pub(super) outcome: String,
    /// Whether turns leave with this request.
    pub(super) evicts: bool,
}

pub(super) const SYSTEM: &str = "You are a helpful assistant. Answer as well as you can from what was said so far.";

const ASIDE: &str = "I will come back to that.";

/// Plays every round on a store that has read the conversation, and then asks every question aside: a turn is recalled only once
/// it was said, and what is measured does not wait for the reader.
pub(super) async fn play(
    options: &PriceOptions,
    chat: &Conversation,
    messages: &mut Messages,
) -> Result<Played, BenchError> {
    let key = format!("prices-{}", chat.name);
    let history = History::of_one(&chat.name, &key, said(chat));
    let stage = history.play(&options.play.cache, options.budget, &TOLD, &options.play.settings).await?;
    let mut client = stage.client(SYSTEM);
    let rounds = chat.turns.as_chunks::<2>().0;
    let steps = rounds.len() + chat.questions.len();
    let bar = bar(format!("playing {}", chat.name), steps);
    let mut played = Played::default();
    for [user, assistant] in rounds {
        stage.proxy.everything_read().await;
        stage.upstream.say_next(&assistant.text);
        let answer = client.say(&stage.proxy, &user.text).await;
        played.rounds.push(forwarded(&stage, &client, &answer, messages).await?);
        bar.inc(1);
    }
    stage.proxy.everything_read().await;
    for question in &chat.questions {
        stage.upstream.say_next(ASIDE);
        let answer = client.say_aside(&stage.proxy, &question.text).await;
        played.questions.push(forwarded(&stage, &client, &answer, messages).await?);
        bar.inc(1);
    }
    stage.end().await;
    Ok(played)
}

async fn forwarded(
    stage: &Stage,
    client: &Client,
    answer: &Answer,
    messages: &mut Messages,
) -> Result<Forwarded, BenchError> {
    let prompt = messages.received(&stage.upstream.last_request());
    let receipt: Value = client.receipt(&stage.proxy, answer).await?;
    let evicts = receipt["eviction"]["is_new"] == true;
    Ok(Forwarded { prompt, outcome: answer.outcome().to_owned(), evicts })
}

/// The messages, each with the time at which its round began.
fn said(chat: &Conversation) -> Vec<Value> {
    let rounds = chat.turns.as_chunks::<2>().0.iter();
    rounds.flat_map(|round| round.each_ref().map(|turn| message(turn.role, &turn.text, round[0].time))).collect()
}
