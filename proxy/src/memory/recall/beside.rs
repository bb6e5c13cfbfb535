//! Joins what was found for what a long message asks with what was found for the whole of it.
//!
//! It must not know how either was found.

use std::collections::HashMap;

use mainpoint_store::TurnId;

use super::abstention::Floor;
use super::relevance::Candidate;
use super::{RecallResult, RecalledTurn};

impl RecallResult {
    /// The turns of both, at most so many, each once and as likely as the likelier of both, best first. One of them
    /// that abstained adds nothing, and where both did so does this. The evidence is the better one.
    pub(super) fn beside(self, other: Self, floor: &Floor, most: usize) -> Self {
        let (mut steps, abstained) = (self.steps, self.abstained && other.abstained);
        steps.merge(other.steps);
        let evidence = match (self.abstained, other.abstained) {
            (false, true) => self.evidence,
            (true, false) => other.evidence,
            _ if other.evidence.strength(floor) > self.evidence.strength(floor) => other.evidence,
            _ => self.evidence,
        };
        let both = [(self.turns, self.reasons), (other.turns, other.reasons)];
        let mut found: Vec<(RecalledTurn, Candidate)> = Vec::new();
        let mut places: HashMap<TurnId, usize> = HashMap::new();
        for (recalled, reason) in both.into_iter().flat_map(|(turns, reasons)| turns.into_iter().zip(reasons)) {
            let id = recalled.turn.id;
            match places.get(&id).and_then(|place| found.get_mut(*place)) {
                Some(known) => take_likelier(known, (recalled, reason)),
                None => {
                    places.insert(id, found.len());
                    found.push((recalled, reason));
                }
            }
        }
        found.sort_by(|(one, _), (other, _)| other.score.total_cmp(&one.score));
        found.truncate(most);
        let (turns, reasons) = found.into_iter().unzip();
        Self { turns, reasons, evidence, abstained, asking: None, steps }
    }
}

/// What was found twice is found as it was when it was likelier, and for the shorter question.
fn take_likelier(known: &mut (RecalledTurn, Candidate), again: (RecalledTurn, Candidate)) {
    let asked_bytes = known.0.asked_bytes.min(again.0.asked_bytes);
    if again.0.score > known.0.score {
        *known = again;
    }
    known.0.asked_bytes = asked_bytes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::recall::abstention::Evidence;
    use crate::memory::turns_for_tests::{recalled, turn};

    /// What was found for a question of so many bytes: positions with scores.
    fn found(asked_bytes: usize, turns: &[(u32, f32)]) -> RecallResult {
        let each = turns.iter().map(|(position, score)| {
            let own = recalled(turn(*position, "text"));
            (RecalledTurn { score: *score, asked_bytes, ..own }, Candidate::default())
        });
        let (turns, reasons) = each.unzip();
        RecallResult { turns, reasons, evidence: Evidence::new([0.5], [], None), ..RecallResult::default() }
    }

    fn abstained(max_sim: f32) -> RecallResult {
        let evidence = Evidence::new([max_sim], [], None);
        RecallResult { abstained: true, evidence, ..RecallResult::default() }
    }

    fn floor() -> Floor {
        Floor { least_match: 0.2, least_lead: 0.0 }
    }

    fn told(found: &RecallResult) -> Vec<(u32, f32, usize)> {
        assert_eq!(found.turns.len(), found.reasons.len());
        found.turns.iter().map(|one| (one.turn.position, one.score, one.asked_bytes)).collect()
    }

    #[test]
    fn every_turn_is_found_once_and_the_likelier_ones_come_first() {
        let (asked, whole) = (found(40, &[(1, 0.5), (2, 0.1)]), found(900, &[(2, 0.3), (3, 0.2), (1, 0.05)]));
        let both = asked.beside(whole, &floor(), 9);
        assert_eq!(told(&both), [(1, 0.5, 40), (2, 0.3, 40), (3, 0.2, 900)]);
        let (asked, whole) = (found(40, &[(1, 0.5)]), found(900, &[(3, 0.2)]));
        assert_eq!(told(&asked.beside(whole, &floor(), 1)), [(1, 0.5, 40)]);
    }

    #[test]
    fn what_abstained_adds_nothing_and_both_abstain_together() {
        let one = found(40, &[(1, 0.5)]).beside(abstained(0.1), &floor(), 9);
        let other = abstained(0.1).beside(found(40, &[(1, 0.5)]), &floor(), 9);
        for joined in [one, other] {
            assert_eq!((joined.abstained, joined.evidence.max_sim), (false, Some(0.5)));
            assert_eq!(told(&joined), [(1, 0.5, 40)]);
        }
        let neither = abstained(0.05).beside(abstained(0.1), &floor(), 9);
        assert_eq!((neither.abstained, neither.evidence.max_sim, neither.turns.len()), (true, Some(0.1), 0));
    }
}
