//! Clients that send a question with instructions and documents around it, and plainly in every later request: it was said once.
//!
//! It must not know how that is told.

use http::Method;
use mainpoint_tests::conversation::{Exchange, everyday_chat};
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Conversation, ScriptedUpstream, prompt};
use serde_json::{Value, json};

use crate::chats_apart::{conversations, say};
use crate::memory_api::{builder, call, delete};

const CODE: &str = "7391-K";
const QUESTION: &str =
    "I am standing in the climbing gym in front of my locker right now. What was the padlock code again?";

/// How such a client sends a question, with another document each time.
fn sent(question: &str, number: usize) -> String {
    format!(
        "### Task: use the context.\n<context>\n<source id=\"1\" name=\"doc{number}.pdf\">Page {number}.</source>\n</context>\n\
         <user_query>\n{question}\n</user_query>\n"
    )
}

/// The last two exchanges before one, plainly, and what is sent now.
fn window(exchanges: &[Exchange], question: &str) -> Conversation {
    let mut chat = Conversation::new();
    chat.exchanges(&exchanges[exchanges.len().saturating_sub(2)..]);
    chat.user(question);
    chat
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_with_documents_around_it_is_quoted_and_found_as_it_was_said() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let exchanges = &everyday_chat(CODE)[..8];
    for (number, exchange) in exchanges.iter().enumerate() {
        let mut chat = window(&exchanges[..number], &sent(&exchange.user, number));
        say(&proxy, &upstream, &mut chat, &exchange.assistant).await;
    }
    let mut asking = window(exchanges, QUESTION);
    assert!(!asking.body().contains(CODE), "the client leaves it out");
    say(&proxy, &upstream, &mut asking, "It is the one that you told me.").await;
    let block = prompt::memory_block(&upstream.last_request().json()).expect("a memory block");
    assert!(block.contains(CODE), "{block}");
    assert!(!block.contains("### Task") && !block.contains(".pdf"), "no document of another question: {block}");
    assert_eq!(conversations(&proxy).await.len(), 1);

    let question = json!({"question": QUESTION, "limit": 50}).to_string();
    let found = call(&proxy, TENANT, Method::POST, "/search", question).await.json();
    let results = found["results"].as_array().expect("a list");
    let texts: Vec<&str> = results.iter().filter_map(|result| result["text"].as_str()).collect();
    assert!(texts.iter().all(|text| !text.contains("<source")), "{found}");
    let times = |words: &str| texts.iter().filter(|text| text.contains(words)).count();
    for exchange in exchanges {
        assert!(times(&exchange.user) <= 1, "{:?} is one turn: {found}", exchange.user);
    }
    assert_eq!(times(&exchanges[2].user), 1, "{found}");

    // Whoever forgets what is shown forgets what was sent as well.
    let shown =
        results.iter().find(|result| result["text"].as_str().is_some_and(|text| text.contains(&exchanges[2].user)));
    let id = shown.and_then(|shown| shown["turn"].as_str()).expect("an id");
    assert_eq!(delete(&proxy, TENANT, &format!("/turns/{id}")).await, 2);
    let question = json!({"question": exchanges[2].user, "limit": 50}).to_string();
    let found = call(&proxy, TENANT, Method::POST, "/search", question).await.json();
    assert!(!found["results"].to_string().contains(&exchanges[2].user), "{found}");

    // Where nobody has said it plainly yet, it is quoted as it was sent.
    let mut last = Conversation::new();
    last.user(&sent("My dentist is called Ottokar Vondruska and sits in room 318.", 9));
    say(&proxy, &upstream, &mut last, "Noted.").await;
    let question = json!({"question": "Who is my dentist, Ottokar Vondruska?", "limit": 50}).to_string();
    let found: Value = call(&proxy, TENANT, Method::POST, "/search", question).await.json();
    assert!(found.to_string().contains("doc9.pdf"), "{found}");
}
