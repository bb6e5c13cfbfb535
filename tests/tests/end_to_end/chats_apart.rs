//! Chats of one caller that have words in common are conversations of their own: none is quoted in another's prompt, and none goes
//! when another is deleted.

use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Conversation, RecordedRequest, ScriptedUpstream, StartedProxy};
use serde_json::Value;

use crate::memory_api::{builder, delete, get};
use crate::shared::receipt;

/// Has a conversation answered, and takes the answer into it. Returns how many turns the request is told to have lost.
pub(crate) async fn say(
    proxy: &StartedProxy,
    upstream: &ScriptedUpstream,
    chat: &mut Conversation,
    answer: &str,
) -> u64 {
    upstream.say_next(answer);
    let answered = proxy.chat(chat.body()).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    chat.assistant(answer);
    let receipt = receipt(proxy, &answered).await;
    // The answer is put into its place before it can be searched for.
    proxy.everything_searchable().await;
    receipt["lost_turns"].as_u64().unwrap_or_else(|| panic!("no lost_turns in {receipt}"))
}

pub(crate) async fn conversations(proxy: &StartedProxy) -> Vec<Value> {
    let listed = get(proxy, TENANT, "/conversations").await;
    listed["data"].as_array().expect("a list").clone()
}

/// What is said in a conversation, in order.
pub(crate) async fn words(proxy: &StartedProxy, conversation: &Value) -> Vec<String> {
    let id = conversation["id"].as_str().expect("an id");
    let turns = get(proxy, TENANT, &format!("/turns?conversation={id}&limit=100")).await;
    let turns = turns["data"].as_array().expect("a list");
    turns.iter().map(|turn| turn["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_question_about_different_documents_is_asked_in_different_conversations() {
    const READ_IT: &str = "I have read it. What do you want to know?";
    const SUMMARISE: &str = "Summarise the document in three sentences, please.";
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let documents = [
        ("Contract with Brandt: 18,400 euros for the kitchen.", "Brandt builds the kitchen."),
        ("Minutes of the choir meeting of 3 May: Olga sings solo.", "Olga sings solo."),
        ("Lab report: ferritin is 14, vitamin D is 21.", "Ferritin is low."),
    ];
    let mut expected = Vec::new();
    for (document, answer) in documents {
        let document = format!("Here is a document: {document}");
        let mut chat = Conversation::new();
        chat.user(&document);
        chat.assistant(READ_IT);
        chat.user(SUMMARISE);
        assert_eq!(say(&proxy, &upstream, &mut chat, answer).await, 0, "{document}");
        let forwarded: RecordedRequest = upstream.last_request();
        for (other, _) in documents.iter().filter(|(other, _)| !document.ends_with(other)) {
            assert!(!forwarded.contains(other), "{other} in the prompt about {document}");
        }
        expected.push([document, READ_IT.to_owned(), SUMMARISE.to_owned(), answer.to_owned()].to_vec());
    }
    let listed = conversations(&proxy).await;
    let mut said = Vec::new();
    for conversation in &listed {
        assert!(conversation["branches_from"].is_null(), "{conversation}");
        said.push(words(&proxy, conversation).await);
    }
    said.sort();
    expected.sort();
    assert_eq!(said, expected);

    let id = listed[0]["id"].as_str().expect("an id");
    let gone = words(&proxy, &listed[0]).await;
    assert_eq!(delete(&proxy, TENANT, &format!("/conversations/{id}")).await, 2, "its document and its answer");
    let mut left = Vec::new();
    for conversation in conversations(&proxy).await {
        left.push(words(&proxy, &conversation).await);
    }
    left.sort();
    expected.retain(|words| *words != gone);
    assert_eq!(left, expected, "the others are whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_another_chat_ended_with_brings_nothing_of_that_chat_into_the_prompt() {
    const SUMMARISE: &str = "Summarise what we agreed on so far in three bullet points, please.";
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut private = Conversation::new();
    for (user, assistant) in [
        ("I want to resign on 14 May because of Karl.", "Understood, 14 May."),
        ("My salary wish is 82,000 euros at Nordwind.", "82,000 at Nordwind, noted."),
        ("Do not tell anyone before April.", "Agreed, silence until April."),
        (SUMMARISE, "- resign 14 May"),
    ] {
        private.user(user);
        assert_eq!(say(&proxy, &upstream, &mut private, assistant).await, 0, "{user}");
    }
    let mut choir = Conversation::new();
    choir.user("We, the choir committee, agreed: summer concert on 5 July, Olga sings, tickets 12 euros.");
    choir.assistant("Good.");
    for question in [SUMMARISE, "When do I resign, and because of whom?"] {
        choir.user(question);
        assert_eq!(say(&proxy, &upstream, &mut choir, "- concert on 5 July").await, 0, "{question}");
        let forwarded = upstream.last_request();
        for word in ["Karl", "Nordwind", "82,000"] {
            assert!(!forwarded.contains(word), "{word} is asked for with {question}: {}", forwarded.json());
        }
    }
    let listed = conversations(&proxy).await;
    let turns: Vec<&Value> = listed.iter().map(|conversation| &conversation["turns"]).collect();
    assert_eq!(turns, [6, 8], "those that began last first");
    assert!(listed.iter().all(|conversation| conversation["branches_from"].is_null()), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_message_with_a_clock_and_a_short_answer_stay_one_conversation() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let clocks: [fn(usize) -> String; 4] = [
        |minute| format!("Current time: 2026-11-30T10:0{minute}:00Z. I am Erin, a beekeeper from Graz."),
        |minute| format!("2026年11月30日 10時0{minute}分 私はエリンです。"),
        |minute| format!("I am Erin, a beekeeper. 179603600{minute}"),
        |minute| format!("現在の時刻は10:0{minute}です。私は養蜂家のエリンです。"),
    ];
    for (number, clock) in clocks.into_iter().enumerate() {
        let mut behind: Vec<(String, String)> = Vec::new();
        for minute in 0..3 {
            let mut chat = Conversation::new();
            chat.user(&clock(minute));
            for (answer, question) in &behind {
                chat.assistant(answer);
                chat.user(question);
            }
            let answer = if minute == 0 { "Hi!".to_owned() } else { format!("Crate {number}-{minute}.") };
            assert_eq!(say(&proxy, &upstream, &mut chat, &answer).await, 0, "{}", clock(minute));
            behind.push((answer, format!("Item {number}-{minute} is a blue crate.")));
        }
        let listed = conversations(&proxy).await;
        assert_eq!((listed.len(), &listed[0]["turns"]), (number + 1, &Value::from(6)), "{}", clock(0));
    }
}

/// What is said in each conversation, in the order of the words.
async fn all_words(proxy: &StartedProxy) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for conversation in conversations(proxy).await {
        assert!(conversation["branches_from"].is_null(), "{conversation}");
        all.push(words(proxy, &conversation).await);
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_that_come_with_every_question_make_no_two_questions_one_conversation() {
    const EXAMPLES: [[&str; 2]; 2] = [
        ["The parcel came a week late and nobody answered my letters.", "complaint"],
        ["Thank you for the quick repair of my grandmother's clock.", "praise"],
    ];
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut expected = Vec::new();
    // Another first line, another first example, another first example with an answer that others have, too.
    let chats = [
        (&["You sort letters to a clockmaker in Graz."][..], "My cuckoo clock from Brandt has stopped."),
        (&["You sort letters to a bakery in Linz."], "Your rolls have shrunk since Karl left."),
        (&["When do you open on Sundays, please?", "question"], "Olga wants the walnut loaf back."),
        (&["The till was wrong by nine euros again.", "complaint"], "The terrace is lovely in May."),
        (&["The stairs were icy again this morning.", "complaint"], "Do you sell sourdough to take home?"),
    ];
    for (first, question) in chats {
        let mut chat = Conversation::new();
        for (at, text) in first.iter().copied().chain(EXAMPLES.into_iter().flatten()).enumerate() {
            // A first line is the user's and comes before the user's first example.
            let answers = if first.len() == 1 { at > 0 && at.is_multiple_of(2) } else { !at.is_multiple_of(2) };
            if answers { chat.assistant(text) } else { chat.user(text) }
        }
        chat.user(question);
        assert_eq!(say(&proxy, &upstream, &mut chat, "sorted").await, 0, "{question}");
        let said = first.iter().copied().chain(EXAMPLES.into_iter().flatten()).chain([question, "sorted"]);
        expected.push(said.map(str::to_owned).collect::<Vec<_>>());
    }
    expected.sort();
    assert_eq!(all_words(&proxy).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_one_request_with_another_date_is_another_chat_and_keeps_its_own_date() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut expected = Vec::new();
    for (date, question) in [
        ("2026-05-01", "Which flowers are in season, and where do I get them?"),
        ("2026-09-14", "Which flowers are in season, and where do I get them?"),
        ("2026-11-30", "Is it too late to plant tulips in the north of Styria?"),
    ] {
        let first = format!("Today is {date}. You help me with my garden in Graz.");
        let mut chat = Conversation::new();
        chat.user(&first);
        chat.assistant("Understood, I know the date and the garden.");
        chat.user(question);
        let answer = format!("Of {date}, then.");
        assert_eq!(say(&proxy, &upstream, &mut chat, &answer).await, 0, "{date}");
        expected.push(vec![first, "Understood, I know the date and the garden.".into(), question.into(), answer]);
    }
    assert_eq!(all_words(&proxy).await, expected);
}
