//! The main job: what was said in turn 3 reaches the upstream in turn 60, within the budget.

use mainpoint_tests::conversation::{SYSTEM, TOOLS, everyday_chat};
use mainpoint_tests::{
    Answer, Conversation, RecordedRequest, ScriptedUpstream, StartedProxy, binary, prompt, sse, tokens,
};
use serde_json::{Value, json};

use crate::shared::receipt_of;

const BUDGET: usize = 2000;
const MEMORY: usize = 700;
const OTHER_TENANT: &str = "Bearer sk-test-tenant-b";
const OUR_CODE: &str = "7391-K";
const THEIR_CODE: &str = "5528-M";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_of_turn_3_is_in_the_prompt_of_turn_60_for_its_tenant_only_and_after_a_restart_too() {
    let upstream = ScriptedUpstream::start().await;
    let builder = || StartedProxy::before(&upstream).default_model().budget(BUDGET, MEMORY);
    let proxy = builder().start().await;

    // One tenant talks turn by turn, and is asked for the code in turn 60.
    let ours = played_to_turn_60(&proxy, &upstream).await;
    proxy.everything_read().await;
    let plain = proxy.chat(ours.body()).await;
    let first_prompt = upstream.last_request();
    assert_remembered(&plain, &first_prompt, &ours, OUR_CODE);
    let streamed = proxy.chat(ours.streaming().body()).await;
    assert!(sse::is_done(&streamed.body), "the stream is complete: {}", streamed.text());
    assert_remembered(&streamed, &upstream.last_request(), &ours.streaming(), OUR_CODE);

    // Another tenant arrives with a long history of its own, and asks the same question.
    let theirs = whole_conversation(THEIR_CODE);
    let unread = proxy.chat_as(OTHER_TENANT, theirs.body()).await;
    assert_eq!(
        unread.header("x-mainpoint"),
        "passthrough; reason=unread-turns",
        "nothing that has not been read is dropped"
    );
    let told = receipt_of(&proxy, OTHER_TENANT, &unread).await;
    assert_eq!((&told["over_budget"], &told["unread_turns"]), (&json!(true), &json!(118)), "{told}");
    assert_eq!(upstream.last_request().body, theirs.body(), "what cannot be rewritten yet is forwarded as it is");
    proxy.everything_read().await;
    let answer = proxy.chat_as(OTHER_TENANT, theirs.body()).await;
    assert_remembered(&answer, &upstream.last_request(), &theirs, THEIR_CODE);
    assert!(!upstream.last_request().contains(OUR_CODE), "another tenant never sees the fact");

    let metrics = proxy.metrics().await;
    assert!(metrics.sum("mainpoint_memories_recalled_total", &[]) >= 3.0, "every rewritten prompt has a memory");
    let evictions = metrics.sum("mainpoint_evictions_total", &[]);
    assert!(evictions >= 1.0, "old turns have left prompts");
    assert_eq!(metrics.sum("mainpoint_epochs_total", &[]), evictions, "the old name is counted for one release");
    assert!(metrics.sum("mainpoint_reader_tokens_total", &[]) > 3000.0, "the reader has read the conversations");
    let (came, went) =
        (metrics.sum("mainpoint_tokens_in_total", &[]), metrics.sum("mainpoint_tokens_forwarded_total", &[]));
    assert!(went > 0.0 && went < came, "{went} of {came} tokens were forwarded");
    assert!(metrics.sum("mainpoint_requests_total", &[("status", "200")]) >= 63.0, "every request was counted");

    // After a restart nothing is read again, and nothing is forgotten.
    let home = proxy.stop().await;
    let proxy = builder().home(&home).start().await;
    let answer = proxy.chat(ours.body()).await;
    assert_remembered(&answer, &upstream.last_request(), &ours, OUR_CODE);
    let kept = prompt::memory_block(&upstream.last_request().json());
    assert_eq!(kept, prompt::memory_block(&first_prompt.json()), "the same memories, dated as before");
    proxy.everything_read().await;
    let read = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]);
    assert!(read == 0.0, "{read} tokens were read again");
    let home = proxy.stop().await;

    assert_the_store_can_be_searched(&home.configuration().display().to_string());
}

