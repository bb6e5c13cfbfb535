//! What a memory is about: two subjects are told apart and named by their own words, for their owner alone, and what was deleted is no
//! part of them any more.

use http::Method;
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{ScriptedUpstream, StartedProxy};
use serde_json::{Value, json};

use crate::memory_api::{OTHER, call, conforms, delete, get};
use crate::memory_commands::run;
use crate::shared::KEY_VARIABLE;

/// What was said in March.
const GARDEN: [&str; 6] = [
    "My tomato seedlings in the garden need water every evening.",
    "I planted basil beside the tomato seedlings in the garden.",
    "The tomato plants in the garden have yellow leaves.",
    "Slugs ate the lettuce in my garden, but no tomato plants.",
    "The soil of the garden is too dry for my tomato plants.",
    "I harvested the first ripe tomato from the garden.",
];
/// What was said in September.
const GUITAR: [&str; 6] = [
    "My guitar teacher wants me to practise the new chord daily.",
    "The guitar strings broke while I played a loud chord.",
    "I bought new strings for my electric guitar.",
    "Playing this chord on the guitar hurts my fingers.",
    "The guitar lesson was about chord changes and rhythm.",
    "My guitar was out of tune at the concert of the band.",
];

/// A caller's memory of both.
async fn of_two_subjects(upstream: &ScriptedUpstream) -> StartedProxy {
    let proxy = StartedProxy::before(upstream).setting("store", "flush_interval_ms = 50").start().await;
    let lines = [("2026-03", GARDEN), ("2026-09", GUITAR)].into_iter().flat_map(|(month, texts)| {
        (1..).zip(texts).map(move |(day, text)| {
            let time = format!("{month}-0{day}T12:00:00Z");
            json!({"conversation": month, "role": "user", "text": text, "time": time}).to_string()
        })
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    let imported = call(&proxy, TENANT, Method::POST, "/import", lines).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    proxy.everything_searchable().await;
    proxy
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().expect("a list")
}

/// The sum of a count over all topics.
fn sum(found: &Value, key: &str) -> u64 {
    list(found, "data").iter().filter_map(|topic| topic[key].as_u64()).sum()
}

/// The topic whose name has one of these words.
fn named<'a>(found: &'a Value, words: &[&str]) -> &'a Value {
    let has = |topic: &&Value| {
        let mut name = list(topic, "words").iter().filter_map(Value::as_str).map(str::to_lowercase);
        name.any(|word| words.iter().any(|own| word.starts_with(own)))
    };
    list(found, "data").iter().find(has).unwrap_or_else(|| panic!("no topic is named by any of {words:?}: {found}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_subjects_are_two_topics_with_words_of_their_own_which_nobody_else_sees() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = of_two_subjects(&upstream).await;
    let document = get(&proxy, TENANT, "/openapi.json").await;
    let found = get(&proxy, TENANT, "/topics?topics=2").await;
    conforms(&document, "TopicList", &found);
    assert_eq!(get(&proxy, TENANT, "/topics?topics=2").await, found, "the same memory has the same topics");
    assert_eq!((list(&found, "data").len(), sum(&found, "turns")), (2, 12), "{found}");
    assert_eq!((&found["main_points"], &found["main_points_looked_at"]), (&json!(12), &json!(12)));
    assert_eq!(found["timeline_unit"], "month", "half a year lies between them");
    for (words, month) in [(["tomato", "garden"], "2026-03-01"), (["guitar", "chord"], "2026-09-01")] {
        let topic = named(&found, &words);
        assert!((3..=5).contains(&list(topic, "words").len()), "{topic}");
        let most = list(topic, "timeline").iter().max_by_key(|count| count["turns"].as_u64()).expect("a month");
        assert_eq!(most["from"], month, "{topic}");
        assert!(most["turns"].as_u64() >= Some(4), "{topic}");
        let counted: u64 = list(topic, "timeline").iter().filter_map(|count| count["turns"].as_u64()).sum();
        assert_eq!(json!(counted), topic["turns"]);
        assert_eq!(list(topic, "nearest").len(), 3);
        let id = topic["nearest"][0]["turn"].as_str().expect("an id");
        let turn = get(&proxy, TENANT, &format!("/turns/{id}")).await;
        assert!(words.iter().any(|word| turn["text"].as_str().is_some_and(|text| text.contains(word))), "{turn}");
    }
    assert_ne!(named(&found, &["tomato", "garden"]), named(&found, &["guitar", "chord"]));
    let usual = get(&proxy, TENANT, "/topics?nearest=0").await;
    conforms(&document, "TopicList", &usual);
    assert!(list(&usual, "data").iter().all(|topic| list(topic, "nearest").is_empty()), "{usual}");

    let foreign = get(&proxy, OTHER, "/topics").await;
    conforms(&document, "TopicList", &foreign);
    assert_eq!((&foreign["data"], &foreign["main_points"]), (&json!([]), &json!(0)));
    for (query, param, said) in [
        ("topics=0", "topics", "topics = \"0\"; expected a whole number from 1 to 100"),
        ("nearest=21", "nearest", "nearest = \"21\"; expected a whole number from 0 to 20"),
        ("limit=3", "limit", "expected no parameter but topics, nearest, scope"),
    ] {
        let refused = call(&proxy, TENANT, Method::GET, &format!("/topics?{query}"), "").await;
        let error = refused.error();
        assert_eq!((refused.status.as_u16(), &error["param"]), (400, &json!(param)), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(said)), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_in_no_topic_and_the_store_tells_the_same_as_the_proxy() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = of_two_subjects(&upstream).await;
    let all = get(&proxy, TENANT, "/topics?topics=2&nearest=20").await;
    let gone = named(&all, &["guitar", "chord"])["nearest"][0]["turn"].as_str().expect("an id").to_owned();
    assert_eq!(delete(&proxy, TENANT, &format!("/turns/{gone}")).await, 1);
    let left = get(&proxy, TENANT, "/topics?topics=2&nearest=20").await;
    assert_eq!((sum(&left, "turns"), &left["main_points"]), (11, &json!(11)), "{left}");
    assert!(!left.to_string().contains(&gone), "{left}");

    let (home, url) = (proxy.home(), format!("http://{}", proxy.authority()));
    let shown = run(&home, &["topics", "--url", &url, "--key-env", KEY_VARIABLE]).await.successful().stdout;
    assert!(shown.contains("topic") && shown.contains("2026-09-"), "{shown}");
    proxy.stop().await;
    let asked = ["topics", "--json", "--topics", "2", "--nearest", "20"];
    let stored = run(&home, &asked).await.successful().stdout;
    assert_eq!(serde_json::from_str::<Value>(&stored).expect("JSON"), left);
    run(&home, &["forget", "--everything"]).await.successful();
    // Nothing is left of the only memory of the store, so that it has none.
    let nothing = run(&home, &asked).await;
    assert!(nothing.stderr.contains("no memories"), "{}", nothing.said());
}
