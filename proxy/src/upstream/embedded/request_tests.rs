//! Tests of requests to the embedded model: what is understood, and what a refusal says.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use mainpoint_engine::ChatRole;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::request::EmbeddedRequest;
use crate::http::response::envelope;

/// A request that is good but for this.
fn with(key: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}]});
    body[key] = value;
    body
}

fn parse(body: &Value) -> EmbeddedRequest {
    EmbeddedRequest::parse(body.to_string().as_bytes()).unwrap()
}

/// The envelope's `error`, which has to be one of a bad request.
fn refused(body: &[u8]) -> Value {
    let error = EmbeddedRequest::parse(body).unwrap_err();
    assert_eq!(error.refusal().status, 400, "{error}");
    let told = envelope(&error)["error"].clone();
    assert_eq!(told["type"], "invalid_request_error", "{told}");
    told
}

#[test]
fn a_value_that_is_not_allowed_is_refused_by_key_value_and_what_is_allowed() {
    let content = |content: Value| json!([{"role": "user", "content": content}]);
    let cases = [
        ("max_tokens", json!(-5), "max_tokens", "max_tokens = -5; expected a whole number from 1."),
        ("max_tokens", json!(0), "max_tokens", "max_tokens = 0; expected"),
        ("max_tokens", json!("many"), "max_tokens", "max_tokens = \"many\"; expected"),
        ("max_completion_tokens", json!(1.5), "max_completion_tokens", "1.5; expected a whole number"),
        ("temperature", json!(9), "temperature", "temperature = 9; expected a number from 0 to 2."),
        ("temperature", json!("warm"), "temperature", "temperature = \"warm\"; expected a number"),
        ("top_p", json!(1.01), "top_p", "top_p = 1.01; expected a number from 0 to 1."),
        ("presence_penalty", json!(-3), "presence_penalty", "-3; expected a number from -2 to 2."),
        ("frequency_penalty", json!(2.5), "frequency_penalty", "2.5; expected a number from -2 to 2."),
        ("n", json!(2), "n", "n = 2; expected 1, since the embedded model gives one choice."),
        ("seed", json!(0.5), "seed", "seed = 0.5; expected a whole number."),
        ("stream", json!("yes"), "stream", "stream = \"yes\"; expected true or false."),
        ("stream_options", json!([]), "stream_options", "stream_options = []; expected an object."),
        ("stream_options", json!({"include_usage": 1}), "stream_options.include_usage", "1; expected true or false."),
        ("stop", json!(5), "stop", "stop = 5; expected a string or a list of strings."),
        ("stop", json!(["a", 5]), "stop[1]", "stop[1] = 5; expected a string."),
        ("model", json!(["m"]), "model", "model = [\"m\"]; expected a string."),
        ("messages", json!([]), "messages", "messages = []; expected a list with at least one message."),
        ("messages", json!("Hello"), "messages", "messages = \"Hello\"; expected a list"),
        ("messages", Value::Null, "messages", "messages = null; expected a list"),
        ("messages", json!(["Hello"]), "messages[0]", "messages[0] = \"Hello\"; expected an object"),
        (
            "messages",
            json!([{"content": "Hello"}]),
            "messages[0].role",
            "messages[0].role = missing; expected \"system\"",
        ),
        (
            "messages",
            json!([{"role": "user"}]),
            "messages[0].content",
            "messages[0].content = missing; expected a string",
        ),
        ("messages", content(json!(5)), "messages[0].content", "messages[0].content = 5; expected a string or a list"),
        ("messages", content(json!(["a"])), "messages[0].content[0]", "expected an object with a type."),
        ("messages", content(json!([{"type": "text"}])), "messages[0].content[0].text", "missing; expected a string."),
    ];
    for (key, value, param, said) in cases {
        let told = refused(with(key, value).to_string().as_bytes());
        assert_eq!(told["param"], param, "{told}");
        let message = told["message"].as_str().unwrap();
        assert!(message.starts_with(param) && message.contains(said), "{message}");
    }
}

#[test]
fn an_unknown_role_is_refused_wherever_it_stands() {
    let said = |role: &str| json!({"role": role, "content": "Hello"});
    let told = refused(with("messages", json!([said("user"), said("robot")])).to_string().as_bytes());
    assert_eq!(told["param"], "messages[1].role");
    let expected = "messages[1].role = \"robot\"; expected \"system\", \"developer\", \"user\", \"assistant\", \"tool\" or \
                    \"function\".";
    assert_eq!(told["message"], expected);
}

