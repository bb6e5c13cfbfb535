//! Of pieces in a row those in which most of what is looked for is found.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

use super::MOST_BYTES;
use super::pieces::Piece;

/// A place where something that is looked for is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Occurrence {
    /// What is found there.
    pub(super) number: usize,
    /// The bytes that it takes.
    pub(super) place: Range<usize>,
}

/// The pieces in a row, together at most [`MOST_BYTES`], in which what is worth most is found, each thing counted once;
/// of equals the shortest. Where they have only a part of a sentence, as much more of it is around them as there is
/// room for. `None` where nothing is found. Of `occurrences` neither the beginnings nor the ends go back. Each is
/// looked at twice at most.
pub(super) fn best(
    pieces: &[Piece],
    occurrences: &[Occurrence],
    worth: impl Fn(usize) -> usize,
) -> Option<Range<usize>> {
    let mut window = Window { occurrences, ahead: 0, latest: BTreeSet::new(), of: Vec::new(), all: 0, worth };
    let begin = |first: usize| pieces.get(first).map_or(usize::MAX, |piece| piece.place.start);
    let mut first = 0;
    let mut best = (0, Reverse(0), 0..0);
    for (last, piece) in pieces.iter().enumerate() {
        let end = piece.place.end;
        window.add_up_to(end);
        while first < last && end - begin(first) > MOST_BYTES {
            first += 1;
        }
        window.leave_before(begin(first));
        // The pieces before these have nothing that is not found again.
        while first < last && window.first().is_some_and(|needed| begin(first + 1) <= needed) {
            first += 1;
        }
        let length = Reverse(end - begin(first));
        if (window.all, length) > (best.0, best.1) {
            best = (window.all, length, first..last + 1);
        }
    }
    let (all, _, run) = best;
    let run = with_rest(pieces, run);
    let end = run.end.checked_sub(1).and_then(|last| pieces.get(last))?.place.end;
    (all > 0).then(|| begin(run.start)..end)
}

/// What is found between two places of which neither goes back.
struct Window<'a, W> {
    occurrences: &'a [Occurrence],
    /// The first one that has not been looked at.
    ahead: usize,
    /// Of everything that is found the last place where it is.
    latest: BTreeSet<usize>,
    /// The same by its number.
    of: Vec<Option<usize>>,
    /// What all of it is worth.
    all: usize,
    worth: W,
}

impl<W: Fn(usize) -> usize> Window<'_, W> {
    /// Takes in what ends before a place.
    fn add_up_to(&mut self, end: usize) {
        while let Some(occurrence) = self.occurrences.get(self.ahead).filter(|found| found.place.end <= end) {
            let number = occurrence.number;
            if self.of.len() <= number {
                self.of.resize(number + 1, None);
            }
            match self.of.get_mut(number).and_then(|latest| latest.replace(self.ahead)) {
                Some(earlier) => {
                    self.latest.remove(&earlier);
                }
                None => self.all += (self.worth)(number),
            }
            self.latest.insert(self.ahead);
            self.ahead += 1;
        }
    }

    /// Leaves out what begins before a place.
    fn leave_before(&mut self, begin: usize) {
        while self.first().is_some_and(|first| first < begin) {
            let first = self.latest.pop_first().and_then(|first| self.occurrences.get(first));
            if let Some(latest) = first.and_then(|first| self.of.get_mut(first.number)) {
                *latest = None;
            }
            self.all -= first.map_or(0, |first| (self.worth)(first.number));
        }
    }

    /// Where the first of the last places is.
    fn first(&self) -> Option<usize> {
        self.latest.first().and_then(|first| self.occurrences.get(*first)).map(|first| first.place.start)
    }
}

