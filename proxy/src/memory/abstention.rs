//! Whether anything that a search found bears on the question at all; if not, nothing is better than the best of it.
//!
//! It must not know how searches are made or how turns are ranked: relevance is standardised within a question, so it says
//! which turn fits best and never whether one does.

/// How well the best of what was found matches a question, in measures that can be compared between questions and languages.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// The best weighted MaxSim of a turn and the question, -1 to 1; `None` if no codes were compared.
    pub max_sim: Option<f32>,
    /// The best cosine of a passage's vector and the question's, -1 to 1; `None` if no vectors were compared.
    pub cosine: Option<f32>,
    /// How far the best MaxSim stands out: its distance to the median over all turns that were compared, 0 to 2; `None` if
    /// these are fewer than [`CROWD`].
    pub contrast: Option<f32>,
    /// Tokens of the question.
    pub question_tokens: usize,
}

/// What evidence must reach. The MaxSim of the best turn decides; the other measures raise or lower it by a little, because
/// small talk and questions overlap in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// The least [`Evidence::strength`], -1 to 1.
    pub least_match: f32,
    /// What a contrast is worth.
    pub contrast: Bearing,
    /// What a cosine is worth.
    pub cosine: Bearing,
    /// What the natural logarithm of the question's tokens is worth.
    pub question: Bearing,
}

/// What a measure adds to the MaxSim, or takes from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bearing {
    /// The value that does neither.
    pub neutral: f32,
    /// What one more is worth, not negative.
    pub weight: f32,
    /// Most that it adds or takes.
    pub most: f32,
}

/// Fewest turns whose median says what a question is like beside any turn.
pub const CROWD: usize = 12;

impl Evidence {
    /// The best of what was compared: the MaxSim of every turn, the cosines of passages. Figures that are no numbers count as
    /// not compared.
    #[must_use]
    pub fn of(
        max_sims: impl IntoIterator<Item = f32>,
        cosines: impl IntoIterator<Item = f32>,
        question_tokens: usize,
    ) -> Self {
        let mut compared: Vec<f32> = max_sims.into_iter().filter(|score| score.is_finite()).collect();
        compared.sort_by(f32::total_cmp);
        let best = compared.last().copied();
        let median = compared.get(compared.len() / 2).copied();
        let cosines = cosines.into_iter().filter(|score| score.is_finite());
        // Rounding may take what equal vectors have beyond 1.
        let within = |score: f32| score.clamp(-1.0, 1.0);
        Self {
            max_sim: best.map(within),
            cosine: cosines.max_by(f32::total_cmp).map(within),
            contrast: best
                .zip(median)
                .filter(|_| compared.len() >= CROWD)
                .map(|(best, median)| best - median),
            question_tokens,
        }
    }

    /// The best MaxSim with what the other measures add or take, -1 to 1; `None` if no codes were compared.
    #[must_use]
    pub fn strength(&self, floor: &Floor) -> Option<f32> {
        #[expect(clippy::cast_precision_loss, reason = "a question has hundreds of tokens at most")]
        let tokens = (self.question_tokens.max(1) as f32).ln();
        let others = [
            floor.contrast.of(self.contrast),
            floor.cosine.of(self.cosine),
            floor.question.of(Some(tokens)),
        ];
        let strength = self.max_sim? + others.iter().sum::<f32>();
        Some(strength.clamp(-1.0, 1.0))
    }

    /// Whether something matches well enough to be recalled. Where no codes were compared nothing speaks against what was
    /// found.
    #[must_use]
    pub fn is_enough(&self, floor: &Floor) -> bool {
        self.strength(floor)
            .is_none_or(|strength| strength >= floor.least_match)
    }
}

impl Floor {
    /// The shipped measures, with this least strength. -1 lets everything pass.
    #[must_use]
    pub fn at(least_match: f32) -> Self {
        Self {
            least_match,
            contrast: Bearing {
                neutral: 0.12,
                weight: 0.5,
                most: 0.06,
            },
            cosine: Bearing {
                neutral: 0.3,
                weight: 0.0,
                most: 0.0,
            },
            question: Bearing {
                // ln 8.
                neutral: 2.08,
                weight: 0.04,
                most: 0.04,
            },
        }
    }
}

