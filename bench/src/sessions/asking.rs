//! Opens new chats with questions and with small talk, after the sessions of a conversation have been imported as chats of their own.

use super::{Judged, MEMORY_TOKENS, Played, SessionOptions};
use crate::BenchError;
use crate::data::{self, Conversation, Question, Turn};
use crate::filled::{History, Recorded, Stage, message};
use crate::memory_block::{MemoryBlock, Recalled};
use crate::progress::bar;
use crate::running::{Client, NO_DEADLINE};

const SYSTEM: &str = "You are a helpful assistant.";
/// Every chat of the caller is asked, and nothing that is asked is found by another question: it stays in the journal.
const SETTINGS: [(&str, &str); 5] = [
    NO_DEADLINE,
    ("memory.recall", "\"caller\""),
    ("memory.memory_tokens", MEMORY_TOKENS),
    ("store.flush_interval_ms", "600000"),
    ("store.flush_turns", "100000"),
];

/// Imports a conversation session by session, asks these questions of it and makes small talk, each in a new chat.
pub(super) async fn ask(
    options: &SessionOptions,
    conversation: &Conversation,
    questions: &[&Question],
    played: &mut Played,
) -> Result<(), BenchError> {
    let key = format!("sessions-{}", conversation.name);
    let history = History { name: &conversation.name, key: &key, conversations: sessions(conversation) };
    let stage = history.play(&options.play.cache, options.budget, &SETTINGS, &options.play.settings).await?;
    let client = stage.client(SYSTEM);
    let remarks: Vec<String> = data::remarks()?.into_values().flatten().collect();
    let bar = bar(format!("asking {}", conversation.name), questions.len() + remarks.len());
    for question in questions {
        let (block, scores) = opened_with(&stage, &client, &question.text).await?;
        played.judged.push(Judged::new(&block, &scores, conversation, question));
        bar.inc(1);
    }
    for remark in &remarks {
        let (block, _) = opened_with(&stage, &client, remark).await?;
        played.silent.push(block.quotes.is_empty());
        bar.inc(1);
    }
    stage.end().await;
    Ok(())
}

/// The sessions as conversations of their own; all turns as one where there are no sessions.
fn sessions(conversation: &Conversation) -> Vec<Recorded> {
    let said = |turn: &Turn| message(turn.role, &turn.message(), turn.time);
    let ranges = conversation.sessions.iter().enumerate();
    let sessions = ranges.filter_map(|(number, range)| {
        let messages = conversation.turns.get(range.clone())?.iter().map(said).collect();
        Some(Recorded { name: format!("{}, session {}", conversation.name, number + 1), messages })
    });
    sessions.filter(|session: &Recorded| !session.messages.is_empty()).collect()
}

/// The memory block that the first message of a new chat gets, and how likely each of its quotes is to answer.
async fn opened_with(stage: &Stage, client: &Client, text: &str) -> Result<(MemoryBlock, Vec<f64>), BenchError> {
    let answer = client.say_aside(&stage.proxy, text).await;
    let outcome = answer.outcome();
    if !answer.status.is_success() || outcome == "failed-open" {
        return Err(BenchError::program("mainpoint", format!("{} {outcome} for {text:?}", answer.status)));
    }
    let block = MemoryBlock::of(&stage.upstream.last_request().json());
    let recalled: Recalled = client.receipt(&stage.proxy, &answer).await?;
    Ok((block, recalled.memories.iter().map(|memory| memory.score).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::conversation;

    #[test]
    fn every_session_is_a_conversation_of_its_own() {
        let mut chat = conversation("some", &[("user", "a"), ("assistant", "b"), ("user", "c")]);
        chat.sessions = vec![0..2, 2..2, 2..3];
        let recorded = sessions(&chat);
        let names: Vec<&str> = recorded.iter().map(|session| session.name.as_str()).collect();
        assert_eq!(names, ["some, session 1", "some, session 3"]);
        let counts: Vec<usize> = recorded.iter().map(|session| session.messages.len()).collect();
        assert_eq!(counts, [2, 1]);
    }
}
