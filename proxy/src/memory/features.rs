//! What a turn looks like, by itself and beside a question: how much it says, whether it asks, who speaks.

use super::script::{is_of_word, is_wide, is_without_spaces};

/// What a turn looks like, whatever is asked. It is stored with the turn's passages, so that ranking needs no text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TurnFeatures {
    /// The name that the turn's text begins with, as in a chat between several people.
    pub(super) speaker: Option<String>,
    /// About how many tokens it says after it.
    pub(super) tokens: u32,
    /// Whether it asks something.
    pub(super) asks: bool,
    /// Whether the user speaks.
    pub(super) by_user: bool,
}

/// What a turn looks like beside a question.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PairFeatures {
    /// ln(1 + tokens), up to [`SENTENCE`]: what tells a sentence from a greeting.
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
/// Most characters of a name before a colon.
const LONGEST_NAME: usize = 40;
/// Most words of a name.
const NAME_WORDS: usize = 3;
/// Letters of an alphabet that make a token.
const LETTERS_PER_TOKEN: usize = 4;
/// A character of a wide script says as much as so many letters of an alphabet.
const LETTERS_PER_WIDE: usize = 3;
/// Colons behind a speaker's name.
const COLONS: [char; 2] = [':', '：'];
/// Question marks: Latin (as such, inverted, and together with an exclamation mark), full and small width, Arabic, Greek,
/// Armenian, Ethiopic.
pub(super) const QUESTION_MARKS: [char; 13] =
    ['?', '¿', '‽', '⁇', '⁈', '⁉', '？', '︖', '﹖', '؟', '\u{37e}', '՞', '፧'];

impl TurnFeatures {
    /// The features of a turn with this role and text. A message of a chat between several people begins with its speaker's name
    /// and a colon.
    #[must_use]
    pub fn new(role: &str, text: &str) -> Self {
        let (speaker, said) = speaker_of(text).map_or((None, text), |(speaker, said)| (Some(speaker), said));
        Self {
            speaker: speaker.map(str::to_owned),
            tokens: tokens(said),
            asks: said.contains(QUESTION_MARKS),
            by_user: role == "user",
        }
    }

    /// The features that it has beside a question.
    #[must_use]
    pub fn beside(&self, question: &str) -> PairFeatures {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a text has far fewer than 2^24 tokens where its length matters"
        )]
        let tokens = self.tokens as f32;
        PairFeatures {
            substance: tokens.min(SENTENCE).ln_1p(),
            excess: (tokens.ln_1p() - PARAGRAPH.ln_1p()).max(0.0),
            asks: self.asks,
            is_named: self.speaker.as_ref().is_some_and(|speaker| names(question, speaker)),
            by_user: self.by_user,
        }
    }
}

impl PairFeatures {
    /// The same of a turn of which nothing is known about who speaks.
    #[must_use]
    pub fn without_speaker(self) -> Self {
        Self { is_named: false, by_user: false, ..self }
    }
}

/// About how many tokens a text has: an alphabet's letters make fewer than the characters of a script that writes syllables or
/// words with one.
fn tokens(text: &str) -> u32 {
    let letters = |character| if is_wide(character) { LETTERS_PER_WIDE } else { 1 };
    let letters: usize = text.chars().map(letters).sum();
    u32::try_from(letters.div_ceil(LETTERS_PER_TOKEN)).unwrap_or(u32::MAX)
}

/// The name that a text begins with, and what is said after it. In a script that has capitals a name begins with one.
pub(super) fn speaker_of(text: &str) -> Option<(&str, &str)> {
    let (name, said) = text.split_once(COLONS)?;
    let first = name.chars().next()?;
    let is_name = first.is_alphabetic()
        && !first.is_lowercase()
        && name.chars().count() <= LONGEST_NAME
        && name.chars().all(|character| is_of_word(character) || " .-'’·・".contains(character))
        && name.split_whitespace().count() <= NAME_WORDS;
    is_name.then_some((name, said.trim_start()))
}

