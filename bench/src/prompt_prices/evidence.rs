//! How much of a question's evidence a prompt holds.
//!
//! A message of the recording counts as present when one message or memory line of the prompt holds at least half of
//! its content words: lower-cased, without stop words, each once, the first 60 of them.

use std::collections::HashSet;
use std::sync::Arc;

use mainpoint_tests::prompt;

use super::message::{Message, Role};
use crate::content_words::content_words;
use crate::stats::as_float;

/// The sets of words that a prompt offers, one for each message and each quote. What a system message says itself and
/// the last message's own text, which is the question, are none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offered(Vec<HashSet<String>>);

impl Offered {
    pub(super) fn by(prompt: &[Arc<Message>]) -> Self {
        let mut offered: Vec<HashSet<String>> = Vec::new();
        for (at, message) in prompt.iter().enumerate() {
            let parts = prompt::parts(&message.text);
            if at + 1 < prompt.len() && message.role != Role::System {
                offered.push(content_words(parts.own).collect());
            }
            let quotes = parts.block.into_iter().flat_map(prompt::quotes);
            offered.extend(quotes.map(|quote| content_words(&quote.text).collect::<HashSet<String>>()));
        }
        Self(offered)
    }

    /// The share of these messages that is present.
    pub(super) fn share(&self, evidence: &[&str]) -> f64 {
        let present = evidence.iter().filter(|message| self.holds(message));
        as_float(present.count()) / as_float(evidence.len().max(1))
    }

    fn holds(&self, message: &str) -> bool {
        let needed = leading_words(message);
        let found = |offered: &HashSet<String>| needed.iter().filter(|word| offered.contains(*word)).count();
        let most = self.0.iter().map(found).max().unwrap_or(0);
        !needed.is_empty() && most * 2 >= needed.len()
    }
}

/// So many content words stand for a long message.
const LEADING: usize = 60;

fn leading_words(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    content_words(text).filter(|word| seen.insert(word.clone())).take(LEADING).collect()
}

#[cfg(test)]
mod tests {
    use super::super::message::Messages;
    use super::*;

    fn offered(said: &[(Role, &str)]) -> Offered {
        let mut messages = Messages::new();
        let prompt: Vec<Arc<Message>> = said.iter().map(|(role, text)| messages.make(*role, text)).collect();
        Offered::by(&prompt)
    }

    #[test]
    fn content_words_are_told_from_others_and_only_the_first_count() {
        assert_eq!(leading_words("The cat is a CAT with 9 lives"), ["cat", "9", "lives"]);
        assert_eq!(leading_words(&(0..200).map(|number| format!("{number} ")).collect::<String>()).len(), LEADING);
    }

    #[test]
    fn half_of_the_words_within_one_message_are_enough() {
        let prompt =
            offered(&[(Role::User, "ferry Gotland"), (Role::Assistant, "booked Tuesday"), (Role::User, "When?")]);
        let share = |evidence: &[&str]| prompt.share(evidence);
        assert_eq!(share(&["The ferry to Gotland is booked for Tuesday."]), 1.0);
        assert_eq!(share(&["ferry tickets cost 40"]), 0.0);
        assert_eq!(share(&["ferry Gotland", "never said"]), 0.5);
    }

    #[test]
    fn the_question_and_the_system_message_are_no_evidence_but_their_quotes_are() {
        let needed = ["puppy Biscuit"];
        assert_eq!(offered(&[(Role::System, "puppy Biscuit"), (Role::User, "puppy Biscuit")]).share(&needed), 0.0);
        let block = "<mainpoint-memory>\nx\n[22 November 2026] user: puppy Biscuit\n</mainpoint-memory>";
        let asked = format!("Which name?\n\n{block}");
        assert_eq!(offered(&[(Role::System, "kind"), (Role::User, &asked)]).share(&needed), 1.0);
        let system = format!("kind\n\n{block}");
        assert_eq!(offered(&[(Role::System, &system), (Role::User, "Which name?")]).share(&needed), 1.0);
    }
}
