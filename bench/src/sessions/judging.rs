//! What the memory block of a prompt is worth for its question.
//!
//! A turn is quoted where a quote is the turn, word for word, or a stretch of it.

use mainpoint_tests::prompt::Quote;

use crate::data::{Conversation, Question, Turn, UPDATE};
use crate::memory_block::MemoryBlock;
use crate::stats::as_float;

/// A question with what its prompt holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) category: String,
    /// The share of the turns that answer it which are quoted.
    pub(super) evidence: f64,
    pub(super) quoted: usize,
    /// How many of them are of turns that answer it.
    pub(super) relevant: usize,
    pub(super) tokens: usize,
    /// Where what answers it has changed, what is quoted of that.
    pub(super) update: Option<UpdateOutcome>,
}

/// What is quoted where a later turn tells otherwise what an earlier one told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpdateOutcome {
    /// The newest of them, and nothing older as likelier to answer.
    NewestFirst,
    /// Something older as likelier to answer than the newest, which is quoted as well.
    NewestBehind,
    /// Something older without the newest.
    OutdatedAlone,
    Nothing,
}

impl Judged {
    /// Judges the block of a prompt; `scores` says of each of its quotes how likely it is to answer.
    pub(super) fn new(block: &MemoryBlock, scores: &[f64], conversation: &Conversation, question: &Question) -> Self {
        let turns = &conversation.turns;
        let scores = scores.iter().copied().chain(std::iter::repeat(0.0));
        let places = block.quotes.iter().map(|quote| place_of(quote, turns));
        let quoted: Vec<(Option<usize>, f64)> = places.zip(scores).collect();
        let says = |place: usize, turn: usize| {
            let said = |at: usize| turns.get(at).map(|turn| turn.message().trim().to_owned());
            place == turn || (said(place).is_some() && said(place) == said(turn))
        };
        // How likely the quote of a turn is to answer; nothing where the turn is not quoted.
        let score_of = |turn: usize| {
            let own = quoted.iter().filter(|(place, _)| place.is_some_and(|place| says(place, turn)));
            own.map(|(_, score)| *score).max_by(f64::total_cmp)
        };
        let is_evidence = |place: usize| question.evidence.iter().any(|turn| says(place, *turn));
        let held = question.evidence.iter().filter(|turn| score_of(**turn).is_some()).count();
        Self {
            category: question.category.clone(),
            evidence: as_float(held) / as_float(question.evidence.len().max(1)),
            quoted: quoted.len(),
            relevant: quoted.iter().filter(|(place, _)| place.is_some_and(is_evidence)).count(),
            tokens: block.tokens,
            update: if question.category.starts_with(UPDATE) { outcome(turns, question, score_of) } else { None },
        }
    }
}

/// What became of a question whose answer has changed; nothing for one whose evidence was all said at the same time.
fn outcome(turns: &[Turn], question: &Question, score_of: impl Fn(usize) -> Option<f64>) -> Option<UpdateOutcome> {
    let time = |turn: &usize| turns.get(*turn).map(|turn| turn.time);
    let newest = question.evidence.iter().copied().max_by_key(time)?;
    let mut older = question.evidence.iter().filter(|turn| time(turn) < time(&newest)).peekable();
    older.peek()?;
    let older = older.filter_map(|turn| score_of(*turn)).max_by(f64::total_cmp);
    Some(match (score_of(newest), older) {
        (Some(newest), Some(older)) if older > newest => UpdateOutcome::NewestBehind,
        (Some(_), _) => UpdateOutcome::NewestFirst,
        (None, Some(_)) => UpdateOutcome::OutdatedAlone,
        (None, None) => UpdateOutcome::Nothing,
    })
}

/// The turn that a quote is of: one that says the same, else one that says it among other things; of several one of the quote's day,
/// else the first.
fn place_of(quote: &Quote, turns: &[Turn]) -> Option<usize> {
    let text = quote.text.trim();
    let is_of_its_day = |turn: &Turn| turn.time.format("%-d %B %Y").to_string() == quote.date;
    let is_all = |turn: &Turn| turn.message().trim() == text;
    let is_part = |turn: &Turn| turn.message().contains(quote.said());
    turns
        .iter()
        .position(|turn| is_all(turn) && is_of_its_day(turn))
        .or_else(|| turns.iter().position(is_all))
        .or_else(|| turns.iter().position(|turn| is_part(turn) && is_of_its_day(turn)))
        .or_else(|| turns.iter().position(is_part))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::data::tests::{conversation, question};

    /// Four turns, a day apart each.
    fn chat() -> Conversation {
        let mut chat = conversation(
            "some",
            &[
                ("user", "It is in May."),
                ("assistant", "Noted."),
                ("user", "It is in June now. Really."),
                ("user", "Hm"),
            ],
        );
        (0..).zip(&mut chat.turns).for_each(|(day, turn)| turn.time += TimeDelta::days(day));
        chat
    }

    fn block(quotes: &[(&str, &str)]) -> MemoryBlock {
        let quote = |(date, text): &(&str, &str)| Quote {
            date: (*date).to_owned(),
            speaker: "user".to_owned(),
            text: (*text).to_owned(),
        };
        MemoryBlock { quotes: quotes.iter().map(quote).collect(), tokens: 9, words: 5 }
    }

    fn judged(quotes: &[(&str, &str)], scores: &[f64]) -> Judged {
        let question = Question { category: UPDATE.to_owned(), ..question(&[0, 2]) };
        Judged::new(&block(quotes), scores, &chat(), &question)
    }

    const OLD: (&str, &str) = ("1 January 1970", "It is in May.");
    const NEW: (&str, &str) = ("3 January 1970", "It is in June now. …");

    #[test]
    fn evidence_is_quoted_as_a_whole_or_by_a_stretch_and_what_else_is_quoted_costs_precision() {
        let found = judged(&[OLD, ("2 January 1970", "Noted."), NEW], &[0.2, 0.1, 0.3]);
        assert_eq!((found.evidence, found.quoted, found.relevant, found.tokens), (1.0, 3, 2, 9));
        let found = judged(&[("2 January 1970", "Noted."), ("2 January 1970", "nobody said that")], &[]);
        assert_eq!((found.evidence, found.quoted, found.relevant), (0.0, 2, 0));
    }

    #[test]
    fn the_newest_comes_first_unless_something_older_is_likelier_or_alone() {
        let update = |quotes: &[(&str, &str)], scores: &[f64]| judged(quotes, scores).update;
        assert_eq!(update(&[OLD, NEW], &[0.2, 0.2]), Some(UpdateOutcome::NewestFirst));
        assert_eq!(update(&[NEW], &[0.1]), Some(UpdateOutcome::NewestFirst));
        assert_eq!(update(&[OLD, NEW], &[0.3, 0.2]), Some(UpdateOutcome::NewestBehind));
        assert_eq!(update(&[OLD], &[0.3]), Some(UpdateOutcome::OutdatedAlone));
        assert_eq!(update(&[], &[]), Some(UpdateOutcome::Nothing));
        let other = Judged::new(&block(&[OLD]), &[0.3], &chat(), &question(&[0, 2]));
        assert_eq!(other.update, None, "only questions whose answers have changed have an outcome");
    }

    #[test]
    fn what_was_said_twice_is_quoted_wherever_it_stands() {
        let mut chat = chat();
        chat.turns[3].text = "It is in May.".to_owned();
        let found = Judged::new(&block(&[("4 January 1970", "It is in May.")]), &[], &chat, &question(&[0]));
        assert_eq!((found.evidence, found.relevant), (1.0, 1));
    }
}
