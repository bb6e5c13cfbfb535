//! What is taken for the question of a message, and what is not.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::*;

const QUESTION: &str = "At which berth does my boat Seeadler lie?";
const MAIL: &str = "Dear all,\n\nthe summer party moves to the garden of the old mill this year, and there will be \
    music. Please bring a cake or a salad.\nCould you also tell me who needs a bed?\n\n\
    See you there, and all the best from everybody here in town\nMarta";

fn log(lines: usize) -> String {
    let line =
        |at: usize| format!("2026-11-29T0{}:{at:02}:11Z INFO worker-{at} took {} ms in the cache", at % 10, at * 7);
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

fn asked(message: &str) -> Option<String> {
    asking(message).map(|asking| asking.text)
}

#[test]
fn a_question_before_or_behind_pasted_lines_is_found() {
    let code = "```rust\nfn main() {\n    let value = compute(it)?;\n}\n```";
    for lines in [2, 4, 6, 20, 400] {
        for message in [
            format!("{QUESTION}\n{}", log(lines)),
            format!("{QUESTION}\n\n{}", log(lines)),
            format!("{}\n{QUESTION}", log(lines)),
            format!("{}\n\n{QUESTION}\n", log(lines)),
            format!("{}\n\n{QUESTION}\n\nThanks!\nBo", log(lines)),
            format!("Log:\n```\n{}\n```\n{QUESTION}", log(lines)),
            format!("{QUESTION}\n{code}\n{code}\n{code}\n{code}"),
            format!("{QUESTION}\n\n{MAIL}"),
            format!("{MAIL}\n\n{QUESTION}"),
        ] {
            assert_eq!(asked(&message).as_deref(), Some(QUESTION), "{message}");
        }
    }
}

#[test]
fn the_only_question_between_pasted_lines_is_found() {
    let code = "```sh\nread -p 'Do you want to go on now? '\n```";
    for lines in [5, 9, 400] {
        for message in [
            format!("{}\n\n{QUESTION}\n\n{}", log(lines), log(lines)),
            format!("{}\n{QUESTION}\n{}", log(lines), log(lines)),
            format!("{}\n{code}\n{QUESTION}\n{code}\n{}", log(lines), log(lines)),
        ] {
            assert_eq!(asked(&message).as_deref(), Some(QUESTION), "{message}");
        }
    }
    for question in [
        "Which driver delivered part number P-1210?",
        "How slow was job 1554?",
        "Welcher Fahrer hat P-1210 gebracht?",
        "部品番号P-1210を届けたのはどの運転手ですか？",
        "من السائق الذي أحضر القطعة P-1210؟",
    ] {
        let message = format!("{}\n\n{question}\n\n{}", log(9), log(9));
        assert_eq!(asked(&message).as_deref(), Some(question), "{message}");
    }
    let other = "Do you want to go on now?";
    assert_eq!(asked(&format!("{}\n{QUESTION}\n{other}\n{}", log(9), log(9))), None, "either may be the question");
}

#[test]
fn a_question_beside_a_single_line_that_is_no_prose_is_found() {
    let line = "2026-11-29T07:12:11Z ERROR psql: could not connect to 10.0.3.7:5432 (timeout=30s)";
    for question in [QUESTION, "我的船海鹰号停在哪个泊位？"] {
        for message in [format!("{line}\n{question}"), format!("{question}\n\n{line}")] {
            assert!(message.len() <= SHORT, "{message}");
            assert_eq!(asked(&message).as_deref(), Some(question), "{message}");
        }
    }
}

#[test]
fn prose_and_a_few_lines_may_say_what_a_question_is_about_and_a_long_log_does_not() {
    let needs_rest = |rest: &str| asking(&format!("{QUESTION}\n\n{rest}")).unwrap().needs_rest;
    assert!(needs_rest(MAIL) && needs_rest(&MAIL.repeat(9)) && needs_rest(&log(9)));
    assert!(!needs_rest(&log(90)));
}

#[test]
fn what_is_said_with_a_question_is_asked_with_it() {
    let message = format!("Hi there,\n{QUESTION}\n\n{}", log(9));
    assert_eq!(asked(&message), Some(format!("Hi there,\n{QUESTION}")));
    let message = format!("{}\n\nI moved it last week.\n{QUESTION}", log(9));
    assert_eq!(asked(&message), Some(format!("I moved it last week.\n{QUESTION}")));
    let message = format!("Can you help me with this?\n{}\n{QUESTION}", log(9));
    assert_eq!(asked(&message), Some(format!("Can you help me with this?\n{QUESTION}")));
}

#[test]
fn questions_are_found_in_every_script() {
    for question in [
        "我的船海鹰号停在哪个泊位？",
        "私の船はどの桟橋にありますか？",
        "내 배는 어느 부두에 있어?",
        "في أي رصيف يرسو قاربي؟",
        "Σε ποια προβλήτα είναι το σκάφος μου\u{37e}",
        "¿En qué muelle está mi barco?",
        "Où se trouve mon bateau ?",
        "मेरी नाव किस घाट पर है?",
    ] {
        assert_eq!(asked(&format!("{}\n{question}", log(9))).as_deref(), Some(question));
        assert_eq!(asked(&format!("{question}\n\n{MAIL}")).as_deref(), Some(question));
    }
}

#[test]
fn without_a_question_mark_prose_asks_that_stands_at_an_end_of_what_is_none() {
    for question in ["Tell me at which berth my boat lies", "เรือของฉันจอดอยู่ที่ท่าไหน", "私の船はどの桟橋にありますか。"]
    {
        assert_eq!(asked(&format!("{question}\n{}", log(9))).as_deref(), Some(question));
        assert_eq!(asked(&format!("Here it is:\n{}\n\n{question}", log(9))).as_deref(), Some(question));
    }
    assert_eq!(asked(&log(20)), None);
    let telling = MAIL.split_once("Could").unwrap().0.repeat(2);
    assert_eq!(asked(&telling), None, "nobody asks anything");
}

#[test]
fn the_question_of_a_template_is_found_in_its_tag() {
    let context = "### Task:\nAnswer by the context.\n<context>\n\
        <source id=\"1\">Whales are mammals, and they breathe.</source>\n\
        <source id=\"2\">The herons stand in the reeds by the lake.</source>\n</context>\n";
    for end in [
        format!("<user_query>{QUESTION}</user_query>"),
        format!("<user_query>\n{QUESTION}\n</user_query>\n"),
        QUESTION.to_owned(),
    ] {
        assert_eq!(asked(&format!("{context}\n{end}")).as_deref(), Some(QUESTION), "{end}");
    }
}

#[test]
fn a_short_message_and_one_that_is_all_question_are_asked_as_a_whole() {
    assert_eq!(asked(QUESTION), None);
    assert_eq!(asked(&format!("{QUESTION}\nIt is blue.")), None);
    let long =
        "I have been thinking about the boat and about where it should stay in the winter that is to come. ".repeat(3);
    assert_eq!(asked(&format!("{long}{QUESTION}")), None, "one line");
    assert_eq!(asked(&format!("{}\nWhy?", log(9))), None, "that asks nothing by itself");
}

#[test]
fn marks_that_ask_nothing_are_no_questions() {
    for text in ["GET /a?b=1 HTTP/1.1 200", "let next = is_big ? first : second;", "caf?s and r?sum?s"] {
        assert!(!has_question(text), "{text}");
    }
    for text in ["Is it so? Yes.", "Is it so?!", "(Is it so?) Yes.", "\"Is it so?\"", "Est-ce vrai ?"] {
        assert!(has_question(text), "{text}");
    }
    let quoted = format!("> {QUESTION}\n{}", log(9));
    assert_eq!(asked(&quoted), None, "somebody else asked that");
}

proptest! {
    #[test]
    fn what_is_asked_is_short_and_made_of_the_messages_lines(
        lines in prop::collection::vec("[a-zé你か？? .:<>/0-9`>]{0,60}", 0..30), gap in "\n{1,2}",
    ) {
        let message = lines.join(&gap);
        if let Some(asking) = asking(&message) {
            prop_assert!(!asking.text.trim().is_empty());
            prop_assert!(asking.text.len() <= MOST && asking.text.len() * 2 <= message.len());
            prop_assert!(asking.text.lines().all(|line| message.contains(line)));
        }
    }
}
