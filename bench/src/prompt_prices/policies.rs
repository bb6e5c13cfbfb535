//! Ways of keeping a conversation within a budget, each as the prompt that it forwards.
//!
//! What mainpoint forwards comes from the running proxy and not from here.

use std::sync::Arc;

use super::message::{FRAME, Message, Messages, Prompt, Role, tokens};

/// A way of keeping a conversation within a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Policy {
    /// Everything is forwarded, whatever the budget.
    Untouched,
    /// The oldest rounds are dropped.
    SlidingWindow,
    /// The oldest rounds are dropped, and mainpoint's memory of that request stands in the system message.
    SystemMemory,
    /// All but the last two rounds are shortened anew for each request.
    Recompressed,
    Mainpoint,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) system: &'a Arc<Message>,
    /// User and assistant in turn, oldest first.
    pub(super) turns: &'a [Arc<Message>],
    pub(super) asked: &'a Arc<Message>,
}

impl Policy {
    /// All of them, the baseline first and the product last.
    pub(super) const ALL: [Self; 5] =
        [Self::Untouched, Self::SlidingWindow, Self::SystemMemory, Self::Recompressed, Self::Mainpoint];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::SlidingWindow => "sliding-window",
            Self::SystemMemory => "memory-in-system",
            Self::Recompressed => "recompressed",
            Self::Mainpoint => "mainpoint",
        }
    }
}

impl Request<'_> {
    pub(super) fn untouched(&self) -> Prompt {
        joined(self.system, self.turns, self.asked)
    }

    /// The newest rounds that fit into `budget` tokens together with the system message and the new one.
    pub(super) fn window(&self, budget: usize) -> Prompt {
        let room = budget.saturating_sub(self.system.tokens.len() + self.asked.tokens.len());
        joined(self.system, newest(self.turns, room), self.asked)
    }

    /// The same with a memory block at the end of the system message, whose tokens the rounds do not get.
    pub(super) fn memory_in_system(&self, budget: usize, block: Option<&str>, messages: &mut Messages) -> Prompt {
        let Some(block) = block else {
            return self.window(budget);
        };
        let text = format!("{}\n\n{block}", self.system.text);
        let system = messages.make(Role::System, &text);
        let request = Request { system: &system, turns: self.turns, asked: self.asked };
        request.window(budget)
    }

    /// The last two rounds word for word, and of each older message so many of its first tokens that the whole just fits.
    ///
    /// Where the last two rounds are too long, fewer are kept word for word; where not one token of each older message
    /// fits, the oldest are dropped.
    pub(super) fn recompressed(&self, budget: usize, messages: &Messages) -> Prompt {
        let room = budget.saturating_sub(self.system.tokens.len() + self.asked.tokens.len());
        let recent = newest(&self.turns[self.turns.len().saturating_sub(2 * WORD_FOR_WORD)..], room);
        let room = room - tokens(recent);
        let mut older = &self.turns[..self.turns.len() - recent.len()];
        while equal_share(older, room).is_none() && !older.is_empty() {
            older = &older[2_usize.min(older.len())..];
        }
        let share = equal_share(older, room).unwrap_or(0);
        let mut turns: Prompt = older.iter().map(|message| messages.cut(message, share)).collect();
        turns.extend_from_slice(recent);
        joined(self.system, &turns, self.asked)
    }
}

/// How many rounds recompression leaves alone.
const WORD_FOR_WORD: usize = 2;

fn joined(system: &Arc<Message>, turns: &[Arc<Message>], asked: &Arc<Message>) -> Prompt {
    let mut prompt = Vec::with_capacity(turns.len() + 2);
    prompt.push(Arc::clone(system));
    prompt.extend_from_slice(turns);
    prompt.push(Arc::clone(asked));
    prompt
}

/// The newest whole rounds within `room` tokens.
fn newest(turns: &[Arc<Message>], room: usize) -> &[Arc<Message>] {
    let mut used = 0;
    let mut start = turns.len();
    for round in turns.rchunks(2) {
        used += tokens(round);
        if used > room {
            break;
        }
        start -= round.len();
    }
    &turns[start..]
}

