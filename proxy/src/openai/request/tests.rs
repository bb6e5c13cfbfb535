//! Tests of what is read of requests on both interfaces.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use mainpoint_store::Scope;
use proptest::prelude::*;

use super::*;
use crate::conversation::chain::Chain;
use crate::conversation::echo::recognise;

/// A parsed chat completions request.
pub(crate) fn parsed(body: &str) -> ChatRequest {
    ChatRequest::parse(Surface::ChatCompletions, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// A parsed Responses request.
pub(crate) fn parsed_response(body: &str) -> ChatRequest {
    ChatRequest::parse(Surface::Responses, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn slices(request: &ChatRequest) -> Vec<&str> {
    let messages = request.messages.iter();
    messages.map(|message| std::str::from_utf8(request.slice(&message.range)).unwrap()).collect()
}

#[test]
fn every_message_is_found_with_its_own_bytes() {
    let request = parsed(
        "{ \"messages\" : [ {\"role\":\"user\" , \"content\":\"h\\u00e9\"},\n {\"content\":null,\"role\":\"assistant\"} ], \"model\":\"m\"}",
    );
    assert_eq!(
        slices(&request),
        ["{\"role\":\"user\" , \"content\":\"h\\u00e9\"}", "{\"content\":null,\"role\":\"assistant\"}"]
    );
    assert_eq!(request.messages[0].text(), "hé");
    assert_eq!(request.messages[1].content, Content::None);
    let Content::Text(place) = &request.messages[0].content else { unreachable!() };
    assert_eq!(request.slice(place), b"\"h\\u00e9\"");
}

#[test]
fn what_holds_no_messages_is_an_error_that_says_why() {
    for (body, error) in [
        ("", ParseError::NotJson),
        ("nonsense", ParseError::NotJson),
        (r#"{"messages":[1,]}"#, ParseError::NotJson),
        ("[]", ParseError::NoMessages),
        ("{}", ParseError::NoMessages),
        (r#"{"messages":null}"#, ParseError::Shape),
        (r#"{"messages":"hi"}"#, ParseError::Shape),
        (r#"{"messages":{"role":"user"}}"#, ParseError::Shape),
    ] {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        assert_eq!(ChatRequest::parse(Surface::ChatCompletions, bytes).err(), Some(error), "{body}");
    }
    let over = Deadline::after(std::time::Duration::ZERO);
    let late = ChatRequest::parse_until(Surface::ChatCompletions, Bytes::from_static(b"{\"messages\":[1]}"), &over);
    assert_eq!(late.err(), Some(ParseError::Deadline));
}

/// What is odd about each message.
fn oddities(request: &ChatRequest) -> Vec<Option<Oddity>> {
    let messages = request.messages.iter();
    messages.map(|message| message.odd.as_ref().map(|odd| odd.why)).collect()
}

#[test]
fn one_odd_message_is_found_with_its_bytes_and_the_others_are_as_ever() {
    let deep = format!(r#"{{"role":"user","content":[{{"type":"x","v":{}{}}}]}}"#, "[".repeat(200), "]".repeat(200));
    for (odd, why) in [
        (r#"{"role":"user","content":"cut \ud83d"}"#, Oddity::LoneSurrogate),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"custom","v":1e400}]}"#,
            Oddity::NumberOutOfRange,
        ),
        (&deep, Oddity::TooDeep),
        (r#"{"role":"user","content":5}"#, Oddity::UnknownShape),
        (r#"{"role":"user","content":{"text":"a"}}"#, Oddity::UnknownShape),
        (r#"{"role":"assistant","content":null,"tool_calls":{"id":"c"}}"#, Oddity::UnknownShape),
        (r#"{"role":"user","content":"a\u0000"}"#, Oddity::NullCharacter),
        ("{\"role\":\"user\",\"content\":\"a\nb\"}", Oddity::ControlCharacter),
        (r#"{"role":"user","content":"a","content":"b"}"#, Oddity::RepeatedKey),
        (r#"{"role":"narrator","content":"a"}"#, Oddity::UnknownRole),
        (r#"{"role":7,"content":"a"}"#, Oddity::NoRole),
        (r#"{"content":"a"}"#, Oddity::NoRole),
        ("5", Oddity::NotAnObject),
    ] {
        let (before, after) = (r#"{"role":"user","content":"before"}"#, r#"{"role":"assistant","content":"after"}"#);
        let request = parsed(&format!(r#"{{"messages":[{before} ,{odd},  {after}]}}"#));
        assert_eq!(slices(&request), [before, odd, after]);
        assert_eq!(oddities(&request), [None, Some(why), None], "{odd}");
        assert_eq!((request.messages[1].text().as_str(), request.messages[1].takes_blocks()), ("", false), "{odd}");
    }
    let not_utf8 = Bytes::from_static(
        b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"},{\"role\":\"user\",\"content\":\"b\"}]}",
    );
    let request = ChatRequest::parse(Surface::ChatCompletions, not_utf8).unwrap();
    assert_eq!(oddities(&request), [Some(Oddity::NotUtf8), None]);
}

#[test]
fn huge_numbers_and_unknown_fields_are_nothing_odd() {
    let request = parsed(
        r#"{"seed":123456789012345678901234567890,"messages":[{"role":"user","content":"a","x":12345678901234567890123,"y":[{"z":null}]}]}"#,
    );
    assert_eq!(oddities(&request), [None]);
}

#[test]
fn a_byte_order_mark_stands_before_the_body_and_nothing_else_changes() {
    let request = parsed("\u{feff}{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    assert_eq!(slices(&request), [r#"{"role":"user","content":"a"}"#]);
}

#[test]
fn what_is_no_message_is_one_with_its_neighbours_of_that_kind() {
    let request =
        parsed(r#"{"messages":[1, {} ,null,{"role":"user","content":"a"},[],"b",{"tool_calls":[{"id":"c"}]}]}"#);
    assert_eq!(
        slices(&request),
        ["1, {} ,null", r#"{"role":"user","content":"a"}"#, r#"[],"b""#, r#"{"tool_calls":[{"id":"c"}]}"#]
    );
}

#[test]
fn users_of_any_type_are_told_apart() {
    let user = |raw: &str| parsed(&format!(r#"{{"messages":[],"user":{raw}}}"#)).user;
    assert_eq!(user(r#""ann""#).as_deref(), Some("ann"));
    assert_eq!((user("null"), user("\"\"")), (None, None));
    let all = [user("42"), user("43"), user("\"42\""), user(r#""\ud83d""#), user(r#""\ud83e""#), user(r#"{"id":42}"#)];
    for (index, user) in all.iter().enumerate() {
        assert!(user.is_some() && !all[..index].contains(user), "{user:?}");
    }
}

#[test]
fn results_in_parts_make_a_message_a_tools_and_their_text_is_read() {
    let request = parsed(
        r#"{"messages":[
            {"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"t1","name":"f","input":{}},{"type":"tool_use","id":"t2"}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"one"},
                {"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"two"},{"type":"image","source":{"type":"url","url":"u"}}]},
                {"type":"text","text":"three"}]}]}"#,
    );
    let [call, result] = &request.messages[..] else { unreachable!() };
    assert_eq!(
        (call.role, call.calls.as_slice(), call.text().as_str()),
        ("assistant", ["t1", "t2"].map(str::to_owned).as_slice(), "I look.\nf({})")
    );
    assert_eq!((result.role, result.answers.as_slice()), ("tool", ["t1", "t2"].map(str::to_owned).as_slice()));
    assert_eq!((result.text().as_str(), result.attachments), ("one\ntwo\nthree", 1));
}

#[test]
fn what_an_assistant_calls_is_read_behind_what_it_says_and_nobody_else_calls() {
    let calls = r#"[{"id":"1","type":"function","function":{"name":"read_file","arguments":"{\"path\": \"a b.txt\"}"}},
        {"id":"2","type":"custom","custom":{"name":"shell","input":"ls -l\n"}},{"id":"3","function":{"arguments":"{}"}}]"#;
    let message = |role: &str, content: &str| {
        let body = format!(r#"{{"messages":[{{"role":"{role}","content":{content},"tool_calls":{calls}}}]}}"#);
        parsed(&body).messages.remove(0)
    };
    let words = "read_file({\"path\": \"a b.txt\"})\nshell(ls -l)";
    assert_eq!(message("assistant", "\"I look.\"").text(), format!("I look.\n{words}"));
    assert_eq!(message("assistant", "null").text(), words);
    assert!(message("assistant", "null").has_text());
    assert!(message("assistant", "null").only_calls() && !message("assistant", "\"I look.\"").only_calls());
    assert!(!message("user", "null").only_calls());
    assert_eq!(message("user", "\"I look.\"").text(), "I look.");
    let old = parsed(r#"{"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"{\"x\":1}"}}]}"#);
    assert_eq!(old.messages[0].text(), "f({\"x\":1})");
    let custom = r#"{"input":[{"type":"custom_tool_call","call_id":"c","name":"shell","input":"ls"}]}"#;
    assert_eq!(parsed_response(custom).messages[0].text(), "shell(ls)");
}

#[test]
fn what_cannot_be_quoted_is_an_attachment_and_what_was_thought_is_none() {
    let count = |content: &str| {
        let request = parsed(&format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#));
        request.messages[0].attachments
    };
    for part in [
        r#"{"type":"image_url","image_url":{"url":"u"}}"#,
        r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_id":"f"}}"#,
        r#"{"type":"document","source":{"type":"text","data":"a"}}"#,
        r#"{"type":"video_url","video_url":{"url":"u"}}"#,
        r#"{"type":"hologram"}"#,
        r#"{"type":"text","text":5}"#,
        "7",
    ] {
        assert_eq!(count(&format!(r#"[{{"type":"text","text":"a"}},{part}]"#)), 1, "{part}");
    }
    for part in [r#"{"type":"refusal","refusal":"No."}"#, r#"{"type":"thinking","thinking":"hm","signature":"AAAA"}"#] {
        assert_eq!(count(&format!("[{part}]")), 0, "{part}");
    }
    assert_eq!(count("[1,2,{},3]"), 1, "what is unknown is one with its neighbours");
    let spoken = parsed(r#"{"messages":[{"role":"assistant","content":null,"audio":{"id":"audio_1"}}]}"#);
    assert_eq!(spoken.messages[0].attachments, 1);
}

#[test]
fn a_field_that_comes_twice_counts_as_most_parsers_count_it() {
    let request = parsed(r#"{"model":"x","messages":[],"model":"gpt-4o","messages":[{"role":"user","content":"a"}]}"#);
    assert_eq!(request.model, "gpt-4o");
    assert_eq!(request.messages.len(), 1);
}

#[test]
fn fields_that_clients_add_and_drop_do_not_count() {
    let request = parsed(
        r#"{"messages":[{"role":"assistant","content":"a","tool_calls":[],"refusal":null,"annotations":[1],"name":"bob"}]}"#,
    );
    let fields: Vec<(&str, &[u8])> =
        request.messages[0].fields.iter().map(|(name, raw)| (*name, raw.bytes())).collect();
    assert_eq!(fields, [("name", b"\"bob\"".as_slice())]);
}

#[test]
fn injected_memory_is_no_part_of_the_text() {
    let chain = Chain::new(&Scope::new("k-a").unwrap());
    let asked = parsed(r#"{"messages":[{"role":"user","content":"hello"}]}"#);
    let seal = chain.seal(&asked.messages[0], Echo::default());
    let block = seal.memory(&["user: x".to_owned()]);
    for surface in [Surface::ChatCompletions, Surface::Responses] {
        let (own, memory) = (surface.text_part("hello"), surface.text_part(&block));
        let messages = json!([
            {"role": "user", "content": format!("hello\n\n{block}")},
            {"role": "user", "content": [own, memory]},
        ]);
        let body = match surface {
            Surface::ChatCompletions => json!({"messages": messages}),
            Surface::Responses => json!({"input": messages}),
        };
        let mut request = ChatRequest::parse(surface, Bytes::from(body.to_string())).unwrap();
        recognise(&chain, &mut request.messages);
        for message in &request.messages {
            assert_eq!(message.text(), "hello");
            assert!(message.carries_memory());
        }
    }
}

#[test]
fn calls_and_results_of_a_chat_are_named_in_the_old_form_too() {
    let request = parsed(
        r#"{"messages":[
            {"role":"assistant","tool_calls":[{"id":"a"},{"id":"b"},{"no":"id"}]},{"role":"tool","tool_call_id":"b","content":"x"},
            {"role":"assistant","function_call":{"name":"f"}},{"role":"function","name":"f","content":"x"},
            {"role":"user","content":"x"}]}"#,
    );
    let calls: Vec<usize> = request.messages.iter().map(|message| message.calls.len()).collect();
    assert_eq!(calls, [3, 0, 1, 0, 0]);
    assert_eq!(request.messages[0].calls, ["a", "b", ""]);
    assert_eq!(request.messages[1].answers, ["b"]);
    assert_eq!(request.messages[3].answers, request.messages[2].calls);
    assert!(request.messages[4].answers.is_empty());
}

#[test]
fn a_text_input_is_one_user_message_in_its_place() {
    let request = parsed_response(r#"{"model":"gpt-4o", "input" : "h\u00e9" ,"instructions":"Be kind.","tools":null}"#);
    assert_eq!(slices(&request), [r#""h\u00e9""#]);
    let message = &request.messages[0];
    assert_eq!((message.role, message.text().as_str()), ("user", "hé"));
    assert_eq!(message.content, Content::Text(message.range.clone()));
    let definitions: Vec<&[u8]> = request.definitions.iter().map(|place| request.slice(place)).collect();
    assert_eq!(definitions, [b"\"Be kind.\""]);
}

#[test]
fn every_item_is_found_with_its_role_its_bytes_and_its_text() {
    let items = [
        (r#"{"role":"developer","content":"d"}"#, "developer", "d"),
        (
            r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"u"},{"type":"input_image","image_url":"x"}]}"#,
            "user",
            "u",
        ),
        (r#"{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]}"#, "assistant", ""),
        (
            r#"{"id":"msg","type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"no"}]}"#,
            "assistant",
            "a",
        ),
        (r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#, "assistant", "f({})"),
        (r#"{"type":"function_call_output","call_id":"c","output":"found"}"#, "tool", "found"),
        (
            r#"{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"one"}]}"#,
            "tool",
            "one",
        ),
        (r#"{"type":"computer_call_output","call_id":"k","output":{"type":"computer_screenshot"}}"#, "tool", ""),
        (r#"{"type":"mcp_list_tools","id":"l","tools":[]}"#, "developer", ""),
        (r#"{"type":"web_search_call","id":"ws"}"#, "assistant", ""),
    ];
    let joined: Vec<&str> = items.iter().map(|(raw, _, _)| *raw).collect();
    let request = parsed_response(&format!("{{\"input\":[ {} ]}}", joined.join(" ,\n")));
    assert_eq!(slices(&request), joined);
    for (message, (raw, role, text)) in request.messages.iter().zip(items) {
        assert_eq!((message.role, message.text().as_str()), (role, text), "{raw}");
        assert!(message.odd.is_none(), "{raw}");
    }
}

#[test]
fn calls_and_results_are_named_and_reasoning_belongs_to_what_follows() {
    let request = parsed_response(
        r#"{"input":[
            {"type":"reasoning","summary":[]},{"type":"function_call","id":"fc","call_id":"a"},{"type":"local_shell_call","id":"ls","call_id":"b"},
            {"type":"function_call_output","id":"x","call_id":"a","output":"1"},{"type":"local_shell_call_output","id":"ls","output":"2"},
            {"type":"mcp_approval_request","id":"ap"},{"type":"mcp_approval_response","approval_request_id":"ap","approve":true},
            {"type":"mcp_call","id":"m","approval_request_id":"ap"}]}"#,
    );
    let known: Vec<(&[String], Option<&str>, bool)> = request
        .messages
        .iter()
        .map(|message| {
            let answers = message.answers.first().map(String::as_str);
            (message.calls.as_slice(), answers, message.binds_next)
        })
        .collect();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let expected = [
        (names(&[]), None, true),
        (names(&["a"]), None, false),
        (names(&["b", "ls"]), None, false),
        (names(&[]), Some("a"), false),
        (names(&[]), Some("ls"), false),
        (names(&["ap"]), None, false),
        (names(&[]), Some("ap"), false),
        (names(&[]), Some("ap"), true),
    ];
    for (known, (calls, answers, binds_next)) in known.into_iter().zip(expected) {
        assert_eq!(known, (calls.as_slice(), answers, binds_next));
    }
}

#[test]
fn items_that_stand_for_what_cannot_be_seen_are_odd() {
    for item in [
        r#"{"type":"item_reference","id":"msg_1"}"#,
        r#"{"id":"msg_1"}"#,
        r#"{"type":"compaction","encrypted_content":"x"}"#,
        r#"{"type":"tool_search_call","call_id":"t"}"#,
        r#"{"type":"tool_search_output","call_id":"t","tools":[]}"#,
        r#"{"type":"something_new"}"#,
        r#"{"type":5}"#,
    ] {
        let request = parsed_response(&format!(r#"{{"input":[{{"role":"user","content":"a"}},{item}]}}"#));
        assert_eq!(oddities(&request), [None, Some(Oddity::UnknownItem)], "{item}");
        assert_eq!(request.messages[1].text(), "", "{item}");
    }
}

#[test]
fn odd_items_are_found_with_their_bytes_and_what_a_shell_printed_is_read() {
    for (item, why) in [
        (r#"{"type":"message","content":"no role"}"#, Oddity::NoRole),
        (r#"{"role":"user","content":5}"#, Oddity::UnknownShape),
        (r#""a""#, Oddity::NotAnObject),
        (r#"{"type":"function_call","call_id":"c","arguments":"\ud83d"}"#, Oddity::LoneSurrogate),
    ] {
        let request = parsed_response(&format!(r#"{{"input":[{item},{{"role":"user","content":"a"}}]}}"#));
        assert_eq!(slices(&request)[0], item);
        assert_eq!(oddities(&request), [Some(why), None], "{item}");
    }
    let request = parsed_response(
        r#"{"input":[{"type":"shell_call_output","call_id":"s","output":[{"stdout":"a\n","stderr":"b","outcome":{"type":"exit"}}]},
            {"type":"image_generation_call","id":"ig","result":"AAAA"},
            {"type":"computer_call_output","call_id":"k","output":{"type":"computer_screenshot","image_url":"u"}}]}"#,
    );
    assert_eq!(request.messages[0].text(), "a\nb");
    let attachments: Vec<u32> = request.messages.iter().map(|message| message.attachments).collect();
    assert_eq!(attachments, [0, 1, 1]);
}

#[test]
fn a_conversation_that_the_upstream_keeps_and_what_is_no_input_are_errors() {
    let parse = |body: &str| ChatRequest::parse(Surface::Responses, Bytes::copy_from_slice(body.as_bytes()));
    for body in [
        r#"{"input":"a","previous_response_id":"resp_1"}"#,
        r#"{"input":"a","conversation":"conv_1"}"#,
        r#"{"input":"a","conversation":{"id":"conv_1"}}"#,
    ] {
        assert!(matches!(parse(body), Err(ParseError::Elsewhere)), "{body}");
    }
    assert!(parse(r#"{"input":"a","previous_response_id":null,"conversation":null}"#).is_ok());
    for body in ["{}", r#"{"input":null}"#, r#"{"input":5}"#, r#"{"input":{"role":"user"}}"#] {
        assert!(parse(body).is_err(), "{body}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for surface in [Surface::ChatCompletions, Surface::Responses] {
            if let Ok(request) = ChatRequest::parse(surface, Bytes::from(bytes.clone())) {
                for message in &request.messages {
                    prop_assert!(message.range.end <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn items_lie_where_they_were_written(
        texts in prop::collection::vec("\\PC{0,12}", 1..8), space in "[ \n\t]{0,3}",
    ) {
        let items: Vec<String> = texts
            .iter()
            .map(|text| json!({"role": "user", "content": [{"type": "input_text", "text": text}]}).to_string())
            .collect();
        let body = format!("{{\"input\"{space}:{space}[{space}{}{space}]}}", items.join(&format!("{space},{space}")));
        let request = parsed_response(&body);
        prop_assert_eq!(slices(&request), items);
        for (message, text) in request.messages.iter().zip(&texts) {
            prop_assert_eq!(&message.text(), text);
        }
    }
}