/// Whether the question holds the name: as whole words in any case, and where a script has no spaces anywhere.
fn names(question: &str, name: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|character: char| !is_of_word(character));
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    if name.chars().nth(1).is_some() && name.chars().all(is_without_spaces) {
        return question.contains(name);
    }
    let (question, name) = (words(question), words(name));
    let is_same = |(word, own): (&String, &String)| {
        // Korean joins particles to a name.
        word == own || (own.chars().all(is_wide) && own.chars().nth(1).is_some() && word.starts_with(own.as_str()))
    };
    !name.is_empty() && question.windows(name.len()).any(|window| window.iter().zip(&name).all(is_same))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn features(question: &str, role: &str, text: &str) -> PairFeatures {
        TurnFeatures::new(role, text).beside(question)
    }

    #[test]
    fn a_question_names_a_speaker_by_whole_words() {
        let named = |question: &str, text: &str| features(question, "user", text).is_named;
        assert!(named("When did ann marie move?", "Ann Marie: In May."));
        assert!(named("What is John's job?", "John: I teach."));
        assert!(!named("When did Anne move?", "Ann: In May."));
        assert!(!named("Is it so?", "It is so: yes, and so on."));
        assert!(!named("What did I say about tea?", "I like tea"));
    }

    #[test]
    fn a_speaker_is_named_in_any_script() {
        for (question, text) in [
            ("小明什么时候搬家？", "小明：我五月搬家。"),
            ("田中さんの仕事は何ですか？", "田中: 教師です。"),
            ("민수는 언제 이사했어?", "민수: 오월에."),
            ("Когда переехала Анна?", "Анна: В мае."),
            ("متى انتقلت ليلى؟", "ليلى: في مايو."),
            ("प्रिया ने कब घर बदला?", "प्रिया: मई में।"),
            ("প্রিয়া কবে বাসা বদলেছে?", "প্রিয়া: মে মাসে।"),
            ("สมชายย้ายบ้านเมื่อไหร่", "สมชาย: เดือนพฤษภาคม"),
            ("Wann ist Özlem umgezogen?", "Özlem: Im Mai."),
        ] {
            assert!(features(question, "user", text).is_named, "{question} {text}");
        }
        for (question, text) in [
            ("小红什么时候搬家？", "小明：我五月搬家。"),
            ("Когда переехала Анна?", "анна: в мае."),
            ("什么时候搬家？", "什：我五月搬家。"),
        ] {
            assert!(!features(question, "user", text).is_named, "{question} {text}");
        }
    }

    #[test]
    fn who_asks_is_told_from_who_answers() {
        for (asks, answers) in [
            ("Ann: Where is it?", "Bo: It is here."),
            ("它在哪里？", "它在这里。"),
            ("أين هو؟", "هو هنا."),
            ("¿Dónde está", "Está aquí."),
            ("Πού είναι\u{37e}", "Είναι εδώ."),
        ] {
            assert!(features("", "user", asks).asks, "{asks}");
            assert!(!features("", "user", answers).asks, "{answers}");
        }
    }

    #[test]
    fn a_sentence_has_the_same_substance_in_every_script() {
        let substance = |text: &str| features("", "user", text).substance;
        let english = substance("My brother carried the piano up with two colleagues from the fire station.");
        for text in [
            "我哥哥和消防站的两个同事一起把钢琴搬了上去。",
            "兄は消防署の同僚二人と一緒にピアノを運び上げてくれました。",
            "Мой брат затащил пианино наверх с двумя коллегами из пожарной части.",
            "حمل أخي البيانو إلى الأعلى مع اثنين من زملائه في محطة الإطفاء.",
        ] {
            assert!((substance(text) - english).abs() < 0.3, "{text}: {} {english}", substance(text));
        }
    }

    #[test]
    fn without_its_speaker_a_turn_is_worth_what_anyone_says() {
        let anyone = |question: &str, role: &str, text: &str| features(question, role, text).without_speaker();
        assert_eq!(
            anyone("What does Ann say?", "user", "Ann: In the harbour?"),
            anyone("What does Bo say?", "assistant", "Ann: In the harbour?")
        );
        assert!(anyone("", "user", "Ann: In the harbour?").asks);
    }

    proptest! {
        #[test]
        fn any_text_has_features(question in "\\PC{0,40}", text in "\\PC{0,60}") {
            let pair = features(&question, "user", &text);
            prop_assert!(pair.substance.is_finite() && pair.excess >= 0.0);
        }

        #[test]
        fn who_speaks_is_named_by_a_question_that_holds_the_name(name in "[A-ZÄЖ][a-zäж]{1,9}", said in "[a-z ]{0,20}") {
            let (question, text) = (format!("What did {name} say?"), format!("{name}: {said}"));
            prop_assert!(features(&question, "user", &text).is_named);
        }
    }
}
