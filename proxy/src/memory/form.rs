//! What a turn looks like, by itself and beside a question: how much it says, whether it asks, who speaks.
//!
//! It must not know how turns are found, nor what a form is worth.

/// What a turn looks like, whatever is asked. It is stored with the turn's passages, so that ranking needs no text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// The name that the turn's text begins with, as in a chat between several people.
    pub(super) speaker: Option<String>,
    /// Bytes of what is said after it.
    pub(super) bytes: u32,
    /// Whether it asks something.
    pub(super) asks: bool,
    /// Whether the user speaks.
    pub(super) by_user: bool,
}

/// What a turn looks like beside a question.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Form {
    /// ln(1 + tokens), up to [`SENTENCE`]: what tells a sentence from a greeting. A token is taken for four bytes.
    pub(super) substance: f32,
    /// ln((1 + tokens) / (1 + [`PARAGRAPH`])), from there on: how much of it is about something else.
    pub(super) excess: f32,
    /// Whether it asks something itself.
    pub(super) asks: bool,
    /// Whether the question names its speaker.
    pub(super) is_named: bool,
    /// Whether the user speaks.
    pub(super) by_user: bool,
}

/// Tokens from which on a turn is a whole sentence.
const SENTENCE: f32 = 30.0;
/// Tokens from which on a turn is more than a paragraph.
const PARAGRAPH: f32 = 60.0;
/// Most bytes of a name before a colon.
const LONGEST_NAME: usize = 40;
const BYTES_PER_TOKEN: f32 = 4.0;

impl Look {
    /// The look of a turn with this role and text. A message of a chat between several people begins with its speaker's name
    /// and a colon.
    #[must_use]
    pub fn of(role: &str, text: &str) -> Self {
        let (speaker, said) = speaker_of(text).map_or((None, text), |(speaker, said)| (Some(speaker), said));
        Self {
            speaker: speaker.map(str::to_owned),
            bytes: u32::try_from(said.len()).unwrap_or(u32::MAX),
            asks: said.contains('?'),
            by_user: role == "user",
        }
    }

    /// The form that it has beside a question.
    #[must_use]
    pub fn beside(&self, question: &str) -> Form {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a text is far shorter than 2^24 bytes where its length matters"
        )]
        let tokens = self.bytes as f32 / BYTES_PER_TOKEN;
        Form {
            substance: tokens.min(SENTENCE).ln_1p(),
            excess: (tokens.ln_1p() - PARAGRAPH.ln_1p()).max(0.0),
            asks: self.asks,
            is_named: self.speaker.as_ref().is_some_and(|speaker| names(question, speaker)),
            by_user: self.by_user,
        }
    }
}

impl Form {
    /// The same of a turn of which nothing is known about who speaks.
    #[must_use]
    pub fn without_speaker(self) -> Self {
        Self {
            is_named: false,
            by_user: false,
            ..self
        }
    }
}

/// The name that a text begins with, and what is said after it.
fn speaker_of(text: &str) -> Option<(&str, &str)> {
    let (name, said) = text.split_once(':')?;
    let is_name = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name.starts_with(char::is_uppercase)
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || " .-'".contains(character))
        && name.split_whitespace().count() <= 3;
    is_name.then_some((name, said.trim_start()))
}

/// Whether the question holds the name, as whole words in any case.
fn names(question: &str, name: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|character: char| !character.is_alphanumeric());
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (question, name) = (words(question), words(name));
    !name.is_empty() && question.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(question: &str, role: &str, text: &str) -> Form {
        Look::of(role, text).beside(question)
    }

    #[test]
    fn a_question_names_a_speaker_by_whole_words() {
        let named = |question: &str, text: &str| form(question, "user", text).is_named;
        assert!(named("When did ann marie move?", "Ann Marie: In May."));
        assert!(named("What is John's job?", "John: I teach."));
        assert!(!named("When did Anne move?", "Ann: In May."));
        assert!(!named("Is it so?", "It is so: yes, and so on."));
        assert!(!named("What did I say about tea?", "I like tea"));
    }

    #[test]
    fn who_asks_is_told_from_who_answers() {
        let (asks, answers) = (
            form("", "user", "Ann: Where is it?"),
            form("", "user", "Bo: It is here."),
        );
        assert!(asks.asks && !answers.asks);
    }

    #[test]
    fn without_its_speaker_a_turn_is_worth_what_anyone_says() {
        let anyone = |question: &str, role: &str, text: &str| form(question, role, text).without_speaker();
        assert_eq!(
            anyone("What does Ann say?", "user", "Ann: In the harbour?"),
            anyone("What does Bo say?", "assistant", "Ann: In the harbour?")
        );
        assert!(anyone("", "user", "Ann: In the harbour?").asks);
    }
}
