//! How relevant a turn is to a question: a linear model over what the searches say of it, what they say of the turns beside
//! it, its form, and how near to the times that the question names it was said.
//!
//! Answers stand beside what they answer: a turn is worth more when the turn before it fits the question, too. Greetings hold
//! less than sentences, messages of pages fit everything a little, and who asks something rarely answers. The weights minimise
//! the softmax loss of each evidence turn against all other turns over LoCoMo conv-26 and conv-30 (231 questions) and BEAM
//! chats 1 and 3 (36 questions, each counting five times); that of nearness was chosen by hand, of two tried on the same
//! LoCoMo conversations. It must not know where scores come from.

/// A turn that some search found, with what each search says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Candidate {
    /// Its place in the ranking by BM25, from 0; `None` if it has no word of the question. BM25 itself depends on how much of
    /// the index is merged, so that after a restart the same question would be answered by other memories.
    pub lexical: Option<usize>,
    /// Cosine similarity of its best passage's main point; `None` if it was not among the most similar.
    pub cosine: Option<f32>,
    /// The question's attention to its best passage beyond a content-free question's; `None` if its keys cannot be read.
    pub attention: Option<f32>,
    /// Index of the turn before it, if that is a candidate.
    pub previous: Option<usize>,
    /// Index of the turn after it, if that is a candidate.
    pub next: Option<usize>,
    /// What it looks like.
    pub form: Form,
    /// How near it was said to a time that the question names, see [`super::dates::nearness`]; 0 if it names none.
    pub nearness: f32,
}

/// What a turn looks like beside a question.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Form {
    /// ln(1 + tokens), up to [`SENTENCE`]: what tells a sentence from a greeting. A token is taken for four bytes.
    substance: f32,
    /// ln((1 + tokens) / (1 + [`PARAGRAPH`])), from there on: how much of it is about something else.
    excess: f32,
    /// Whether it asks something itself.
    asks: bool,
    /// Whether the question names its speaker.
    is_named: bool,
    /// Whether the user speaks.
    by_user: bool,
}

/// How much one more standard deviation of each signal is worth, and one more of each property.
struct Weights {
    /// Of the turn itself: lexical, cosine, attention.
    own: [f32; 3],
    /// Of the turn before it.
    previous: [f32; 3],
    /// Of the turn after it.
    next: [f32; 3],
    substance: f32,
    excess: f32,
    asks: f32,
    is_named: f32,
    by_user: f32,
    nearness: f32,
}

const WEIGHTS: Weights = Weights {
    own: [0.36, 0.44, 0.27],
    previous: [0.24, 0.08, 0.09],
    next: [0.10, 0.12, 0.12],
    substance: 0.94,
    excess: -0.56,
    asks: -0.41,
    is_named: 1.64,
    by_user: 1.29,
    nearness: 2.0,
};
/// Tokens from which on a turn is a whole sentence.
const SENTENCE: f32 = 30.0;
/// Tokens from which on a turn is more than a paragraph.
const PARAGRAPH: f32 = 60.0;
/// Most bytes of a name before a colon.
const LONGEST_NAME: usize = 40;
const BYTES_PER_TOKEN: f32 = 4.0;

impl Form {
    /// The form of a turn with this role and text. A message of a chat between several people begins with its speaker's name
    /// and a colon.
    #[must_use]
    pub fn of(question: &str, role: &str, text: &str) -> Self {
        let (speaker, said) = speaker_of(text).map_or((None, text), |(speaker, said)| (Some(speaker), said));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a text is far shorter than 2^24 bytes where its length matters"
        )]
        let tokens = said.len() as f32 / BYTES_PER_TOKEN;
        Self {
            substance: tokens.min(SENTENCE).ln_1p(),
            excess: (tokens.ln_1p() - PARAGRAPH.ln_1p()).max(0.0),
            asks: said.contains('?'),
            is_named: speaker.is_some_and(|speaker| names(question, speaker)),
            by_user: role == "user",
        }
    }

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

/// One score per candidate, higher for more relevant ones; only comparable within one question.
#[must_use]
pub fn scores(candidates: &[Candidate]) -> Vec<f32> {
    let signals = [
        standardised(candidates, |candidate| Some(candidate.lexical.map_or(0.0, place_value))),
        standardised(candidates, |candidate| candidate.cosine),
        standardised(candidates, |candidate| candidate.attention),
    ];
    let weighted = |weights: &[f32; 3], index: Option<usize>| -> f32 {
        let signals = signals.iter().zip(weights);
        signals.map(|(signal, weight)| weight * signal.of(index)).sum()
    };
    let score = |(index, candidate): (usize, &Candidate)| {
        let form = &candidate.form;
        weighted(&WEIGHTS.own, Some(index))
            + weighted(&WEIGHTS.previous, candidate.previous)
            + weighted(&WEIGHTS.next, candidate.next)
            + WEIGHTS.substance * form.substance
            + WEIGHTS.excess * form.excess
            + if form.asks { WEIGHTS.asks } else { 0.0 }
            + if form.is_named { WEIGHTS.is_named } else { 0.0 }
            + if form.by_user { WEIGHTS.by_user } else { 0.0 }
            + WEIGHTS.nearness * candidate.nearness
    };
    candidates.iter().enumerate().map(score).collect()
}

