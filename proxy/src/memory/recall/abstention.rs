//! Whether anything that a search found bears on the question at all; if not, nothing is better than the best of it.

/// How well the best of what was found matches a question, in measures that can be compared between questions and languages.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// The best weighted MaxSim of a turn and the question, -1 to 1; `None` if no codes were compared.
    pub max_sim: Option<f32>,
    /// The best cosine of a passage's vector and the question's, -1 to 1; `None` if no vectors were compared.
    pub cosine: Option<f32>,
    /// The best cosine of small talk and the question, see [`crate::memory::small_talk`]; `None` if it was not compared.
    pub small_talk: Option<f32>,
}

/// What evidence must reach. A question without an answer has a low MaxSim. Small talk has a high one where the conversation
/// holds small talk, but is nearer to other small talk than to anything that was said.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Floor {
    /// The least MaxSim, -1 to 1; -1 lets everything pass.
    pub least_match: f32,
    /// The least distance by which the best cosine must be above that of small talk.
    pub least_lead: f32,
}

/// What lets everything pass, as a strength: nothing matches worse.
const NOTHING: f32 = -1.0;

impl Evidence {
    /// The best of what was compared: the MaxSim of every turn, the cosines of passages, the likeness to small talk. Figures
    /// that are no numbers count as not compared.
    #[must_use]
    pub fn new(
        max_sims: impl IntoIterator<Item = f32>,
        cosines: impl IntoIterator<Item = f32>,
        small_talk: Option<f32>,
    ) -> Self {
        Self { max_sim: best(max_sims), cosine: best(cosines), small_talk: best(small_talk) }
    }

    /// How far the best cosine is above that of small talk; `None` if either was not compared.
    #[must_use]
    pub fn lead(&self) -> Option<f32> {
        Some(self.cosine? - self.small_talk?)
    }

    /// The best MaxSim, or -1 for small talk; `None` if no codes were compared and the question is no small talk.
    #[must_use]
    pub fn strength(&self, floor: &Floor) -> Option<f32> {
        if self.lead().is_some_and(|lead| lead < floor.least_lead) {
            return Some(NOTHING);
        }
        self.max_sim
    }

    /// Whether something matches well enough to be recalled. Where nothing was compared nothing speaks against what was found.
    #[must_use]
    pub fn is_enough(&self, floor: &Floor) -> bool {
        self.strength(floor).is_none_or(|strength| strength >= floor.least_match)
    }
}

/// The best of some scores. Rounding may take what equal vectors have beyond 1.
fn best(scores: impl IntoIterator<Item = f32>) -> Option<f32> {
    let scores = scores.into_iter().filter(|score| score.is_finite());
    scores.max_by(f32::total_cmp).map(|score| score.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn floor() -> Floor {
        at(0.18)
    }

    fn at(least_match: f32) -> Floor {
        Floor { least_match, least_lead: 0.025 }
    }

    #[test]
    fn the_best_turn_speaks_for_all() {
        let evidence = Evidence::new([0.1, 0.4, -0.2], [0.3, 0.6], Some(0.1));
        assert_eq!((evidence.max_sim, evidence.cosine), (Some(0.4), Some(0.6)));
        assert!(evidence.is_enough(&floor()));
        assert!(!Evidence::new([0.1], [0.9], Some(0.1)).is_enough(&floor()));
    }

    #[test]
    fn small_talk_gets_nothing_however_well_it_matches_the_small_talk_in_a_conversation() {
        assert!(!Evidence::new([0.8], [0.5], Some(0.6)).is_enough(&floor()));
        assert!(Evidence::new([0.8], [0.5], Some(0.3)).is_enough(&floor()));
    }

    #[test]
    fn where_nothing_was_compared_what_was_found_is_believed() {
        let evidence = Evidence::new([f32::NAN, f32::NEG_INFINITY], [], Some(f32::NAN));
        assert_eq!(evidence, Evidence::default());
        assert!(evidence.is_enough(&at(1.0)));
        assert!(Evidence::new([0.3], [], Some(0.9)).is_enough(&floor()));
    }

    #[test]
    fn a_turn_with_the_questions_own_words_is_enough_for_any_floor() {
        assert!(Evidence::new([1.000_000_1], [1.000_000_1], Some(0.5)).is_enough(&at(1.0)));
    }

    fn evidence() -> impl Strategy<Value = Evidence> {
        (vec(-1.1_f32..1.1, 0..30), vec(-1.1_f32..1.1, 0..9), option::of(-1.0_f32..1.0))
            .prop_map(|(max_sims, cosines, small_talk)| Evidence::new(max_sims, cosines, small_talk))
    }

    proptest! {
        #[test]
        fn the_lowest_floor_silences_nothing(evidence in evidence()) {
            prop_assert!(evidence.is_enough(&at(-1.0)));
        }

        #[test]
        fn a_higher_floor_never_lets_more_through(evidence in evidence(), least in -1.0_f32..1.0, more in 0.0_f32..1.0) {
            prop_assert!(evidence.is_enough(&at(least)) || !evidence.is_enough(&at(least + more)));
        }

        #[test]
        fn another_turn_never_takes_evidence_away(
            mut max_sims in vec(-1.0_f32..1.0, 1..9),
            mut cosines in vec(-1.0_f32..1.0, 1..9),
            another in (-1.0_f32..1.0, -1.0_f32..1.0),
            small_talk in option::of(-1.0_f32..1.0),
            least in -1.0_f32..1.0,
        ) {
            let is_enough = |max_sims: &[f32], cosines: &[f32]| {
                Evidence::new(max_sims.iter().copied(), cosines.iter().copied(), small_talk).is_enough(&at(least))
            };
            let before = is_enough(&max_sims, &cosines);
            max_sims.push(another.0);
            cosines.push(another.1);
            prop_assert!(!before || is_enough(&max_sims, &cosines));
        }

        #[test]
        fn what_is_less_like_small_talk_is_never_silenced_sooner(evidence in evidence(), less in 0.0_f32..1.0) {
            let other = Evidence { small_talk: evidence.small_talk.map(|likeness| likeness - less), ..evidence };
            prop_assert!(!evidence.is_enough(&floor()) || other.is_enough(&floor()));
        }
    }
}
