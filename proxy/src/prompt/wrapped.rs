//! Whether a text stands whole in a longer one, as a question stands in the instructions and documents that a client sends with it.
//!
//! However long or short a text is, and in any language, it may be a part of what somebody wrote: "ok" behind a blank
//! line, or the last paragraph of a letter. Something besides must tell that a program has put it there. It must not
//! know where either of them stands.

use super::restated::{
    COLONS, MOST_PLACES, SHORTEST_PART, is_behind_mark, is_label, is_mark, is_question_in_tag, tag_around,
};

/// Whether a text is in a longer one with something around it that a client sends: in a tag, behind a label, between
/// what ends and begins documents. Where more follows that somebody may have said as well, it is a part of what was
/// said.
pub(super) fn is_wrapped(plain: &str, whole: &str) -> bool {
    let (plain, whole) = (plain.trim(), whole.trim());
    if !plain.contains(char::is_alphanumeric) || plain.len() >= whole.len() {
        return false;
    }
    let length = if plain.len() < SHORTEST_PART { Length::Short } else { Length::Long };
    let last = whole.strip_suffix(plain).map(str::len);
    whole.match_indices(plain).take(MOST_PLACES).map(|(at, _)| at).chain(last).any(|at| {
        let before = whole.get(..at).unwrap_or_default();
        let after = whole.get(at + plain.len()..).unwrap_or_default();
        is_sent_with(before, after, length)
    })
}

/// How long a text is that is looked for. A short one is in many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    Long,
}

/// Whether what is before and behind a text are what a client sends with a question.
fn is_sent_with(before: &str, after: &str, length: Length) -> bool {
    let is_in_tag = match length {
        Length::Short => is_question_in_tag(before, after),
        Length::Long => tag_around(before, after).is_some(),
    };
    let (before_it, behind_it) = (before.trim(), after.trim());
    let begins = before_it.is_empty() || is_behind_mark(before) || is_behind_label(before, length);
    let ends = behind_it.is_empty() || (is_end_of_line(after) && begins_with_documents(after, length));
    is_in_tag || (begins && ends)
}

/// Whether a text ends with a label: in a line of its own, at the head of a line, or behind the end of a sentence, as
/// in `Use all of this. Question: `. One word is a label there, and everywhere before a short text.
fn is_behind_label(text: &str, length: Length) -> bool {
    let is_word = |label: &str| !label.trim_end_matches(COLONS).contains(char::is_whitespace);
    let lines = text.trim_end();
    let Some((above, line)) = lines.rsplit_once('\n').map(|(above, line)| (above, line.trim())) else {
        return is_behind_labelled_sentence(lines);
    };
    let is_own = is_label(line) && !above.trim().is_empty() && (length == Length::Long || is_word(line));
    is_own || is_behind_labelled_sentence(line)
}

/// Whether a line ends with a sentence and then a word with a colon.
fn is_behind_labelled_sentence(line: &str) -> bool {
    let Some((sentence, label)) = line.rsplit_once(char::is_whitespace) else { return false };
    is_label(label) && sentence.trim_end().ends_with(ENDS)
}

fn is_end_of_line(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

/// Whether the first line of a text is a label or begins with one, or is or begins what nobody says.
fn begins_with_documents(text: &str, length: Length) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let label = line.split_once(COLONS).map_or("", |(label, _)| label.trim());
    let is_labelled = !label.is_empty() && !label.contains(char::is_whitespace);
    is_mark(line)
        || line.starts_with(['<', '[', '{', '`'])
        || line.ends_with(COLONS)
        || (length == Length::Long && is_labelled)
}

