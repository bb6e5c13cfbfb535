//! Tests of what requests cost.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::request::tests::{parsed, parsed_response};
use super::*;

/// The reader's tokenizer for a model of which nothing has been learnt.
const READER: Tokenizer = Tokenizer::Reader(Factor::ONE);

fn words() -> TokenCounter {
    TokenCounter::new(Arc::new(|text| Ok(text.split_whitespace().count())), TokenFactors::default())
}

fn count(counter: &TokenCounter, tokenizer: Tokenizer, request: &ChatRequest) -> RequestTokens {
    counter.request(tokenizer, request, &Deadline::none()).unwrap()
}

#[test]
fn known_texts_have_the_counts_that_tiktoken_gives() {
    let counter = words();
    // Values of Python's tiktoken: o200k_base for gpt-4o, cl100k_base for gpt-4.
    for (model, text, expected) in [
        ("gpt-4o", "hello world", 2),
        ("gpt-4o-mini", "tiktoken is great!", 6),
        ("gpt-4", "tiktoken is great!", 6),
        ("gpt-4", "antidisestablishmentarianism", 6),
        ("gpt-4.1", "", 0),
    ] {
        assert_eq!(counter.text(Tokenizer::new(model), text).unwrap(), expected, "{model}: {text}");
    }
}

#[test]
fn models_of_openai_have_its_tokenizers_and_all_others_the_readers() {
    let name = |model: &str| match Tokenizer::new(model) {
        Tokenizer::OpenAi(known, _) => format!("{known:?}"),
        Tokenizer::Reader(_) => "reader".to_owned(),
    };
    for model in ["gpt-4o", "gpt-4.1-mini", "gpt-5", "gpt-5.2", "o1", "o3-mini", "o4-mini", "openai/gpt-4o", "gpt-7"] {
        assert_eq!(name(model), "O200kBase", "{model}");
    }
    assert_eq!(name("gpt-4-turbo"), "Cl100kBase");
    for model in ["llama-3", "mistral", "", "ollama/gemma3", "o-model"] {
        assert_eq!(name(model), "reader", "{model}");
    }
}

