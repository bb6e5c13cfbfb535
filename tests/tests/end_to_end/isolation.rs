//! Memories belong to one branch of a conversation: what an edited turn replaced is not known in the new one.
//!
//! That memories belong to one caller is shown in `callers`.

use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};

const FACT: &str = "Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.";
const QUESTION: &str = "Where does grandmother's recipe box stand?";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_turn_begins_a_branch_that_does_not_know_what_it_replaced() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(200, 100).start().await;
    let with = |opening: &str| {
        let mut conversation = Conversation::new();
        conversation.user(opening);
        conversation.assistant("I will keep that in mind.");
        for message in small_talk(QUESTION).messages() {
            conversation.raw(message);
        }
        conversation
    };
    let (first, edited) = (with(FACT), with("Grandmother's recipe box was sold together with 12 spoons."));
    for conversation in [&first, &edited] {
        proxy.chat(conversation.body()).await;
    }
    proxy.everything_read().await;
    for (conversation, own, other) in [(&edited, "12 spoons", "31 marbles"), (&first, "31 marbles", "12 spoons")] {
        let answer = proxy.chat(conversation.body()).await;
        assert_eq!(answer.outcome(), "rewritten");
        let block = prompt::memory_block(&upstream.last_request().json()).expect("a memory block");
        assert!(block.contains(own) && !block.contains(other), "{block}");
    }

    // A client that sends the injected block back with its message does not make it a memory, nor another branch.
    let rewritten = upstream.last_request().json();
    let mut echoed = first.clone();
    let mut messages: Vec<String> = echoed.messages().to_vec();
    messages.pop();
    echoed = Conversation::new();
    for message in messages {
        echoed.raw(&message);
    }
    echoed.message(prompt::messages(&rewritten).last().expect("the question with its block"));
    proxy.everything_read().await;
    let before = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]);
    proxy.chat(echoed.body()).await;
    proxy.everything_read().await;
    let after = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]);
    assert!(after - before < 1.0, "{} tokens of the block were read as if somebody had said them", after - before);
    let forwarded = upstream.last_request();
    let blocks = prompt::last_user_text(&forwarded.json()).matches(prompt::BLOCK_START).count();
    assert_eq!(blocks, 1, "one block, not a block in a block: {}", forwarded.json());
}

/// A conversation of more than 200 tokens that ends with `question`.
pub(crate) fn small_talk(question: &str) -> Conversation {
    let mut conversation = Conversation::new();
    for (user, assistant) in [
        (
            "I walked along the river this morning and counted the herons.",
            "How lovely, herons like quiet mornings by the water.",
        ),
        (
            "There were nine of them, standing in a row like waiters.",
            "Nine is a lot! Perhaps there is a colony nearby.",
        ),
        (
            "Then it began to rain and I hid under the old railway bridge.",
            "A good shelter, and the sound of rain under it is nice.",
        ),
        (
            "A man with a cello was hiding there too, he played for an hour.",
            "What luck! Rain and a cello make a fine concert.",
        ),
        (
            "On the way home I bought plums, a whole kilo of them.",
            "Plums are wonderful now, try them with a little cinnamon.",
        ),
        (
            "I made a cake of half of them and gave the other half to my neighbours.",
            "They will be glad. Did you leave the skins on or did you take them off?",
        ),
        (
            "I left them on, and one of the neighbours gave me a bunch of asters for it.",
            "Cake for flowers is a very good trade, put them into a tall vase.",
        ),
    ] {
        conversation.user(user);
        conversation.assistant(assistant);
    }
    conversation.user(question);
    conversation
}
