//! Clients that send a question with instructions and documents around it, and plainly in every later request: it was said once.

use http::Method;
use mainpoint_tests::conversation::{Exchange, everyday_chat};
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::{Value, json};

use crate::chats_apart::{conversations, say, words};
use crate::memory_api::{OTHER, builder, call, conforms, delete, get};

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
    assert_eq!(get(&proxy, TENANT, "/stats").await["turns"], 2 * exchanges.len() + 2);

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
    let shown = shown.expect("it was found");
    assert!(shown["sent_as"].is_string(), "{shown}");
    let id = shown["turn"].as_str().expect("an id");
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

/// Every turn of the caller's only conversation.
async fn only_conversation(proxy: &StartedProxy, caller: &str) -> Vec<Value> {
    let listed = get(proxy, caller, "/conversations").await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    let id = listed["data"][0]["id"].as_str().expect("an id");
    let turns = get(proxy, caller, &format!("/turns?conversation={id}&limit=1000")).await;
    conforms(&get(proxy, caller, "/openapi.json").await, "TurnList", &turns);
    assert_eq!(listed["data"][0]["turns"].as_u64(), turns["data"].as_array().map(|turns| turns.len() as u64));
    turns["data"].as_array().expect("a list").clone()
}

fn texts(turns: &[Value]) -> Vec<&str> {
    turns.iter().map(|turn| turn["text"].as_str().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_with_documents_around_it_is_listed_counted_and_moved_as_one_turn() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let exchanges = &everyday_chat(CODE)[..3];
    for (number, exchange) in exchanges.iter().enumerate() {
        let mut chat = window(&exchanges[..number], &sent(&exchange.user, number));
        say(&proxy, &upstream, &mut chat, &exchange.assistant).await;
    }
    let last = sent(&exchanges[2].user, 2);
    let said: Vec<&str> = exchanges.iter().flat_map(|one| [one.user.as_str(), one.assistant.as_str()]).collect();
    let expected = [&said[..4], &[last.trim_end(), said[5]]].concat();
    let turns = only_conversation(&proxy, TENANT).await;
    let listed: Vec<&str> = texts(&turns).into_iter().map(str::trim_end).collect();
    assert_eq!(listed, expected, "nobody has said the last one plainly yet");
    assert_eq!(get(&proxy, TENANT, "/stats").await["turns"], 6);
    let topics = get(&proxy, TENANT, "/topics?topics=1&nearest=20").await;
    let of_topics: Vec<u64> =
        topics["data"].as_array().expect("a list").iter().filter_map(|topic| topic["turns"].as_u64()).collect();
    assert_eq!(of_topics.iter().sum::<u64>(), 6, "{topics}");

    // What was sent is found by its own id, and so is what was said around it.
    let document = get(&proxy, TENANT, "/openapi.json").await;
    let said_as: Vec<Option<&str>> = turns.iter().map(|turn| turn["sent_as"].as_str()).collect();
    assert_eq!(said_as.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false, false, false]);
    let (plain, wrapped) = (turns[0]["id"].as_str().expect("an id"), said_as[0].expect("an id"));
    let details = get(&proxy, TENANT, &format!("/turns/{plain}")).await;
    conforms(&document, "TurnDetails", &details);
    assert_eq!((&details["sent_as"], &details["position"]), (&json!(wrapped), &json!(0)), "{details}");
    let whole = get(&proxy, TENANT, &format!("/turns/{wrapped}")).await;
    conforms(&document, "TurnDetails", &whole);
    assert!(whole["text"].as_str().is_some_and(|text| text.contains("doc0.pdf")), "{whole}");
    assert_eq!((&whole["time"], &whole["places"]), (&turns[0]["time"], &details["places"]));
    for id in [plain, wrapped] {
        let around = get(&proxy, TENANT, &format!("/turns/{id}/around?before=0&after=1")).await;
        assert_eq!(texts(around["data"].as_array().expect("a list")), said[..2]);
    }

    // Another caller has the same of it.
    let exported = call(&proxy, TENANT, Method::GET, "/export", "").await.text();
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    lines.iter().for_each(|line| conforms(&document, "Line", line));
    let plain: Vec<Option<&str>> = lines.iter().map(|line| line["plain"].as_str()).collect();
    assert_eq!(plain, [Some(said[0]), None, Some(said[2]), None, None, None], "{exported}");
    for (taken, known) in [(8, 0), (0, 8)] {
        let answer = call(&proxy, OTHER, Method::POST, "/import", exported.clone()).await;
        assert_eq!(answer.json(), json!({"lines": 6, "turns_taken": taken, "turns_known": known}));
        assert_eq!(call(&proxy, OTHER, Method::GET, "/export", "").await.text(), exported, "as it was");
        proxy.everything_searchable().await;
    }
    let moved = only_conversation(&proxy, OTHER).await;
    assert_eq!(texts(&moved), texts(&turns));
    for (one, other) in moved.iter().zip(&turns) {
        assert_eq!((&one["time"], one["sent_as"].is_null()), (&other["time"], other["sent_as"].is_null()));
    }
    assert_eq!(get(&proxy, OTHER, "/stats").await["turns"], 6);
    let id = moved[2]["id"].as_str().expect("an id");
    assert_eq!(delete(&proxy, OTHER, &format!("/turns/{id}")).await, 2);
    assert_eq!(get(&proxy, OTHER, "/stats").await["turns"], 5);

    let wrong = json!({"conversation": "c", "role": "user", "text": "Who?", "plain": "Who?"}).to_string();
    let refused = call(&proxy, OTHER, Method::POST, "/import", wrong).await;
    assert_eq!((refused.status.as_u16(), &refused.error()["param"]), (400, &json!("plain")));
    let message = refused.error()["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("line 1: plain = \"Who?\"; expected what a user said"), "{message}");
}