#[test]
fn what_the_model_cannot_do_is_refused_and_says_so() {
    let image =
        json!([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:"}}]);
    let cases = [
        ("tool_choice", json!("required"), "tool_choice", "calls no tools"),
        ("tool_choice", json!({"type": "function", "function": {"name": "f"}}), "tool_choice", "calls no tools"),
        ("function_call", json!({"name": "f"}), "function_call", "calls no tools"),
        ("response_format", json!({"type": "json_object"}), "response_format.type", "\"json_object\""),
        ("response_format", json!({"type": "json_schema"}), "response_format.type", "cannot be held to a format"),
        ("response_format", json!({}), "response_format.type", "missing"),
        ("logprobs", json!(true), "logprobs", "no log probabilities"),
        ("modalities", json!(["text", "audio"]), "modalities", "text only"),
        ("messages", json!([{"role": "user", "content": image}]), "messages[0].content[1].type", "no images"),
    ];
    for (key, value, param, said) in cases {
        let told = refused(with(key, value).to_string().as_bytes());
        assert_eq!(told["param"], param, "{told}");
        let message = told["message"].as_str().unwrap();
        assert!(message.contains("the embedded model") && message.contains(said), "{message}");
    }
}

#[test]
fn a_body_that_is_no_object_is_refused_without_a_word_of_how_it_is_read() {
    for (body, said) in [
        ("[]", "The body is []; expected a JSON object with messages."),
        ("7", "The body is 7; expected a JSON object with messages."),
        ("nonsense", "The body is not valid JSON: expected ident at line 1 column 2."),
        ("", "The body is not valid JSON: EOF while parsing a value at line 1 column 0."),
    ] {
        let told = refused(body.as_bytes());
        assert_eq!(told["message"], said);
        assert!(told["param"].is_null(), "{told}");
    }
}

#[test]
fn what_is_usual_and_harmless_is_taken() {
    let function = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    for (key, value) in [
        ("tools", function),
        ("tool_choice", json!("auto")),
        ("tool_choice", json!("none")),
        ("response_format", json!({"type": "text"})),
        ("n", json!(1)),
        ("temperature", json!(0)),
        ("temperature", json!(2.0)),
        ("top_p", json!(0)),
        ("logprobs", json!(false)),
        ("modalities", json!(["text"])),
        ("max_tokens", Value::Null),
        ("tools", Value::Null),
        ("stream_options", Value::Null),
        ("seed", json!(u64::MAX)),
        ("metadata", json!({"of": "somebody"})),
        ("user", json!("somebody")),
    ] {
        parse(&with(key, value));
    }
}

#[test]
fn parts_become_text_and_roles_those_that_a_template_knows() {
    let body = json!({"messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": null, "tool_calls": []}, {"role": "tool", "content": "42"}],
        "stop": ["END", ""], "max_tokens": 7, "seed": -1});
    let request = parse(&body).generate;
    let messages: Vec<(ChatRole, &str)> =
        request.messages.iter().map(|message| (message.role, message.text.as_str())).collect();
    let expected =
        [(ChatRole::System, "Be brief."), (ChatRole::User, "a\nb"), (ChatRole::Assistant, ""), (ChatRole::User, "42")];
    assert_eq!(messages, expected);
    assert_eq!(request.max_tokens, 7);
    assert_eq!(request.seed, Some(u32::MAX));
    assert_eq!(request.stop, ["END"]);
}

#[test]
fn whoever_says_nothing_of_how_to_answer_gets_an_assistant() {
    let asked = parse(&with("stream", json!(true)));
    let roles: Vec<ChatRole> = asked.generate.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [ChatRole::System, ChatRole::User]);
    assert!(asked.streams && !asked.wants_usage);
    assert_eq!(asked.model.as_deref(), Some("m"));
}

/// Any JSON that is not deep.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,100}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let key = prop_oneof![Just("role"), Just("content"), Just("type"), Just("text"), Just("include_usage")];
        let object = prop::collection::hash_map(key, inner.clone(), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            object
                .prop_map(|members| members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_key_holds_it_is_taken_or_refused_by_its_name(
        key in prop_oneof![
            Just("messages"), Just("max_tokens"), Just("temperature"), Just("top_p"), Just("n"), Just("seed"), Just("stop"),
            Just("stream"), Just("stream_options"), Just("tools"), Just("tool_choice"), Just("response_format"), Just("model"),
        ],
        value in anything(),
    ) {
        let body = with(key, value).to_string();
        if let Err(error) = EmbeddedRequest::parse(body.as_bytes()) {
            prop_assert!(error.param().is_some_and(|param| param.starts_with(key)), "{error}");
            prop_assert!(error.to_string().chars().count() < 300, "{error}");
        }
    }
}
