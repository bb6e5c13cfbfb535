//! The lines in which two texts differ, shown as `diff` does.

/// How many equal lines are shown around a difference.
const CONTEXT: usize = 2;

/// A line of the old text, of the new one, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// Shows where `new` differs from `old`; empty when it does not.
#[must_use]
pub fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let lines = aligned(&old, &new);
    let is_near = |place: usize| {
        let around = place.saturating_sub(CONTEXT)..lines.len().min(place + CONTEXT + 1);
        lines[around].iter().any(|line| !matches!(line, Line::Same(_)))
    };
    let mut shown = String::new();
    for (place, line) in lines.iter().enumerate() {
        if is_near(place) {
            let (mark, text) = match line {
                Line::Same(text) => (' ', text),
                Line::Removed(text) => ('-', text),
                Line::Added(text) => ('+', text),
            };
            shown.push_str(&format!("{mark} {text}\n"));
        } else if place > 0 && is_near(place - 1) {
            shown.push_str("  …\n");
        }
    }
    shown
}

/// The lines of both texts in order, as many of them as possible the same.
fn aligned<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    // `common[i][j]`: how many lines the rests from `i` and from `j` on have in common.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(Line::Removed(old[i]));
            i += 1;
        } else {
            lines.push(Line::Added(new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn equal_texts_do_not_differ() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), "");
        assert_eq!(difference("", ""), "");
    }

    #[test]
    fn changed_added_and_removed_lines_are_shown_with_their_neighbours() {
        assert_eq!(
            difference("1\n2\n3\n4\nold\n5\n6\n7\n8\ngone", "1\n2\n3\n4\nnew\n5\n6\n7\n8\n"),
            "  3\n  4\n- old\n+ new\n  5\n  6\n  7\n  8\n- gone\n"
        );
        assert_eq!(difference("", "a"), "+ a\n");
    }

    #[test]
    fn a_gap_stands_for_lines_that_are_the_same() {
        let old = "a\n1\n2\n3\n4\n5\n6\n7\nb";
        assert_eq!(
            difference(old, &old.replace('a', "A").replace('b', "B")),
            "- a\n+ A\n  1\n  2\n  …\n  6\n  7\n- b\n+ B\n"
        );
    }
}
