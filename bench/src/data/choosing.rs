//! Which conversations and which of their questions a benchmark is about.

use super::{Conversation, Kind, Question, named};
use crate::BenchError;

const SEED: u64 = 20_261_129;

impl Kind {
    /// The conversations that nothing was chosen on; of other kinds it is all of them, and none is named here.
    pub(crate) fn reported(self) -> &'static [&'static str] {
        match self {
            Self::Locomo => &["conv-41", "conv-42"],
            Self::Beam => &["beam-4", "beam-5", "beam-6", "beam-7"],
            Self::LongMemEval | Self::Updates | Self::Language => &[],
        }
    }
}

/// The conversations of these names; without any those that nothing was chosen on.
pub(crate) fn reported(kind: Kind, all: Vec<Conversation>, names: &[String]) -> Result<Vec<Conversation>, BenchError> {
    let names: Vec<String> = match names {
        [] => kind.reported().iter().map(|name| (*name).to_owned()).collect(),
        names => names.to_vec(),
    };
    if names.is_empty() { Ok(all) } else { named(all, &names) }
}

/// What the rows of a study are called: those of chosen conversations never pass for those that are reported.
pub(crate) fn bench(study: String, names: &[String]) -> String {
    if names.is_empty() { study } else { format!("{study}-{}", names.join("+")) }
}

/// The questions of each conversation that `takes` takes, at most so many together, in their order; of more, the same are drawn
/// each time.
pub(crate) fn drawn(
    conversations: &[Conversation],
    most: usize,
    takes: impl Fn(&Question) -> bool,
) -> Vec<Vec<&Question>> {
    let mut places: Vec<(usize, &Question)> = Vec::new();
    for (at, conversation) in conversations.iter().enumerate() {
        let taken = conversation.questions.iter().filter(|question| takes(question));
        places.extend(taken.map(|question| (at, question)));
    }
    let mut order: Vec<usize> = (0..places.len()).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut order);
    order.truncate(most);
    order.sort_unstable();
    let mut drawn = vec![Vec::new(); conversations.len()];
    for (conversation, question) in order.into_iter().filter_map(|place| places.get(place)) {
        if let Some(questions) = drawn.get_mut(*conversation) {
            questions.push(*question);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::{conversation, question};

    #[test]
    fn the_same_questions_are_drawn_each_time_and_those_that_are_not_taken_never() {
        let chat = |name: &str, count: usize| {
            let mut chat = conversation(name, &[("user", "x")]);
            chat.questions =
                (0..count).map(|number| Question { answer: "yes".into(), ..question(&[number]) }).collect();
            chat.questions.push(question(&[99]));
            chat
        };
        let chats = [chat("a", 5), chat("b", 7)];
        let is_answered = |question: &Question| !question.answer.is_empty();
        let all = drawn(&chats, 100, is_answered);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [5, 7]);
        let some = drawn(&chats, 6, is_answered);
        assert_eq!(some.iter().map(Vec::len).sum::<usize>(), 6);
        assert_eq!(some, drawn(&chats, 6, is_answered));
        assert!(some.iter().flatten().is_sorted_by_key(|question| question.text.len()));
        assert_eq!(drawn(&chats, 100, |_| true).concat().len(), 14);
    }

    #[test]
    fn without_names_it_is_what_nothing_was_chosen_on() {
        let all = || ["conv-26", "conv-41", "conv-42"].map(|name| conversation(name, &[])).to_vec();
        let names = |kind: Kind, asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            let found = reported(kind, all(), &asked).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.into_iter().map(|found| found.name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(Kind::Locomo, &[]), Ok("conv-41 conv-42".to_owned()));
        assert_eq!(names(Kind::Locomo, &["conv-26"]), Ok("conv-26".to_owned()));
        assert_eq!(names(Kind::Language, &[]), Ok("conv-26 conv-41 conv-42".to_owned()));
        assert!(names(Kind::Locomo, &["x"]).is_err());
        let bench =
            |names: &[&str]| bench("some".to_owned(), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!((bench(&[]), bench(&["a", "b"])), ("some".to_owned(), "some-a+b".to_owned()));
    }
}