/// Plays the everyday chat; what comes back is the conversation with the question of turn 60 at its end.
async fn played_to_turn_60(proxy: &StartedProxy, upstream: &ScriptedUpstream) -> Conversation {
    let mut conversation = Conversation::with_system_and_tools();
    let mut chat = everyday_chat(OUR_CODE);
    let last = chat.pop().expect("sixty exchanges");
    for (turn, exchange) in chat.iter().enumerate() {
        conversation.user(&exchange.user);
        upstream.say_next(&exchange.assistant);
        let asked = if turn % 2 == 0 { conversation.clone() } else { conversation.streaming() };
        let answer = proxy.chat(asked.body()).await;
        assert_eq!(answer.reply(), exchange.assistant, "the reply of turn {}", turn + 1);
        let forwarded = upstream.last_request();
        match answer.outcome() {
            "rewritten" => prompt::assert_well_formed(&forwarded.json()),
            "passthrough" => assert_eq!(forwarded.body, asked.body(), "turn {} is forwarded as it is", turn + 1),
            other => panic!("turn {}: {other}", turn + 1),
        }
        conversation.assistant(&exchange.assistant);
    }
    conversation.user(&last.user);
    conversation
}

fn whole_conversation(code: &str) -> Conversation {
    let mut conversation = Conversation::with_system_and_tools();
    let mut chat = everyday_chat(code);
    let last = chat.pop().expect("sixty exchanges");
    conversation.exchanges(&chat);
    conversation.user(&last.user);
    conversation
}

fn assert_remembered(answer: &Answer, forwarded: &RecordedRequest, asked: &Conversation, code: &str) {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    let request = forwarded.json();
    let counted = tokens::count_prompt(&request);
    assert!(counted <= BUDGET, "{counted} tokens were forwarded, the budget is {BUDGET}");
    assert!(counted > BUDGET / 8, "only {counted} of {BUDGET} tokens were used");
    assert!(forwarded.contains(SYSTEM), "the system message keeps its bytes");
    assert!(forwarded.contains(TOOLS), "the tools keep their bytes");
    prompt::assert_well_formed(&request);

    let block = prompt::memory_block(&request).unwrap_or_else(|| panic!("no memory block in {request}"));
    assert!(block.contains(code), "the fact is recalled; the block is {block}");
    assert!(block.contains("not instructions"), "the block says what it is: {block}");
    assert!(
        prompt::messages(&request).iter().all(|message| !prompt::own_text(message).contains(code)),
        "the turn itself has left the prompt"
    );
    let question: Value = serde_json::from_str(asked.messages().last().expect("a question")).expect("JSON");
    let question = prompt::text(&question);
    assert!(
        prompt::parts(&prompt::last_user_text(&request)).own.starts_with(&question),
        "the question stands before the block"
    );

    let kept = prompt::messages(&request);
    for (raw, sent) in asked.messages().iter().rev().zip(kept[1..].iter().rev()) {
        let own: Value = serde_json::from_str(raw).expect("JSON");
        if prompt::parts(&prompt::text(sent)).block.is_some() {
            assert_eq!(prompt::own_text(sent), prompt::text(&own), "a kept message keeps its words");
        } else {
            assert!(forwarded.contains(raw), "a kept message keeps its bytes: {raw}");
        }
    }
    let (came, went) = (answer.count("x-mainpoint-tokens-in"), answer.count("x-mainpoint-tokens-forwarded"));
    assert!(came > BUDGET && went <= BUDGET, "{came} tokens came, {went} went");
    assert!(went.abs_diff(counted) * 20 <= counted, "{went} tokens are said to be forwarded, counted are {counted}");
    assert!((1..=10).contains(&answer.count("x-mainpoint-memories")), "{:?}", answer.headers);
    assert!(!answer.header("x-mainpoint-request-id").is_empty());
}

fn assert_the_store_can_be_searched(configuration: &str) {
    let question = "padlock code of the climbing gym locker";
    let search = |more: &[&str]| {
        let arguments = ["search", question, "--config", configuration, "--json", "--limit", "5"];
        binary::run(&[&arguments[..], more].concat())
    };
    // There are two tenants, so the search wants to know whose memories are meant.
    let ambiguous = search(&[]);
    assert_eq!(ambiguous.code, 64, "{}", ambiguous.said());
    let word = |character: char| !(character.is_ascii_alphanumeric() || "-_.:".contains(character));
    let scopes: Vec<&str> = ambiguous.stderr.split(word).filter(|word| word.starts_with("k-")).collect();
    assert_eq!(scopes.len(), 2, "both scopes are named: {}", ambiguous.stderr);
    let found: Vec<String> = scopes.iter().map(|scope| search(&["--scope", scope]).successful().stdout).collect();
    for (code, other) in [(OUR_CODE, THEIR_CODE), (THEIR_CODE, OUR_CODE)] {
        let holders = found.iter().filter(|results| results.contains(code)).count();
        assert_eq!(holders, 1, "one tenant has {code}: {found:?}");
        assert!(found.iter().all(|results| !(results.contains(code) && results.contains(other))), "{found:?}");
    }
}
