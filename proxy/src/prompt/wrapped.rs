//! Whether a text stands whole in a longer one, as a question stands in the instructions and documents that a client sends with it.
//!
//! It must not know where either of them stands.

/// Whether a text is in a longer one, without a word of that one going on in it.
pub(super) fn is_wrapped(plain: &str, whole: &str) -> bool {
    let (plain, whole) = (plain.trim(), whole.trim());
    if !plain.contains(char::is_alphanumeric) || plain.len() >= whole.len() {
        return false;
    }
    whole.match_indices(plain).any(|(start, _)| {
        let (before, rest) = whole.split_at(start);
        let after = rest.get(plain.len()..).unwrap_or_default();
        !goes_on(before, plain) && !goes_on(plain, after)
    })
}

/// Whether a word of the first text goes on in the second one.
fn goes_on(first: &str, second: &str) -> bool {
    first.ends_with(char::is_alphanumeric) && second.starts_with(char::is_alphanumeric)
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
        assert!(is_wrapped("key", "monkey, key"), "it may stand at a later place");
    }

    proptest! {
        #[test]
        fn what_stands_on_lines_of_its_own_is_wrapped(plain in "[a-zé你]{1,9}( [a-z]{1,5}){0,3}[?!.]?", before in ".{0,20}", after in ".{0,20}") {
            let whole = format!("{before}\n{plain}\n{after}");
            let is_longer = whole.trim().len() > plain.trim().len();
            prop_assert_eq!(is_wrapped(&plain, &whole), is_longer);
        }
    }
}
