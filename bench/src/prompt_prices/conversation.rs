//! Recorded conversations in rounds, with questions about them and the messages that answer.
//!
//! It must not know which files they come from or what happens to them.

use chrono::{DateTime, Utc};

use crate::data::{Conversation, Turn};

/// A recorded conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chat {
    /// What tables call it.
    pub(super) name: String,
    pub(super) rounds: Vec<Round>,
    /// The questions that can be judged by what was played.
    pub(super) questions: Vec<JudgedQuestion>,
}

/// What a user said and what was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) user: String,
    pub(super) assistant: String,
    /// When it began.
    pub(super) time: DateTime<Utc>,
}

/// A question to ask after the last round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JudgedQuestion {
    pub(super) text: String,
    /// The messages that answer it, never none.
    pub(super) evidence: Vec<String>,
}

/// What the user says where a recording begins with the assistant.
const OPENING: &str = "Hello.";

impl Chat {
    /// The first `most` rounds of a conversation with the questions that they answer wholly: evidence in a message that is not
    /// played is no evidence.
    pub(super) fn of(conversation: &Conversation, most: usize) -> Self {
        let (mut rounds, places) = rounds(&conversation.turns);
        rounds.truncate(most);
        let judged = conversation.questions.iter().filter(|question| {
            let mut evidence = question.evidence.iter();
            evidence.all(|turn| places.get(*turn).is_some_and(|round| *round < rounds.len()))
        });
        let text = |turn: &usize| conversation.turns[*turn].text.clone();
        let questions = judged.map(|question| JudgedQuestion {
            text: question.text.clone(),
            evidence: question.evidence.iter().map(text).collect(),
        });
        Self { name: conversation.name.clone(), questions: questions.collect(), rounds }
    }
}

/// The rounds of recorded messages, and each message's round.
///
/// Messages of one speaker after each other are joined by an empty line. An assistant who speaks first answers
/// [`OPENING`]. What a user says last without an answer is left out; its round is then one past the last.
fn rounds(turns: &[Turn]) -> (Vec<Round>, Vec<usize>) {
    let mut rounds: Vec<Round> = Vec::new();
    let mut places = Vec::with_capacity(turns.len());
    for turn in turns {
        let by_user = turn.role == "user";
        let unanswered = rounds.last().is_some_and(|round| round.assistant.is_empty());
        if rounds.is_empty() || (by_user && !unanswered) {
            let user = if by_user { "" } else { OPENING };
            rounds.push(Round { user: user.to_owned(), time: turn.time, ..Round::default() });
        }
        if let Some(round) = rounds.last_mut() {
            let said = if by_user { &mut round.user } else { &mut round.assistant };
            if !said.is_empty() {
                said.push_str("\n\n");
            }
            said.push_str(&turn.text);
        }
        places.push(rounds.len().saturating_sub(1));
    }
    rounds.pop_if(|round| round.assistant.is_empty());
    (rounds, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::{conversation, question};

    fn turns(said: &[(&'static str, &str)]) -> Vec<Turn> {
        conversation("some", said).turns
    }

    fn round(user: &str, assistant: &str) -> Round {
        Round { user: user.to_owned(), assistant: assistant.to_owned(), ..Round::default() }
    }

    const USER: &str = "user";
    const ASSISTANT: &str = "assistant";

    #[test]
    fn every_round_is_a_user_and_an_assistant_message() {
        let said = [(USER, "a"), (ASSISTANT, "b"), (USER, "c"), (USER, "d"), (ASSISTANT, "e"), (ASSISTANT, "f")];
        let (found, places) = rounds(&turns(&said));
        assert_eq!(found, [round("a", "b"), round("c\n\nd", "e\n\nf")]);
        assert_eq!(places, [0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn an_assistant_who_begins_is_greeted_and_an_unanswered_user_is_left_out() {
        let (found, places) = rounds(&turns(&[(ASSISTANT, "b"), (USER, "c"), (ASSISTANT, "d"), (USER, "e")]));
        assert_eq!(found, [round(OPENING, "b"), round("c", "d")]);
        assert_eq!(places, [0, 1, 1, 2]);
        assert!(rounds(&[]).0.is_empty());
    }

    #[test]
    fn questions_about_what_is_not_played_are_left_out() {
        let said = [(USER, "a"), (ASSISTANT, "b"), (USER, "c"), (ASSISTANT, "d"), (USER, "e")];
        let mut conversation = conversation("some", &said);
        conversation.questions = vec![question(&[0, 1]), question(&[0, 3]), question(&[4])];
        let asked = |most| Chat::of(&conversation, most).questions.len();
        assert_eq!((asked(1), asked(2), asked(9)), (1, 2, 2));
        assert_eq!(Chat::of(&conversation, 2).questions[1].evidence, ["a", "d"]);
    }
}
