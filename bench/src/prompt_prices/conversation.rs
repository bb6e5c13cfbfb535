//! Recorded conversations in rounds, with questions about them and the passages that answer.
//!
//! It must not know which files they come from or what happens to them.

/// A recorded conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conversation {
    /// What tables call it.
    pub(super) name: String,
    /// Its rounds in order.
    pub(super) rounds: Vec<Round>,
    /// The questions that can be judged by passages.
    pub(super) questions: Vec<Question>,
}

/// What a user said and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round {
    /// The user's words.
    pub(super) user: String,
    /// The recorded answer.
    pub(super) assistant: String,
}

/// A question to ask after the last round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The question.
    pub(super) text: String,
    /// Its evidence, never empty: each piece is there when any of its passages is.
    pub(super) evidence: Vec<Vec<Passage>>,
}

/// A message that holds evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passage {
    /// The round it is part of.
    pub(super) round: usize,
    /// Its text.
    pub(super) text: String,
}

/// A recorded message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn<'a> {
    /// Whether the user speaks, and not the assistant.
    pub(super) by_user: bool,
    /// What is said.
    pub(super) text: &'a str,
}

impl Conversation {
    /// The first `count` rounds with the questions that they answer wholly.
    #[must_use]
    pub(super) fn first(mut self, count: usize) -> Self {
        self.rounds.truncate(count);
        let kept = self.rounds.len();
        self.questions.retain(|question| {
            let passages = question.evidence.iter().flatten();
            passages.map(|passage| passage.round).all(|round| round < kept)
        });
        self
    }
}

/// The rounds of recorded messages, and each message's round.
///
/// Messages of one speaker after each other are joined by an empty line. An assistant who speaks first answers
/// [`OPENING`]. What a user says last without an answer is left out; its round is then one past the last.
#[must_use]
pub(super) fn rounds(turns: &[Turn<'_>]) -> (Vec<Round>, Vec<usize>) {
    let mut rounds: Vec<Round> = Vec::new();
    let mut places = Vec::with_capacity(turns.len());
    for turn in turns {
        let unanswered = rounds.last().is_some_and(|round| round.assistant.is_empty());
        if rounds.is_empty() || (turn.by_user && !unanswered) {
            let user = if turn.by_user { "" } else { OPENING };
            rounds.push(Round {
                user: user.to_owned(),
                assistant: String::new(),
            });
        }
        if let Some(round) = rounds.last_mut() {
            let said = if turn.by_user {
                &mut round.user
            } else {
                &mut round.assistant
            };
            join(said, turn.text);
        }
        places.push(rounds.len().saturating_sub(1));
    }
    if rounds.last().is_some_and(|round| round.assistant.is_empty()) {
        rounds.pop();
    }
    (rounds, places)
}

/// What the user says where a recording begins with the assistant.
const OPENING: &str = "Hello.";

fn join(said: &mut String, text: &str) {
    if !said.is_empty() {
        said.push_str("\n\n");
    }
    said.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns<'a>(said: &[(char, &'a str)]) -> Vec<Turn<'a>> {
        let turn = |(speaker, text): &(char, &'a str)| Turn {
            by_user: *speaker == 'u',
            text,
        };
        said.iter().map(turn).collect()
    }

    fn round(user: &str, assistant: &str) -> Round {
        Round {
            user: user.to_owned(),
            assistant: assistant.to_owned(),
        }
    }

    #[test]
    fn every_round_is_a_user_and_an_assistant_message() {
        let said = turns(&[('u', "a"), ('a', "b"), ('u', "c"), ('u', "d"), ('a', "e"), ('a', "f")]);
        let (found, places) = rounds(&said);
        assert_eq!(found, [round("a", "b"), round("c\n\nd", "e\n\nf")]);
        assert_eq!(places, [0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn an_assistant_who_begins_is_greeted_and_an_unanswered_user_is_left_out() {
        let (found, places) = rounds(&turns(&[('a', "b"), ('u', "c"), ('a', "d"), ('u', "e")]));
        assert_eq!(found, [round(OPENING, "b"), round("c", "d")]);
        assert_eq!(places, [0, 1, 1, 2]);
        assert!(rounds(&[]).0.is_empty());
    }

    #[test]
    fn questions_about_later_rounds_are_left_out() {
        let question = |round: usize| Question {
            text: format!("about {round}"),
            evidence: vec![vec![Passage {
                round,
                text: String::new(),
            }]],
        };
        let conversation = Conversation {
            name: "some".to_owned(),
            rounds: vec![round("a", "b"), round("c", "d"), round("e", "f")],
            questions: vec![question(0), question(1), question(2)],
        };
        let first = conversation.first(2);
        assert_eq!(first.rounds.len(), 2);
        assert_eq!(first.questions, [question(0), question(1)]);
    }
}