/// A signal with mean 0 and standard deviation 1 over the candidates.
struct Signal {
    values: Vec<f32>,
    lowest: f32,
}

impl Signal {
    /// The value of a candidate; the lowest there is for a turn that is none.
    fn of(&self, index: Option<usize>) -> f32 {
        index
            .and_then(|index| self.values.get(index))
            .copied()
            .unwrap_or(self.lowest)
    }
}

/// What a place in a ranking is worth, as in reciprocal rank fusion.
fn place_value(place: usize) -> f32 {
    const DAMPING: f32 = 20.0;
    #[expect(clippy::cast_precision_loss, reason = "hundreds of places")]
    let place = place as f32;
    1.0 / (DAMPING + place)
}

/// A signal that is missing counts as its lowest value.
fn standardised(candidates: &[Candidate], signal: impl Fn(&Candidate) -> Option<f32>) -> Signal {
    let found: Vec<Option<f32>> = candidates
        .iter()
        .map(|candidate| signal(candidate).filter(|value| value.is_finite()))
        .collect();
    let lowest = found.iter().copied().flatten().fold(f32::INFINITY, f32::min);
    let lowest = if lowest.is_finite() { lowest } else { 0.0 };
    let values: Vec<f32> = found.into_iter().map(|value| value.unwrap_or(lowest)).collect();
    #[expect(clippy::cast_precision_loss, reason = "hundreds of candidates")]
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    let deviation = variance.sqrt().max(f32::MIN_POSITIVE);
    let place = |value: f32| {
        if variance > 0.0 {
            (value - mean) / deviation
        } else {
            0.0
        }
    };
    Signal {
        lowest: place(lowest),
        values: values.into_iter().map(place).collect(),
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
    use proptest::prelude::*;

    use super::*;

    fn found(lexical: usize, cosine: f32) -> Candidate {
        Candidate {
            lexical: Some(lexical),
            cosine: Some(cosine),
            attention: Some(0.0),
            form: Form::of("Where?", "user", "Ann: In the old harbour, near the station."),
            ..Candidate::default()
        }
    }

    #[test]
    fn a_turn_after_one_that_fits_is_worth_more_than_one_after_nothing() {
        let asked = found(0, 0.9);
        let answer = Candidate {
            previous: Some(0),
            ..found(5, 0.1)
        };
        let scores = scores(&[asked, answer, found(5, 0.1), found(3, 0.2)]);
        assert!(scores[1] > scores[2], "{scores:?}");
        assert!(scores[0] > scores[3], "{scores:?}");
    }

    #[test]
    fn a_signal_that_is_missing_counts_as_the_lowest() {
        let unknown = Candidate {
            attention: None,
            ..found(2, 0.3)
        };
        let attended = Candidate {
            attention: Some(0.5),
            ..found(2, 0.3)
        };
        let scores = scores(&[attended, unknown, found(2, 0.3)]);
        assert_eq!(scores[1], scores[2]);
        assert!(scores[0] > scores[1]);
    }

    #[test]
    fn a_question_names_a_speaker_by_whole_words() {
        let named = |question: &str, text: &str| Form::of(question, "user", text).is_named;
        assert!(named("When did ann marie move?", "Ann Marie: In May."));
        assert!(named("What is John's job?", "John: I teach."));
        assert!(!named("When did Anne move?", "Ann: In May."));
        assert!(!named("Is it so?", "It is so: yes, and so on."));
        assert!(!named("What did I say about tea?", "I like tea"));
    }

    #[test]
    fn who_asks_is_told_from_who_answers() {
        let (asks, answers) = (
            Form::of("", "user", "Ann: Where is it?"),
            Form::of("", "user", "Bo: It is here."),
        );
        assert!(asks.asks && !answers.asks);
    }

    #[test]
    fn a_turn_near_to_the_time_asked_about_is_worth_more() {
        let near = |nearness: f32| Candidate {
            nearness,
            ..found(2, 0.3)
        };
        let scores = scores(&[near(1.0), near(0.5), near(0.0), found(2, 0.3)]);
        assert!(scores[0] > scores[1] && scores[1] > scores[2], "{scores:?}");
        assert_eq!(scores[2], scores[3]);
    }

    #[test]
    fn without_its_speaker_a_turn_is_worth_what_anyone_says() {
        let form = |question: &str, role: &str, text: &str| Form::of(question, role, text).without_speaker();
        assert_eq!(
            form("What does Ann say?", "user", "Ann: In the harbour?"),
            form("What does Bo say?", "assistant", "Ann: In the harbour?")
        );
        assert!(form("", "user", "Ann: In the harbour?").asks);
    }

    proptest! {
        #[test]
        fn every_candidate_gets_a_finite_score(
            signals in proptest::collection::vec(
                (proptest::option::of(0_usize..400), proptest::option::of(-1.0_f32..1.0), 0_usize..40), 0..20,
            )
        ) {
            let candidates: Vec<Candidate> = signals
                .iter()
                .map(|(lexical, cosine, previous)| Candidate {
                    lexical: *lexical,
                    cosine: *cosine,
                    previous: Some(*previous),
                    ..Candidate::default()
                })
                .collect();
            let scores = scores(&candidates);
            prop_assert_eq!(scores.len(), candidates.len());
            prop_assert!(scores.iter().all(|score| score.is_finite()));
        }
    }
}