/// What sentences and tags end with.
const ENDS: [char; 8] = ['.', '!', '?', '。', '！', '？', '।', '>'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A question as clients send it with documents.
    fn sent(question: &str) -> [String; 8] {
        [
            // Open WebUI, as it was and as it is.
            format!(
                "### Task:\nUse the context.\n<context>\n<source id=\"1\">Whales.</source>\n</context>\n\n<user_query>\n{question}\n</user_query>\n"
            ),
            format!(
                "### Task:\nUse the context.\n\n### Guidelines:\n- Cite.\n\n<context>\n<source id=\"1\">Whales.</source>\n\
                 </context>\n{question}"
            ),
            // LibreChat, whose text of files is in a fence.
            format!(
                "Attached document(s):\n```md# \"a.txt\"\nWhales.\n\n---\n\n# \"b.txt\"\nSeals.\n\n```\n{question}"
            ),
            format!("Use everything in <context></context> as context when answering. User: {question}"),
            format!("Context:\n- one\n- two\n\nQuestion: {question}\n\nHelpful answer:"),
            format!("The context is below.\n---------\nWhales.\n---------\nQuery: {question}\nAnswer:"),
            format!("文書：\n鯨\n質問：{question}"),
            format!("{question}\n\nAttached files:\na.txt"),
        ]
    }

    #[test]
    fn a_question_is_found_in_the_templates_of_clients_however_short_it_is() {
        for question in ["Where does the spare key hang?", "Who pays?", "誰が払う？", "谁付？", "Кто?", "من يدفع؟"]
        {
            for whole in sent(question) {
                assert!(is_wrapped(question, &whole), "{whole}");
                assert!(!is_wrapped(&whole, question));
            }
        }
        let question = "Where does the spare key hang?";
        for whole in [format!("<user_query>{question}</user_query>"), format!("{question}\n\nAttached: a.txt")] {
            assert!(is_wrapped(question, &whole), "{whole}");
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
            "Book Rome.\n- And Venice.",
        ] {
            assert!(!is_wrapped("Book Rome.", more), "{more}");
        }
        assert!(!is_wrapped("key", "monkey, key"));
        let asked = "Which hotel in Rome shall we take?";
        for before in
            ["My budget is 300 euros.\n\n", "We want:\n- a pool\n- a view\n\n", "Remember, and then tell me: "]
        {
            assert!(!is_wrapped(asked, &format!("{before}{asked}")), "{before}");
        }
    }

    #[test]
    fn a_short_reply_behind_a_blank_line_is_a_part_of_what_was_said_in_any_language() {
        let said = [
            "I moved to Elm Street 5 in Boston last week, and the phone number is the same as before.",
            "First line.\nSecond line, which is long and says a lot of things.",
            "My list\n- milk\n- eggs",
            "Dear Bob,\nthat is what I would write to them:",
            "What a week!!!\n\n...",
        ];
        for reply in [
            "ok",
            "ok, thanks",
            "Danke schön!",
            "Thank you very much!",
            "спасибо",
            "好的",
            "了解です",
            "ありがとうございます",
        ] {
            for said in said {
                for between in ["\n", "\n\n", "\n \n", "\r\n\r\n"] {
                    let whole = format!("{said}{between}{reply}");
                    assert!(!is_wrapped(reply, &whole) || said.ends_with(':'), "{whole}");
                    assert!(!is_wrapped(reply, &format!("{reply}{between}{said}")), "{reply}{between}{said}");
                }
            }
            assert!(!is_wrapped("ok", &format!("{}\n\nok", said[3])));
        }
    }

    proptest! {
        #[test]
        fn what_stands_behind_the_end_of_documents_is_wrapped(
            plain in "[a-zé你]{1,9}( [a-z]{3,5}){0,3}[?!.]?", before in "[a-z:<>]{1,20}",
            end in "(</[a-z]{1,9}>|`{3}|-{3,9}|# [a-z]{1,9}|\\[[a-z]{1,9}\\])", space in "\r?\n{1,2}",
        ) {
            let whole = format!("{before}\n{end}{space}{plain}");
            prop_assert!(is_wrapped(&plain, &whole));
            prop_assert!(!is_wrapped(&whole, &plain));
        }

        #[test]
        fn what_stands_between_paragraphs_of_words_is_not(
            plain in "[a-zé你]{1,9}( [a-z]{3,5}){0,3}[?!.]?", before in "[a-z你, ]{0,30}[.!]?",
            after in "[a-z你, ]{0,30}[.!]?",
            space in "\n{1,3}",
        ) {
            let whole = format!("{before}{space}{plain}{space}{after}");
            prop_assert!(!is_wrapped(&plain, &whole));
        }
    }
}