impl Bearing {
    /// What a value adds; nothing if it is not known.
    fn of(self, value: Option<f32>) -> f32 {
        let value = value.filter(|value| value.is_finite()).unwrap_or(self.neutral);
        (self.weight * (value - self.neutral)).clamp(-self.most.abs(), self.most.abs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn floor() -> Floor {
        Floor::at(0.22)
    }

    #[test]
    fn the_best_turn_speaks_for_all() {
        let evidence = Evidence::of([0.1, 0.4, -0.2], [0.3, 0.6], 8);
        assert_eq!(
            (evidence.max_sim, evidence.cosine, evidence.contrast),
            (Some(0.4), Some(0.6), None)
        );
        assert!(evidence.is_enough(&floor()));
        assert!(!Evidence::of([0.1], [0.9], 8).is_enough(&floor()));
    }

    #[test]
    fn without_codes_what_was_found_is_believed() {
        let evidence = Evidence::of([f32::NAN, f32::NEG_INFINITY], [], 3);
        assert_eq!(evidence.max_sim, None);
        assert!(evidence.is_enough(&Floor::at(1.0)));
    }

    #[test]
    fn a_turn_that_stands_out_is_believed_where_one_among_its_like_is_not() {
        let among = |crowd: f32| {
            let crowd = std::iter::repeat_n(crowd, CROWD);
            Evidence::of(crowd.chain([0.23]), [], 8)
        };
        assert!(among(0.02).is_enough(&floor()));
        assert!(!among(0.2).is_enough(&floor()));
    }

    #[test]
    fn a_few_tokens_must_match_better_than_many() {
        let asked = |tokens: usize| Evidence::of([0.225], [], tokens).is_enough(&floor());
        assert!(asked(12) && !asked(3));
    }

    #[test]
    fn a_turn_with_the_questions_own_words_is_enough_for_any_shipped_floor() {
        assert!(Evidence::of([1.000_000_1], [1.0], 8).is_enough(&Floor::at(0.9)));
    }

    fn evidence() -> impl Strategy<Value = Evidence> {
        (vec(-1.1_f32..1.1, 0..30), vec(-1.1_f32..1.1, 0..9), 0_usize..300)
            .prop_map(|(max_sims, cosines, tokens)| Evidence::of(max_sims, cosines, tokens))
    }

    proptest! {
        #[test]
        fn the_lowest_floor_silences_nothing(evidence in evidence()) {
            prop_assert!(evidence.is_enough(&Floor::at(-1.0)));
        }

        #[test]
        fn a_higher_floor_never_lets_more_through(evidence in evidence(), least in -1.0_f32..1.0, more in 0.0_f32..1.0) {
            prop_assert!(evidence.is_enough(&Floor::at(least)) || !evidence.is_enough(&Floor::at(least + more)));
        }

        #[test]
        fn a_better_match_never_takes_evidence_away(evidence in evidence(), more in 0.0_f32..1.0, least in -1.0_f32..1.0) {
            let better = Evidence {
                max_sim: evidence.max_sim.map(|score| score + more),
                cosine: evidence.cosine.map(|score| score + more),
                contrast: evidence.contrast.map(|contrast| contrast + more),
                question_tokens: evidence.question_tokens + 1,
            };
            let floor = Floor::at(least);
            prop_assert!(!evidence.is_enough(&floor) || better.is_enough(&floor));
        }

        #[test]
        fn the_order_of_what_was_compared_does_not_matter(mut max_sims in vec(-1.0_f32..1.0, 0..40), tokens in 0_usize..50) {
            let evidence = Evidence::of(max_sims.iter().copied(), [], tokens);
            max_sims.reverse();
            prop_assert_eq!(Evidence::of(max_sims, [], tokens), evidence);
        }

        #[test]
        fn the_other_measures_move_a_match_by_no_more_than_they_may(evidence in evidence()) {
            let floor = floor();
            let most = floor.contrast.most + floor.cosine.most + floor.question.most + 1e-6;
            if let Some((strength, max_sim)) = evidence.strength(&floor).zip(evidence.max_sim) {
                prop_assert!((strength - max_sim).abs() <= most);
            }
        }
    }
}
