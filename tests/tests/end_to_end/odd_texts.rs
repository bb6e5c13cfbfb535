//! One odd turn does not keep a conversation from shrinking: whatever its text is, it is read and leaves with the others; and a
//! turn that cannot be read stays alone.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt, tokens};

const BUDGET: usize = 600;
const MEMORY: usize = 150;
const CODE: &str = "7391-K";
/// Longer than any turn that is read.
const TOO_LONG: usize = 8 * 1024 * 1024 + 1;

/// Texts after public reports, and some of their kind. None is in another.
fn odd_texts() -> Vec<String> {
    let panel = format!("╭{}╮\n│ Build finished │\n╰{0}╯\n", "─".repeat(100));
    let rows = (0..12).map(|row| format!("│ row {row} │ value {row} │ 0.00 │\n├{}┤\n", "─".repeat(74)));
    vec![
        "SentencePiece writes a space as ▁ (U+2581).".to_owned(),
        format!("Here is the report:\n{}", rows.collect::<String>()),
        panel.repeat(2),
        format!("Progress: {}░░ 81%", "█".repeat(700)),
        format!("▁{}", "▁ ▁▁a▁".repeat(60)),
        format!("Our family {}", "👩‍👩‍👧‍👦".repeat(120)),
        format!("zero\u{200b}{}width", "\u{200d}\u{feff}".repeat(200)),
        format!("accents {}", "e\u{301}\u{64b}".repeat(300)),
        "a".repeat(5000),
        format!("one{}two", " \n".repeat(1500)),
        "각나다라마바사".repeat(150),
        format!("\u{7}\u{1b}[31m{}\u{1b}[0m", "\u{1}x".repeat(300)),
        "<unused7><table>[UNK]<|endoftext|>".repeat(40),
    ]
}

/// A conversation that begins with these texts and asks for the code at its end.
fn about(model: &str, texts: &[String]) -> Conversation {
    let mut conversation = Conversation::default().member("model", &format!("{model:?}"));
    for text in texts {
        conversation.user(text);
        conversation.assistant("I see.");
    }
    let chat = everyday_chat(CODE);
    conversation.exchanges(&chat[..20]);
    conversation.user(&chat[59].user);
    conversation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_of_any_text_is_read_and_leaves_with_the_others() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, MEMORY).start().await;
    let texts = odd_texts();
    let asked = ["gpt-4o-mini", "llama-3"].map(|model| about(model, &texts));
    for conversation in &asked {
        assert_eq!(proxy.chat(conversation.body()).await.status, 200);
    }
    proxy.everything_read().await;
    for conversation in &asked {
        let answer = proxy.chat(conversation.body()).await;
        assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
        let request = upstream.last_request().json();
        prompt::assert_well_formed(&request);
        let kept: Vec<String> = prompt::messages(&request).iter().map(prompt::own_text).collect();
        for text in &texts {
            let shown: String = text.chars().take(40).collect();
            assert!(!kept.iter().any(|kept| kept == text.trim_end()), "{shown:?} has left");
        }
        assert!(upstream.last_request().contains(CODE), "the code is remembered");
    }
    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("mainpoint_unreadable_turns_total", &[]), 0.0);
    assert_eq!(metrics.sum("mainpoint_failures_total", &[]), 0.0);
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_cannot_be_read_stays_by_itself_and_the_others_leave() {
    let upstream = ScriptedUpstream::start().await;
    let endless = format!("Keep this. {}", " ".repeat(TOO_LONG));
    let conversation = about("gpt-4o-mini", &[endless]);
    // A stretch of spaces of that length takes the budget but for what is left to the others.
    let alone = tokens::count(&" ".repeat(65_536)) * (TOO_LONG / 65_536);
    let rest = about("gpt-4o-mini", &["Keep this.".to_owned()]);
    let others = tokens::count_prompt(&serde_json::from_str(&rest.body()).expect("JSON"));
    let budget = alone + BUDGET;
    assert!(others > BUDGET + MEMORY, "{others} tokens beside it");
    let builder = || StartedProxy::before(&upstream).budget(budget, MEMORY);
    let proxy = builder().start().await;
    proxy.chat(conversation.body()).await;
    proxy.everything_read().await;
    assert_eq!(proxy.metrics().await.sum("mainpoint_unreadable_turns_total", &[("kind", "turn_too_long")]), 1.0);
    let shortened = |forwarded: &serde_json::Value| {
        let messages = prompt::messages(forwarded);
        let texts: Vec<String> = messages.iter().map(prompt::own_text).collect();
        assert!(texts[0].starts_with("Keep this."), "the unreadable turn is still there");
        assert!(messages.len() < conversation.messages().len() / 2, "{} messages stay", messages.len());
        texts
    };
    assert_eq!(proxy.chat(conversation.body()).await.outcome(), "rewritten");
    let before = shortened(&upstream.last_request().json());

    // After a restart the mark still holds: nothing is read again, and the same prompt is made.
    let home = proxy.stop().await;
    let proxy = builder().home(&home).start().await;
    assert_eq!(proxy.chat(conversation.body()).await.outcome(), "rewritten");
    assert_eq!(shortened(&upstream.last_request().json()), before);
    proxy.everything_read().await;
    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("mainpoint_unreadable_turns_total", &[]), 0.0);
    assert_eq!(metrics.sum("mainpoint_reader_tokens_total", &[]), 0.0);
    proxy.stop().await;
}