#[test]
fn a_prompt_costs_three_tokens_a_message_and_three_for_the_reply() {
    // The example of OpenAI's cookbook counts 124 tokens for gpt-4o and 129 for gpt-4.
    let body = serde_json::json!({"messages": [
        {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
        {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
        {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
        {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
        {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
        {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
    ]});
    let request = parsed(&body.to_string());
    let counter = words();
    assert_eq!(count(&counter, Tokenizer::new("gpt-4o"), &request).total(), 124);
    assert_eq!(count(&counter, Tokenizer::new("gpt-4"), &request).total(), 129);
}

#[test]
fn a_message_is_counted_once_and_tools_count_too() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let count_words = move |text: &str| {
        seen.fetch_add(1, Ordering::Relaxed);
        Ok(text.split_whitespace().count())
    };
    let counter = TokenCounter::new(Arc::new(count_words), TokenFactors::default());
    let request = parsed(r#"{"messages":[{"role":"user","content":"a b c"}],"tools":[ {"x": 1} ]}"#);
    let first = count(&counter, READER, &request);
    let after_first = calls.load(Ordering::Relaxed);
    assert_eq!(count(&counter, READER, &request), first);
    assert_eq!(calls.load(Ordering::Relaxed), after_first);
    assert_eq!(first.messages, [3 + 1 + 3]);
    assert!(first.other > 3);
}

#[test]
fn an_image_costs_what_the_model_sees_and_not_its_base64() {
    let data = "A".repeat(1_000_000);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
    );
    let tokens = count(&words(), Tokenizer::new("gpt-4o"), &parsed(&body));
    assert_eq!(tokens.messages, [3 + 1 + 765]);
}

#[test]
fn a_response_costs_what_the_same_chat_costs() {
    let counter = words();
    let chat = r#"{"messages":[{"role":"user","content":"a b c"},{"role":"assistant","content":"d e"}]}"#;
    let items = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a b c"}]},
        {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"d e"}]}]}"#;
    let chat = count(&counter, READER, &parsed(chat));
    assert_eq!(count(&counter, READER, &parsed_response(items)), chat);
    let text = count(&counter, READER, &parsed_response(r#"{"input":"a b c"}"#));
    assert_eq!(text.messages, [3 + 1 + 3]);
}

#[test]
fn calls_count_by_their_json_and_instructions_tools_and_format_count_too() {
    let counter = words();
    let counted = |body: &str| count(&counter, READER, &parsed_response(body));
    let bare = counted(r#"{"input":"a"}"#);
    for name in ["instructions", "tools", "text"] {
        let more = counted(&format!(r#"{{"input":"a","{name}":{{"x": 1}}}}"#));
        assert_eq!(more.other, bare.other + 2, "{name}");
    }
    let call = |arguments: &str| {
        let body =
            format!(r#"{{"input":[{{"type":"function_call","call_id":"c","name":"f","arguments":"{arguments}"}}]}}"#);
        counted(&body).messages[0]
    };
    assert_eq!(call(&"x ".repeat(5000)), call("") + 5000);
}

#[test]
fn pictures_and_encrypted_reasoning_do_not_cost_their_length() {
    let data = "A".repeat(1_000_000);
    let counted = |item: &str| {
        let request = parsed_response(&format!(r#"{{"model":"gpt-4o","input":[{item}]}}"#));
        count(&words(), Tokenizer::new("gpt-4o"), &request).messages[0]
    };
    let image = |detail: &str| {
        format!(
            r#"{{"role":"user","content":[{{"type":"input_image","detail":"{detail}","image_url":"data:image/png;base64,{data}"}}]}}"#
        )
    };
    assert_eq!(counted(&image("auto")), 3 + 1 + 765);
    assert_eq!(counted(&image("low")), 3 + 1 + 85);
    let picture = format!(r#"{{"type":"image_generation_call","id":"ig","result":"{data}"}}"#);
    assert_eq!(counted(&picture), 3 + 1 + 765);
    let reasoning = format!(r#"{{"type":"reasoning","summary":[],"encrypted_content":"{data}"}}"#);
    assert!(counted(&reasoning) < 150_000);
}

#[test]
fn counting_ends_at_the_deadline() {
    let request = parsed(r#"{"messages":[{"role":"user","content":"a"}]}"#);
    let over = Deadline::after(std::time::Duration::ZERO);
    let counted = words().request(READER, &request, &over);
    assert!(matches!(counted, Err(MemoryError::Deadline)));
}

#[test]
fn an_attachment_costs_what_its_model_says_though_another_model_has_the_same_tokenizer() {
    let counter = words();
    let tokens = |model: &str| {
        let image = r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#;
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":[{image}]}}]}}"#);
        count(&counter, Tokenizer::new(model), &parsed(&body)).messages[0]
    };
    assert_eq!(tokens("gpt-4o"), 3 + 1 + 765);
    assert_eq!(tokens("gpt-4.1-mini"), 3 + 1 + 1659);
}

#[test]
fn results_in_the_parts_of_a_message_count_once() {
    let result = |content: &str| {
        let part = format!(r#"{{"type":"tool_result","tool_use_id":"t","content":{content}}}"#);
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        count(&words(), READER, &parsed(&body)).messages[0]
    };
    let text = "a b c d e f g h";
    assert_eq!(result(&format!("\"{text}\"")), result("\"\"") + 8);
    assert_eq!(result(&format!(r#"[{{"type":"text","text":"{text}"}}]"#)), result("[]") + 8);
}

/// Has a model's answers say that its prompts have `ratio` times the tokens that we count.
fn teach(counter: &TokenCounter, request: &ChatRequest, ratio: f64) {
    for _ in 0..3 {
        let tokenizer = counter.tokenizer(&request.model);
        let tokens = count(counter, tokenizer, request);
        let prompt = EstimatedPrompt::new(tokenizer, request, &tokens).unwrap();
        counter.learn(&prompt, (tokens.total() as f64 / tokenizer.factor() * ratio) as u64);
    }
}

#[test]
fn what_answers_say_of_a_model_holds_for_every_count_of_it_and_for_no_other_model() {
    let counter = words();
    let message = r#"{"role":"user","content":"one two three four"}"#;
    let chat = |model: &str, messages: usize| {
        parsed(&format!(r#"{{"model":"{model}","messages":[{}]}}"#, vec![message; messages].join(",")))
    };
    let request = chat("llama", 100);
    let before = count(&counter, counter.tokenizer("llama"), &request);
    teach(&counter, &request, 1.3);
    let tokenizer = counter.tokenizer("llama");
    let after = count(&counter, tokenizer, &request);
    assert_eq!(before.total(), 100 * 8 + 3);
    assert_eq!(after.total(), 1043, "what is lost by rounding does not add up");
    assert!(after.messages.iter().all(|tokens| [10, 11].contains(tokens)), "{:?}", after.messages);
    assert_eq!(counter.message(tokenizer, &request.messages[0]).unwrap(), 10);
    assert_eq!(counter.text(tokenizer, &"word ".repeat(1000)).unwrap(), 1299);
    assert_eq!(tokenizer.ever(1300), 1300);
    teach(&counter, &request, 1.3);
    assert!((counter.tokenizer("llama").factor() / tokenizer.factor() - 1.0).abs() < 0.02);
    for model in ["mistral", "gpt-4o"] {
        assert!((counter.tokenizer(model).factor() - 1.0).abs() < f64::EPSILON, "{model}");
    }
    assert_eq!(count(&counter, counter.tokenizer("mistral"), &chat("mistral", 100)), before);
}

#[test]
fn nothing_is_learnt_where_the_count_is_exact_or_something_is_no_text() {
    let prompt = |body: &str| {
        let (counter, request) = (words(), parsed(body));
        let tokenizer = counter.tokenizer(&request.model);
        EstimatedPrompt::new(tokenizer, &request, &count(&counter, tokenizer, &request))
    };
    let said = |model: &str, content: &str| {
        format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":{content}}}],"tools":[1]}}"#)
    };
    let estimated = prompt(&said("llama", "\"a b c\"")).unwrap();
    assert_eq!(estimated.tokens, 3 + 1 + 3 + 3 + 1);
    assert!((estimated.weight() - 7.0 / 11.0).abs() < 1e-9);
    assert!(prompt(&said("gpt-4o", "\"a b c\"")).is_none());
    let image = r#"[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]"#;
    assert!(prompt(&said("llama", image)).is_none());
    assert!(prompt(&said("llama", "12")).is_none(), "an odd message");
    let reasoning = r#"{"model":"llama","input":[{"type":"reasoning","summary":[],"encrypted_content":"AAAA"}]}"#;
    let request = parsed_response(reasoning);
    assert!(EstimatedPrompt::new(READER, &request, &count(&words(), READER, &request)).is_none());
}