/// The most tokens of text, at least 1, that each message may keep so that all fit into `room` tokens.
fn equal_share(turns: &[Arc<Message>], room: usize) -> Option<usize> {
    let text = |message: &Arc<Message>| message.tokens.len() - FRAME;
    let used = |share: usize| turns.iter().map(|message| FRAME + text(message).min(share)).sum::<usize>();
    let longest = turns.iter().map(text).max()?.max(1);
    // The answer lies in fits..too_much.
    let (mut fits, mut too_much) = (0, longest + 1);
    while too_much - fits > 1 {
        let middle = fits.midpoint(too_much);
        if used(middle) <= room {
            fits = middle;
        } else {
            too_much = middle;
        }
    }
    (fits > 0).then_some(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A text of `count` tokens.
    fn text(word: &str, count: usize) -> String {
        vec![word; count].join(" ")
    }

    struct Talk {
        messages: Messages,
        system: Arc<Message>,
        turns: Vec<Arc<Message>>,
        asked: Arc<Message>,
    }

    /// Messages of so many tokens of text; system and question have one.
    fn talk(lengths: &[usize]) -> Talk {
        let mut messages = Messages::new();
        let role = |at: usize| {
            if at.is_multiple_of(2) { Role::User } else { Role::Assistant }
        };
        let turns =
            lengths.iter().enumerate().map(|(at, length)| messages.make(role(at), &text("word", *length))).collect();
        Talk { system: messages.make(Role::System, "hello"), asked: messages.make(Role::User, "word"), turns, messages }
    }

    impl Talk {
        fn request(&self) -> Request<'_> {
            Request { system: &self.system, turns: &self.turns, asked: &self.asked }
        }
    }

    fn lengths(prompt: &[Arc<Message>]) -> Vec<usize> {
        prompt.iter().map(|message| message.tokens.len() - FRAME).collect()
    }

    #[test]
    fn a_window_keeps_the_newest_whole_rounds_that_fit() {
        let talk = talk(&[50, 50, 10, 20, 30, 40]);
        // System and question take 10 tokens, the last round 78, the one before it 38.
        assert_eq!(lengths(&talk.request().window(126)), [1, 10, 20, 30, 40, 1]);
        assert_eq!(lengths(&talk.request().window(125)), [1, 30, 40, 1]);
        assert_eq!(lengths(&talk.request().window(20)), [1, 1]);
        assert_eq!(talk.request().window(1000), talk.request().untouched());
    }

    #[test]
    fn memory_in_the_system_message_takes_its_tokens_from_the_window() {
        let mut talk = talk(&[10, 20, 30, 40]);
        let (system, turns, asked) = (talk.system.clone(), talk.turns.clone(), talk.asked.clone());
        let request = Request { system: &system, turns: &turns, asked: &asked };
        assert_eq!(request.memory_in_system(126, None, &mut talk.messages), request.window(126));
        let block = text("word", 30);
        let found = request.memory_in_system(126, Some(&block), &mut talk.messages);
        assert_eq!(found.len(), 4);
        assert!(found[0].text.starts_with("hello\n\nword") && tokens(&found) <= 126);
    }

    #[test]
    fn recompression_cuts_every_older_message_to_an_equal_share() {
        let talk = talk(&[50, 4, 50, 50, 10, 10, 10, 10]);
        let recompressed = |budget| lengths(&talk.request().recompressed(budget, &talk.messages));
        // 10 + 56 are fixed, four frames take 16: 64 are left, 4 for the short message and 20 for each other.
        assert_eq!(recompressed(146), [1, 20, 4, 20, 20, 10, 10, 10, 10, 1]);
        assert_eq!(recompressed(1000), lengths(&talk.request().untouched()));
        // Not even a token of each fits: the oldest round goes.
        assert_eq!(recompressed(66 + 10), [1, 1, 1, 10, 10, 10, 10, 1]);
        // Only one round fits word for word.
        assert_eq!(recompressed(10 + 28 + 5 * 2), [1, 1, 1, 10, 10, 1]);
    }

    proptest! {
        #[test]
        fn every_policy_keeps_the_budget_that_the_question_leaves_room_for(
            sizes in prop::collection::vec(1_usize..60, 0..12), budget in 10_usize..400,
        ) {
            let rounds = sizes.len() / 2 * 2;
            let talk = talk(&sizes[..rounds]);
            prop_assert!(tokens(&talk.request().window(budget)) <= budget);
            let recompressed = talk.request().recompressed(budget, &talk.messages);
            prop_assert!(tokens(&recompressed) <= budget);
            prop_assert!(recompressed.len() >= talk.request().window(budget).len());
        }
    }
}
