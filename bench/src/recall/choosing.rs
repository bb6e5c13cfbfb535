//! Which tokens of a reading an arm keeps, and the codes of what is kept.

use mainpoint_engine::{Codes, PassageReading, PassageTokens, ReadToken, codes_of, representative};

use super::arms::{ARMS, By, Choice, SEEDS};
use super::reading::Reading;

/// The codes of a conversation's turns, passage by passage; several for an arm with random choices.
pub(super) struct Coded {
    /// The arm that finds by these alone.
    pub(super) arm: &'static str,
    /// One for each way of choosing.
    pub(super) variants: Vec<Vec<Vec<Codes>>>,
}

/// The codes of every arm that is chosen here, around the model's mean token vector.
pub(super) fn coded(reading: &Reading, mean: &[f32]) -> Vec<Coded> {
    let all = codes(reading, mean, |passage| passage.tokens.iter().collect());
    let choices = ARMS.iter().filter_map(|arm| Some((arm.name, arm.choice?)));
    let choices = choices.map(|(arm, choice)| Coded {
        arm,
        variants: match choice.by {
            By::Chance => SEEDS.map(|seed| chosen(reading, mean, choice, seed)).to_vec(),
            _ => vec![chosen(reading, mean, choice, 0)],
        },
    });
    let all = Coded { arm: "maxsim-all", variants: vec![all] };
    std::iter::once(all).chain(choices).collect()
}

/// The vector of every turn's first passage, if it has one.
pub(super) fn first_passages(points: &[Vec<PassageReading>]) -> Vec<Vec<Vec<f32>>> {
    let first =
        |passages: &Vec<PassageReading>| passages.iter().take(1).map(|passage| passage.vector.clone()).collect();
    points.iter().map(first).collect()
}

fn chosen(reading: &Reading, mean: &[f32], choice: Choice, seed: u64) -> Vec<Vec<Codes>> {
    let mut random = fastrand::Rng::with_seed(seed);
    codes(reading, mean, |passage| match choice.by {
        By::Coverage => covering(passage, mean, choice.percent),
        _ => kept(&passage.tokens, choice, &mut random),
    })
}

fn codes<'a>(
    reading: &'a Reading,
    mean: &[f32],
    mut keep: impl FnMut(&'a PassageTokens) -> Vec<&'a ReadToken>,
) -> Vec<Vec<Codes>> {
    let turns = reading.turns.iter();
    turns
        .map(|passages| {
            let kept = passages.iter().map(&mut keep);
            kept.map(|tokens| codes_of(tokens.iter().map(|token| token.vector.as_slice()), mean)).collect()
        })
        .collect()
}

/// The tokens that are kept as in main points, but one by one instead of word by word.
fn covering<'a>(passage: &'a PassageTokens, mean: &[f32], percent: usize) -> Vec<&'a ReadToken> {
    let each: Vec<Vec<usize>> = (0..passage.tokens.len()).map(|token| vec![token]).collect();
    let mut places = representative(passage, mean, &each, share(each.len(), percent));
    places.sort_unstable();
    places.into_iter().map(|place| &passage.tokens[place]).collect()
}

/// So many of a hundred, rounded, at least one.
fn share(tokens: usize, percent: usize) -> usize {
    ((tokens * percent + 50) / 100).max(1)
}

/// The tokens that are kept, in the order of the text: the share of them that is asked for, rounded, at least one.
fn kept<'a>(tokens: &'a [ReadToken], choice: Choice, random: &mut fastrand::Rng) -> Vec<&'a ReadToken> {
    let wanted = share(tokens.len(), choice.percent);
    let mut places: Vec<usize> = (0..tokens.len()).collect();
    let worth = |place: usize| {
        let token = &tokens[place];
        match choice.by {
            By::AttentionAndRarity => token.attention * token.rarity,
            By::Attention => token.attention,
            By::Rarity => token.rarity,
            By::Coverage | By::Chance => 0.0,
        }
    };
    if choice.by == By::Chance {
        random.shuffle(&mut places);
    } else {
        places.sort_by(|one, other| worth(*other).total_cmp(&worth(*one)).then(one.cmp(other)));
    }
    places.truncate(wanted);
    places.sort_unstable();
    places.into_iter().map(|place| &tokens[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(start: usize, attention: f32, rarity: f32) -> ReadToken {
        ReadToken { start, end: start + 1, vector: vec![1.0, 0.0, 0.0, 0.0], attention, rarity }
    }

    #[test]
    fn the_best_share_is_kept_in_the_order_of_the_text() {
        let tokens = [token(0, 0.1, 9.0), token(1, 0.4, 1.0), token(2, 0.3, 4.0), token(3, 0.2, 2.0)];
        let starts = |percent, by| -> Vec<usize> {
            let choice = Choice { percent, by };
            let kept = kept(&tokens, choice, &mut fastrand::Rng::with_seed(1));
            kept.iter().map(|token| token.start).collect()
        };
        assert_eq!(starts(50, By::Attention), [1, 2]);
        assert_eq!(starts(50, By::Rarity), [0, 2]);
        assert_eq!(starts(50, By::AttentionAndRarity), [0, 2]);
        assert_eq!(starts(1, By::Rarity), [0]);
        assert_eq!((starts(50, By::Chance).len(), starts(100, By::Chance)), (2, vec![0, 1, 2, 3]));
    }
}
