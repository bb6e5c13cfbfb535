//! What is said of the messages of a history that are passed over, however many there are.
//!
//! It must not know where it is shown.

use super::line::of_conversation;
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
    /// Looks at the messages of a line, which may give its conversation a name.
    pub(super) fn add(&mut self, line: usize, name: Option<&str>, listed: &[ListedMessage]) {
        self.messages += listed.len();
        self.odd += listed.iter().filter(|message| message.oddity.is_some()).count();
        let Some(text) = passed_over(listed) else { return };
        self.lines += 1;
        if self.lines <= MOST_LINES {
            self.named.push(format!("line {line}: {text}{}", of_conversation(name)));
        }
    }

    /// Whether no message is left.
    pub(super) fn is_everything(&self) -> bool {
        self.messages == self.odd
    }

    /// What is said: a note for each of the first lines, then how many more there are.
    pub(super) fn notes(&self) -> Vec<String> {
        let more = self.lines.saturating_sub(MOST_LINES);
        let rest = (more > 0).then(|| format!("lines with passed-over messages that are not named: {more}"));
        self.named.iter().cloned().chain(rest).collect()
    }
}

/// So many lines are named.
const MOST_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::request::oddity::Oddity;

    fn message(oddity: Option<Oddity>) -> ListedMessage {
        ListedMessage { range: 0..2, parsed: 0, oddity }
    }

    #[test]
    fn the_first_lines_are_named_and_the_others_counted() {
        let mut passed = PassedOver::default();
        passed.add(1, None, &[message(None)]);
        assert!(passed.notes().is_empty());
        for line in 2..=MOST_LINES {
            passed.add(line, None, &[message(None), message(Some(Oddity::UnknownRole))]);
        }
        passed.add(MOST_LINES + 1, Some("trip"), &[message(Some(Oddity::UnknownRole))]);
        let notes = passed.notes();
        assert_eq!(notes.len(), MOST_LINES, "all that there are");
        assert!(notes[MOST_LINES - 1].ends_with("messages[0] (unknown-role) (conversation \"trip\")"), "{notes:?}");
        for line in MOST_LINES + 2..1000 {
            passed.add(line, None, &[message(Some(Oddity::UnknownRole))]);
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
        passed.add(1, None, &[message(Some(Oddity::UnknownRole)), message(Some(Oddity::UnknownRole))]);
        assert!(passed.is_everything());
        passed.add(2, None, &[message(None)]);
        assert!(!passed.is_everything());
    }
}
