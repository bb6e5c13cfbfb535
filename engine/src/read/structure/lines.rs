//! Where a text of lines falls apart: between lines that are records, and around and within blocks of code.
//!
//! Paragraphs of prose are no records.

use std::ops::Range;

use super::alike::Likeness;
use super::{Found, Seam};

/// The level of records, and of the edges of a block of code.
const RECORD: usize = 0;
/// The level of lines that are no prose, and of the paragraphs of a block of code.
const LINE: usize = 1;
/// The level of the lines of a block of code.
const CODE_LINE: usize = 2;
/// So many lines that are alike are records.
const LEAST_RUN: usize = 4;
/// A text of fewer lines is not judged as a whole.
const LEAST_LINES: usize = 8;
/// A line with more bytes may be a paragraph.
const LONG_LINE: usize = 200;

/// The seams of a text, ascending.
pub(super) fn seams(text: &str) -> Vec<Seam> {
    let mut scan = Scan { is_plain: is_plain(text), ..Scan::default() };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        scan.line(at..at + line.len(), line.trim_end());
        at += line.len();
    }
    let mut seams = scan.found;
    // The first lines of a run are known as records late.
    seams.sort_unstable_by_key(|seam| (seam.at, seam.level));
    let mut found = Found::default();
    for seam in seams.into_iter().filter(|seam| seam.at > 0 && seam.at < text.len()) {
        found.add(seam.at, seam.level);
    }
    found.seams
}

/// Whether nearly all lines of a text are something else than prose.
fn is_plain(text: &str) -> bool {
    let (mut lines, mut prose) = (0, 0);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        lines += 1;
        let is_prose = line.len() > LONG_LINE || line.ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '؟']);
        prose += usize::from(is_prose);
    }
    lines >= LEAST_LINES && prose * 4 <= lines
}

/// A way through the lines of a text.
#[derive(Default)]
struct Scan<'a> {
    /// Whether every line is told from the next one.
    is_plain: bool,
    /// The fence that the present block of code began with.
    fence: Option<&'a str>,
    /// Whether the line before was empty.
    after_gap: bool,
    run: Run,
    found: Vec<Seam>,
}

/// Lines that are alike, one after the other.
#[derive(Default)]
struct Run {
    likeness: Likeness,
    /// Where the first ones begin, as long as there are too few of them.
    starts: [usize; LEAST_RUN],
    length: usize,
}

impl<'a> Scan<'a> {
    /// A line without what ends it, and where it lies with that.
    fn line(&mut self, place: Range<usize>, line: &'a str) {
        let at = place.start;
        match (self.fence, fence(line)) {
            (None, Some(opening)) => {
                self.end_run(at);
                self.seam(at, RECORD);
                self.fence = Some(opening);
            }
            (Some(opening), Some(closing)) if closes(line, closing, opening) => {
                self.seam(at, CODE_LINE);
                self.seam(place.end, RECORD);
                self.fence = None;
            }
            (Some(_), _) => self.code(at, line),
            (None, None) => self.plain(at, line),
        }
        self.after_gap = line.is_empty();
    }

    fn code(&mut self, at: usize, line: &str) {
        if line.is_empty() {
            return;
        }
        let begins = self.after_gap && !line.starts_with([' ', '\t']);
        self.seam(at, if begins { LINE } else { CODE_LINE });
    }

    fn plain(&mut self, at: usize, line: &str) {
        if line.is_empty() {
            return self.end_run(at);
        }
        if self.is_plain {
            self.seam(at, LINE);
        }
        // What is indented goes on with the record before it, as the frames of a trace do.
        if line.starts_with([' ', '\t']) && self.run.length > 0 {
            if self.run.length >= LEAST_RUN {
                self.seam(at, LINE);
            }
            return;
        }
        let likeness = Likeness::new(line);
        let both = if self.run.length > 0 { self.run.likeness.with(likeness) } else { None };
        match both {
            Some(both) => self.run.likeness = both,
            None => {
                self.end_run(at);
                if likeness == Likeness::default() {
                    return;
                }
                self.run.likeness = likeness;
            }
        }
        if let Some(start) = self.run.starts.get_mut(self.run.length) {
            *start = at;
        }
        self.run.length += 1;
        match self.run.length {
            LEAST_RUN => {
                let starts = self.run.starts;
                starts.into_iter().for_each(|start| self.seam(start, RECORD));
            }
            length if length > LEAST_RUN => self.seam(at, RECORD),
            _ => {}
        }
    }

