//! Whether a text stands whole in a longer one, as a question stands in the instructions and documents that a client sends with it.
//!
//! It must not know where either of them stands.

use super::restated::is_part;

/// Whether a text is in a longer one with something around it: in lines of its own, behind a label or in a tag. Where more follows
/// that somebody may have said as well, it is a part of what was said.
pub(super) fn is_wrapped(plain: &str, whole: &str) -> bool {
    let (plain, whole) = (plain.trim(), whole.trim());
    if !plain.contains(char::is_alphanumeric) || plain.len() >= whole.len() {
        return false;
    }
    let is_beginning = whole.strip_prefix(plain).is_some_and(|rest| !begins_with_documents(rest));
    !is_beginning && is_part(plain, whole)
}

/// Whether the first line of a text is a label or begins with one, with a tag or with another sign that nobody says.
fn begins_with_documents(text: &str) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let label = line.split_once([':', '：']).map_or("", |(label, _)| label);
    line.starts_with(['<', '[', '{', '#', '`', '=', '-', '*', '_', '|'])
        || line.trim_end().ends_with([':', '：'])
        || (!label.is_empty() && !label.trim().contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_found_in_the_templates_of_clients() {
        let question = "Where does the spare key hang?";
        for whole in [
            format!(
                "### Task:\nUse the context.\n<context>\n<source id=\"1\">Whales.</source>\n</context>\n\n<user_query>\n{question}\n</user_query>\n"
            ),
            format!("Use everything in <context></context> as context when answering. User: {question}"),
            format!("<user_query>{question}</user_query>"),
            format!("{question}\n\nAttached: a.txt"),
        ] {
            assert!(is_wrapped(question, &whole), "{whole}");
            assert!(!is_wrapped(&whole, question));
        }
    }

    #[test]
    fn a_part_of_a_word_is_no_question_and_nothing_is_wrapped_in_itself() {
        for (plain, whole) in
            [("key", "The keys are gone."), ("ok", "ok"), ("ok", " ok\n"), ("?", "Why?"), ("", "Why?")]
        {
            assert!(!is_wrapped(plain, whole), "{plain} in {whole}");
        }
    }

    #[test]
    fn a_part_of_what_somebody_said_is_not_all_of_it() {
        let all = "Book Rome, and remember my daughter is allergic to nuts";
        for plain in ["Book Rome", "my daughter is allergic to nuts", "remember my daughter is allergic"] {
            assert!(!is_wrapped(plain, all), "{plain}");
        }
        for more in [
            "Book Rome.\nAnd remember that my daughter is allergic to nuts.",
            "Book Rome.\n\nMy daughter has one wish: no nuts.",
            "Book Rome. And Venice.",
        ] {
            assert!(!is_wrapped("Book Rome.", more), "{more}");
        }
        assert!(!is_wrapped("key", "monkey, key"));
    }

    proptest! {
        #[test]
        fn what_stands_on_lines_of_its_own_is_wrapped(
            plain in "[a-zé你]{4,9}( [a-z]{3,5}){2,3}[?!.]?", before in "[a-z:<>]{1,20}", after in ".{0,20}",
        ) {
            let whole = format!("{before}\n{plain}\n{after}");
            prop_assert!(is_wrapped(&plain, &whole));
            prop_assert!(!is_wrapped(&whole, &plain));
        }
    }
}