/// How Open WebUI and LibreChat send a question behind documents.
fn behind_documents(client: &str, question: &str) -> String {
    match client {
        "Open WebUI" => format!(
            "### Task:\nAnswer with the context.\n\n### Guidelines:\n- Cite it.\n\n<context>\n\
             <source id=\"1\" name=\"a.pdf\">Ann has the bill.</source>\n</context>\n{question}"
        ),
        _ => format!("Attached document(s):\n```md# \"a.pdf\"\nAnn has the bill.\n\n```\n{question}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_questions_are_listed_as_they_were_said_in_any_language() {
    for client in ["Open WebUI", "LibreChat"] {
        let upstream = ScriptedUpstream::start().await;
        let proxy = builder(&upstream).start().await;
        let mut chat = Conversation::new();
        let mut expected = Vec::new();
        for (question, answer) in
            [("Who pays?", "Ann pays."), ("誰が払う？", "アンが払います。"), ("Why?", "She said so.")]
        {
            let mut asking = chat.clone();
            asking.user(&behind_documents(client, question));
            assert_eq!(say(&proxy, &upstream, &mut asking, answer).await, 0, "{client}: {question}");
            chat.user(question);
            chat.assistant(answer);
            expected.extend([question, answer]);
        }
        let mut asking = chat.clone();
        asking.user("Thanks, that is all for today.");
        say(&proxy, &upstream, &mut asking, "You are welcome.").await;
        expected.extend(["Thanks, that is all for today.", "You are welcome."]);
        assert_eq!(texts(&only_conversation(&proxy, TENANT).await), expected, "{client}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_reply_does_not_stand_for_what_was_said_before_it_in_the_same_message() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let told = "I moved to Elm Street 5 in Boston last week, and my number is the same as before.\n\nok";
    let mut chat = Conversation::new();
    chat.user(told);
    say(&proxy, &upstream, &mut chat, "Noted: Elm Street 5.").await;
    let mut edited = Conversation::new();
    edited.user("ok");
    edited.assistant("Noted: Elm Street 5.");
    edited.user("How far is the station from there?");
    say(&proxy, &upstream, &mut edited, "A mile or so.").await;
    let mut listed = Vec::new();
    for conversation in conversations(&proxy).await {
        listed.extend(words(&proxy, &conversation).await);
    }
    assert!(listed.iter().any(|text| text == told), "{listed:?}");
    let exported = call(&proxy, TENANT, Method::GET, "/export", "").await.text();
    assert!(exported.contains("Elm Street 5 in Boston") && !exported.contains("\"plain\""), "{exported}");
}
