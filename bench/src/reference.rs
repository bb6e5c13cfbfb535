//! The figures of the prototype that the design was decided on: LoCoMo conv-41 and conv-42, 351
//! questions, recall_all at each of the measured depths. It must not know how arms are computed.

/// The prototype's figures for one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// The arm's name.
    pub arm: &'static str,
    /// `recall_all@5`, `@10`, `@20`, `@50` in thousandths; 0 where nothing was measured.
    pub thousandths: [u16; 4],
}

/// The conversations that the figures hold for.
pub const CONVERSATIONS: [&str; 2] = ["conv-41", "conv-42"];
/// How far a measured figure may fall below the prototype's.
pub const TOLERANCE: f64 = 0.02;

const REFERENCES: &[Reference] = &[
    row("whole-turn", [345, 442, 521, 641]),
    row("whole-turn-idf", [359, 470, 573, 0]),
    row("random-25", [248, 291, 373, 0]),
    row("idf-25", [350, 442, 575, 0]),
    row("main-point-all-heads-soft", [379, 473, 553, 0]),
    row("main-point-25-eight-heads", [370, 464, 564, 0]),
    row("main-point-50-eight-heads", [387, 501, 558, 0]),
    row("main-point-50", [370, 501, 578, 0]),
    row("main-point", [416, 496, 581, 715]),
    row("bm25", [473, 530, 575, 650]),
    row("rrf-bm25-whole-turn", [439, 513, 575, 718]),
    row("rrf-bm25-main-point-50", [456, 547, 607, 0]),
    row("rrf-bm25-main-point", [464, 544, 613, 746]),
    row("attention-search", [427, 499, 570, 667]),
    row("attention-search-all-keys", [462, 519, 604, 704]),
    row("fused-60-all-keys", [513, 595, 652, 744]),
    row("fused-20-all-keys", [519, 601, 670, 778]),
    row("fused-20", [521, 584, 664, 789]),
];

/// The prototype's figures for an arm, `None` where nothing was measured.
#[must_use]
pub fn of(arm: &str) -> [Option<f64>; 4] {
    let found = REFERENCES.iter().find(|reference| reference.arm == arm);
    found.map_or([None; 4], |reference| {
        reference
            .thousandths
            .map(|value| (value > 0).then(|| f64::from(value) / 1000.0))
    })
}

/// Whether measured figures fall short of the prototype's by no more than [`TOLERANCE`] at @5,
/// @10 and @20; `None` where the prototype has no figures.
#[must_use]
pub fn holds(arm: &str, measured: [f64; 4]) -> Option<bool> {
    let reference = of(arm);
    let differences = || {
        reference
            .iter()
            .take(3)
            .zip(measured)
            .filter_map(|(reference, value)| Some(value - (*reference)?))
    };
    // Half a thousandth is what rounding the prototype's figures can account for.
    differences()
        .next()
        .map(|_| differences().all(|difference| difference >= -TOLERANCE - 0.0005))
}

/// The names of all arms with figures.
pub fn arms() -> impl Iterator<Item = &'static str> {
    REFERENCES.iter().map(|reference| reference.arm)
}

const fn row(arm: &'static str, thousandths: [u16; 4]) -> Reference {
    Reference { arm, thousandths }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shares() {
        assert_eq!(of("whole-turn"), [Some(0.345), Some(0.442), Some(0.521), Some(0.641)]);
        assert_eq!(of("random-25")[3], None);
        assert_eq!(of("no such arm"), [None; 4]);
    }

    #[test]
    fn two_points_less_still_hold_and_three_do_not() {
        assert_eq!(holds("random-25", [0.228, 0.400, 0.353, 0.0]), Some(true));
        assert_eq!(holds("random-25", [0.248, 0.261, 0.373, 0.0]), Some(false));
        assert_eq!(holds("no such arm", [0.0; 4]), None);
    }
}