/// The same pieces and those around them that are of the same sentences, in turns before and behind them, as long as
/// there is room.
fn with_rest(pieces: &[Piece], mut run: Range<usize>) -> Range<usize> {
    let goes_on = |at: usize| pieces.get(at).is_some_and(|piece| !piece.begins_sentence);
    let fits = |run: &Range<usize>| {
        let run = pieces.get(run.clone()).unwrap_or_default();
        run.first().zip(run.last()).is_some_and(|(first, last)| last.place.end - first.place.start <= MOST_BYTES)
    };
    loop {
        let before = run.start.checked_sub(1).filter(|_| goes_on(run.start)).map(|start| start..run.end);
        let wider = before.filter(fits).unwrap_or(run.clone());
        let behind = goes_on(wider.end).then(|| wider.start..wider.end + 1);
        let wider = behind.filter(fits).unwrap_or(wider);
        if wider == run {
            return run;
        }
        run = wider;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn piece(place: Range<usize>) -> Piece {
        Piece { place, begins_sentence: true }
    }

    /// Pieces of these lengths in a row.
    fn row(lengths: &[usize]) -> Vec<Piece> {
        let mut end = 0;
        let next = |length: &usize| {
            end += length;
            piece(end - length..end)
        };
        lengths.iter().map(next).collect()
    }

    fn at(number: usize, place: Range<usize>) -> Occurrence {
        Occurrence { number, place }
    }

    #[test]
    fn the_shortest_of_the_best_runs_is_taken() {
        let pieces = row(&[100, 100, 100, 100, 100]);
        let found = [at(0, 10..13), at(1, 110..113), at(0, 310..313), at(1, 315..318), at(0, 410..413)];
        assert_eq!(best(&pieces, &found, |_| 1), Some(300..400));
        assert_eq!(best(&pieces, &found[..2], |_| 1), Some(0..200));
        assert_eq!(best(&pieces, &[], |_| 1), None);
        assert_eq!(best(&[], &[], |_| 1), None);
    }

    #[test]
    fn a_part_of_a_sentence_gets_as_much_of_the_rest_as_there_is_room_for() {
        let mut pieces = row(&[50; 12]);
        pieces[2..11].iter_mut().for_each(|inside| inside.begins_sentence = false);
        assert_eq!(best(&pieces, &[at(0, 310..313)], |_| 1), Some(100..500), "in its middle");
        assert_eq!(best(&pieces, &[at(0, 110..113)], |_| 1), Some(50..450), "at its beginning");
        assert_eq!(best(&pieces, &[at(0, 510..513)], |_| 1), Some(150..550), "at its end");
        assert_eq!(best(&pieces, &[at(0, 10..13)], |_| 1), Some(0..50), "a whole one gets nothing");
    }

    #[test]
    fn everything_is_looked_at_twice_at_most_however_small_the_pieces_are() {
        let pieces = row(&[1; 8000]);
        let found: Vec<Occurrence> = (0..8000).map(|place| at(place % 700, place..place + 1)).collect();
        let looks = Cell::new(0);
        let worth = |_| {
            looks.set(looks.get() + 1);
            1
        };
        assert_eq!(best(&pieces, &found, worth), Some(0..MOST_BYTES));
        assert!(looks.get() <= 2 * found.len(), "{}", looks.get());
    }

    /// What is worth most in a run of pieces, and how short it can be, found by trying each.
    fn tried(pieces: &[Piece], found: &[Occurrence], worth: fn(usize) -> usize) -> (usize, Reverse<usize>) {
        let runs = (0..pieces.len()).flat_map(|first| (first..pieces.len()).map(move |last| (first, last)));
        let places = runs.map(|(first, last)| pieces[first].place.start..pieces[last].place.end);
        let valued = places.filter(|place| place.len() <= MOST_BYTES).map(|place| {
            let inside = found.iter().filter(|one| place.start <= one.place.start && one.place.end <= place.end);
            let numbers: BTreeSet<usize> = inside.map(|one| one.number).collect();
            (numbers.into_iter().map(worth).sum(), Reverse(place.len()))
        });
        valued.max().unwrap_or((0, Reverse(0)))
    }

    proptest! {
        #[test]
        fn no_other_run_is_better(
            lengths in prop::collection::vec(1..180_usize, 1..14),
            places in prop::collection::vec((0..6_usize, 0..1000_usize), 0..24),
        ) {
            let pieces = row(&lengths);
            let end = lengths.iter().sum::<usize>();
            let mut found: Vec<Occurrence> =
                places.iter().map(|(number, start)| at(*number, *start..*start + 3)).collect();
            found.retain(|one| one.place.end <= end);
            found.sort_unstable_by_key(|one| one.place.start);
            let worth = |number: usize| number + 1;
            let expected = tried(&pieces, &found, worth);
            match best(&pieces, &found, worth) {
                None => prop_assert_eq!(expected.0, 0),
                Some(run) => {
                    let given = tried(&[piece(run.clone())], &found, worth);
                    prop_assert_eq!(given, expected);
                }
            }
        }
    }
}
