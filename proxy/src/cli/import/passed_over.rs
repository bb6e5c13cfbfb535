//! What is said of the messages of a history that are passed over, however many there are.

use super::line::{Line, of_conversation};
use crate::cli::messages::{ListedMessage, passed_over};

/// The lines so far and what was passed over in them.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    /// Messages of all lines.
    messages: usize,
    /// Those of them that are passed over.
    odd: usize,
    /// Lines with such messages.
    lines: usize,
    /// What is said of the first of these lines.
    named: Vec<String>,
}

impl PassedOver {
    /// Looks at a line of this number, counted from 1.
    pub(super) fn add(&mut self, number: usize, line: &Line) {
        self.note(number, line.name.as_deref(), &line.listed, line.missing());
    }

    /// Notes the messages of a line, which may give its conversation a name, and what is missing.
    fn note(&mut self, line: usize, name: Option<&str>, listed: &[ListedMessage], missing: Option<String>) {
        self.messages += listed.len();
        self.odd += listed.iter().filter(|message| message.oddity.is_some()).count();
        let said: Vec<String> = passed_over(listed).into_iter().chain(missing).collect();
        if said.is_empty() {
            return;
        }
        self.lines += 1;
        if self.lines <= MOST_LINES {
            self.named.push(format!("line {line}: {}{}", said.join("; "), of_conversation(name)));
        }
    }

    /// Whether no message is left.
    pub(super) fn is_everything(&self) -> bool {
        self.messages == self.odd
    }

    /// What is said: a note for each of the first lines, then how many more there are.
    pub(super) fn notes(&self) -> Vec<String> {
        let more = self.lines.saturating_sub(MOST_LINES);
        let rest = (more > 0).then(|| format!("lines of which something is passed over that are not named: {more}"));
        self.named.iter().cloned().chain(rest).collect()
    }
}

/// So many lines are named.
const MOST_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::oddity::Oddity;

    fn message(oddity: Option<Oddity>) -> ListedMessage {
        ListedMessage { range: 0..2, parsed: 0, oddity }
    }

    #[test]
    fn the_first_lines_are_named_and_the_others_counted() {
        let mut passed = PassedOver::default();
        passed.note(1, None, &[message(None)], None);
        assert!(passed.notes().is_empty());
        for line in 2..=MOST_LINES {
            passed.note(line, None, &[message(None), message(Some(Oddity::UnknownRole))], None);
        }
        passed.note(MOST_LINES + 1, Some("trip"), &[message(Some(Oddity::UnknownRole))], None);
        let notes = passed.notes();
        assert_eq!(notes.len(), MOST_LINES, "all that there are");
        assert!(notes[MOST_LINES - 1].ends_with("messages[0] (unknown-role) (conversation \"trip\")"), "{notes:?}");
        for line in MOST_LINES + 2..1000 {
            passed.note(line, None, &[message(Some(Oddity::UnknownRole))], None);
        }
        let notes = passed.notes();
        assert_eq!(notes.len(), MOST_LINES + 1);
        assert!(notes[0].starts_with("line 2: ") && notes[0].contains("messages[1] (unknown-role)"), "{}", notes[0]);
        assert!(notes[MOST_LINES].ends_with(": 978"), "{}", notes[MOST_LINES]);
        assert!(!passed.is_everything());
    }

    #[test]
    fn nothing_is_left_where_every_message_of_every_line_is_passed_over() {
        let mut passed = PassedOver::default();
        passed.note(1, None, &[message(Some(Oddity::UnknownRole)), message(Some(Oddity::UnknownRole))], None);
        assert!(passed.is_everything());
        passed.note(2, Some("trip"), &[message(None)], Some("skipped".to_owned()));
        assert_eq!(passed.notes().last().map(String::as_str), Some("line 2: skipped (conversation \"trip\")"));
        assert!(!passed.is_everything());
    }
}
