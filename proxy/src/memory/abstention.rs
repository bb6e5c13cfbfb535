//! Whether anything that a search found bears on the question at all; if not, nothing is better than the best of it.
//!
//! It must not know how searches are made or how turns are ranked: relevance is standardised within a question, so it says
//! which turn fits best and never whether one does.

/// How near the nearest passages come to a question, in measures that can be compared between questions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// The best cosine of a passage's vector and the question's, -1 to 1; `None` if no vectors were compared.
    pub cosine: Option<f32>,
    /// The most attention that the question pays to a passage beyond what a content-free question pays it; `None` if no
    /// attention was read. It is a share of the attention to all passages that were looked at, so it shrinks with their number.
    pub attention: Option<f32>,
}

impl Evidence {
    /// The best of what a search found; figures that are no numbers count as not found.
    #[must_use]
    pub fn of(cosines: impl IntoIterator<Item = f32>, attention: impl IntoIterator<Item = f32>) -> Self {
        Self {
            // Rounding may take the cosine of equal vectors beyond 1.
            cosine: best(cosines).map(|cosine| cosine.clamp(-1.0, 1.0)),
            attention: best(attention),
        }
    }

    /// Whether something is near enough to be recalled: its cosine is at least `margin`. Without a cosine nothing speaks
    /// against what the words found.
    #[must_use]
    pub fn is_enough(&self, margin: f32) -> bool {
        self.cosine.is_none_or(|cosine| cosine >= margin)
    }
}

fn best(scores: impl IntoIterator<Item = f32>) -> Option<f32> {
    scores
        .into_iter()
        .filter(|score| score.is_finite())
        .max_by(f32::total_cmp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_passage_speaks_for_all() {
        let evidence = Evidence::of([0.1, 0.4, -0.2], [0.01, -0.3]);
        assert_eq!((evidence.cosine, evidence.attention), (Some(0.4), Some(0.01)));
        assert!(evidence.is_enough(0.4) && !evidence.is_enough(0.41));
    }

    #[test]
    fn without_a_cosine_the_words_are_believed() {
        let evidence = Evidence::of([f32::NAN, f32::NEG_INFINITY], []);
        assert_eq!(evidence, Evidence::default());
        assert!(evidence.is_enough(1.0));
    }

    #[test]
    fn much_attention_does_not_make_up_for_a_distant_vector() {
        assert!(!Evidence::of([0.05], [0.9]).is_enough(0.15));
    }

    #[test]
    fn a_passage_with_the_questions_own_vector_is_always_enough() {
        let evidence = Evidence::of([1.000_000_1], []);
        assert_eq!(evidence.cosine, Some(1.0));
        assert!(evidence.is_enough(1.0));
    }

    proptest! {
        #[test]
        fn the_lowest_margin_silences_nothing(cosines in proptest::collection::vec(-1.1_f32..1.1, 0..9)) {
            prop_assert!(Evidence::of(cosines, []).is_enough(-1.0));
        }

        #[test]
        fn a_higher_margin_never_lets_more_through(
            cosines in proptest::collection::vec(-1.0_f32..1.0, 0..9),
            margin in -1.0_f32..1.0,
            more in 0.0_f32..1.0,
        ) {
            let evidence = Evidence::of(cosines, []);
            prop_assert!(evidence.is_enough(margin) || !evidence.is_enough(margin + more));
        }

        #[test]
        fn another_passage_never_takes_evidence_away(
            mut cosines in proptest::collection::vec(-1.0_f32..1.0, 1..9),
            another in -1.0_f32..1.0,
            margin in -1.0_f32..1.0,
        ) {
            let before = Evidence::of(cosines.iter().copied(), []).is_enough(margin);
            cosines.push(another);
            prop_assert!(!before || Evidence::of(cosines, []).is_enough(margin));
        }
    }
}
