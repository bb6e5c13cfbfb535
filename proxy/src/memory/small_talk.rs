//! How much a question is like small talk, which needs no memory.
//!
//! Small talk matches the small talk in a conversation as well as a question matches its answer, in any language, so
//! that no measure of a match tells them apart. That a question is nearer to greetings and thanks than to anything that
//! was said does.

use mainpoint_engine::{Engine, EngineError, TurnText};
use tokio::sync::OnceCell;

/// Messages that ask for nothing that was said. A model that speaks many languages puts what means the same beside them.
const MESSAGES: [&str; 25] = [
    "Hello!",
    "Hi there, nice to meet you!",
    "How are you doing today?",
    "Good evening.",
    "Thank you so much!",
    "Thanks, bye!",
    "Thank you, see you later.",
    "All right, thank you, I will keep that in mind.",
    "You're welcome.",
    "Goodbye, have a nice day.",
    "Good night, sleep well.",
    "Talk to you later.",
    "Okay, sounds good.",
    "I see.",
    "Yes, please.",
    "No, thank you.",
    "Please go on.",
    "Never mind.",
    "No problem, don't worry about it.",
    "Sorry about that.",
    "Wow, amazing!",
    "Haha, that is funny!",
    "Tell me something funny.",
    "What can you do?",
    "Who are you, and what can you help me with?",
];
const SPEAKER: &str = "User";

/// Small talk as the model reads it.
#[derive(Debug, Clone, Default)]
pub struct SmallTalk {
    vectors: Vec<Vec<f32>>,
    least_lead: f32,
}

/// By how much the best cosine must lead over that of small talk: of whole vectors, and of projected ones, whose cosines differ
/// more.
const LEAD_OF_WHOLE: f32 = 0.025;
const LEAD_OF_PROJECTED: f32 = 0.1;

impl SmallTalk {
    /// Small talk, read by the first who asks for it; `None` if it cannot be read, which is tried again by the next one.
    pub(crate) async fn known<'a>(cell: &'a OnceCell<Self>, engine: &Engine) -> Option<&'a Self> {
        let read = cell.get_or_try_init(|| Self::read(engine)).await;
        read.inspect_err(|error| tracing::debug!(error = %error, "small talk was not read")).ok()
    }

    /// Reads it as passages are read, on the thread of questions; takes a second or two.
    ///
    /// # Errors
    /// When the engine cannot read.
    pub async fn read(engine: &Engine) -> Result<Self, EngineError> {
        let mut vectors = Vec::with_capacity(MESSAGES.len());
        for text in MESSAGES {
            let turn = TurnText { speaker: SPEAKER.to_owned(), text: text.to_owned() };
            vectors.push(engine.vector_of(&turn).await?);
        }
        let least_lead = if engine.is_projected() { LEAD_OF_PROJECTED } else { LEAD_OF_WHOLE };
        Ok(Self { vectors, least_lead })
    }

    /// By how much the best cosine of anything that was said must be above [`SmallTalk::likeness`].
    #[must_use]
    pub fn least_lead(&self) -> f32 {
        self.least_lead
    }

    /// The cosine of a question's vector and the nearest small talk's, -1 to 1. Both are of unit length. `None` if nothing was
    /// read.
    #[must_use]
    pub fn likeness(&self, question: &[f32]) -> Option<f32> {
        let cosine = |vector: &Vec<f32>| vector.iter().zip(question).map(|(one, other)| one * other).sum::<f32>();
        self.vectors.iter().map(cosine).filter(|cosine| cosine.is_finite()).max_by(f32::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_message_counts() {
        let small_talk =
            SmallTalk { vectors: vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![f32::NAN, 1.0]], ..SmallTalk::default() };
        assert_eq!(small_talk.likeness(&[0.6, 0.8]), Some(0.8));
        assert_eq!(SmallTalk::default().likeness(&[0.6, 0.8]), None);
    }
}