    /// No line from `at` on belongs to the run.
    fn end_run(&mut self, at: usize) {
        if self.run.length >= LEAST_RUN {
            self.seam(at, RECORD);
        }
        self.run = Run::default();
    }

    fn seam(&mut self, at: usize, level: usize) {
        self.found.push(Seam { at, level });
    }
}

/// The signs that a line begins with if it is the fence of a block of code.
fn fence(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let sign = line.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
    let length = line.bytes().take_while(|byte| char::from(*byte) == sign).count();
    let behind = line.get(length..).unwrap_or_default();
    // Code between the words of a line stands in such signs, too.
    line.get(..length).filter(|_| length >= 3 && !behind.contains('`'))
}

/// Whether a line that begins with the fence `closing` ends the block that `opening` began.
fn closes(line: &str, closing: &str, opening: &str) -> bool {
    line.trim_start().len() == closing.len() && closing.starts_with(opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, level: usize) -> Vec<&str> {
        let mut found = Vec::new();
        let mut start = 0;
        for seam in seams(text).into_iter().filter(|seam| seam.level <= level) {
            found.push(&text[start..seam.at]);
            start = seam.at;
        }
        found.push(&text[start..]);
        found
    }

    #[test]
    fn prose_and_lists_of_points_have_no_seams() {
        for text in [
            "One sentence. Another one, and more.\n\nA new paragraph. It goes on!\n",
            "Here are three things.\n- One, two, and three.\n- Then this.\n- And that one.\n- Done.\n",
            "1. First, we go there.\n2. Then, we come back.\n3. And so on.\n4. The end.\n",
            "",
        ] {
            assert_eq!(seams(text), [], "{text}");
        }
    }

    #[test]
    fn a_log_falls_apart_into_records_with_the_lines_that_go_on_with_them() {
        let line =
            |at: usize| format!("2026-11-30 14:03:0{at} ERROR it failed. Why?\n    at frame {at} of the trace of it\n");
        let text =
            format!("This is the log. Read it.\n{}That was all. Thanks.\n", (0..5).map(line).collect::<String>());
        let found = pieces(&text, RECORD);
        assert_eq!(found.len(), 6, "{found:?}");
        assert!(found[0].ends_with("frame 0 of the trace of it\n"), "the introduction is too short for a record");
        assert_eq!(found[3], line(3));
        assert_eq!(found[5], "That was all. Thanks.\n");
    }

    #[test]
    fn a_block_of_code_is_a_thing_and_falls_apart_into_paragraphs_and_lines() {
        let code = "```rust\nfn first() -> usize {\n    let value = 1;\n\n    value\n}\n\nfn second() {\n    run(); // Now. And then.\n}\n```\n";
        let text = format!("Do it like this, it is easy enough.\n{code}And then run it. It works.\n");
        assert_eq!(
            pieces(&text, RECORD),
            ["Do it like this, it is easy enough.\n", code, "And then run it. It works.\n"]
        );
        let paragraphs = pieces(&text, LINE);
        assert_eq!(paragraphs.len(), 4, "{paragraphs:?}");
        assert!(paragraphs[2].starts_with("fn second()"));
        assert!(pieces(&text, CODE_LINE).len() > 4);
        assert_eq!(pieces("~~~~\n```\nno end, nor is that the end of the block\n~~~\n", RECORD).len(), 1);
    }

    #[test]
    fn where_hardly_any_line_is_prose_every_line_is_told_from_the_next() {
        let line = |at: usize| format!("value_{at} = compute(it); // Fast. Mostly.x\n");
        let text: String = (0..9).map(line).collect();
        assert_eq!(pieces(&text, LINE).len(), 9);
    }
}
