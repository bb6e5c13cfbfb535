//! Whether what answers a question stands in the prompt that the upstream receives, through the built program.

use mainpoint_tests::{ScriptedUpstream, StartedProxy, prompt};

use crate::data::Conversation;
use crate::product::Product;
use crate::progress::over;
use crate::running::{Client, MODEL, NO_DEADLINE, program, with};

const SYSTEM: &str = "You are a helpful assistant.";
/// Most tokens of a forwarded prompt: the chats have more.
const BUDGET: u32 = 1200;
/// What the upstream says, which is nothing that was said before.
const REPLY: &str = "…";

/// Shows the program each conversation, and then asks every question of it aside. For each question, 1 if every evidence turn
/// arrived word for word, else 0.
pub(super) async fn play(product: &Product, conversations: &[Conversation]) -> Vec<f64> {
    let upstream = ScriptedUpstream::start().await;
    upstream.always(|request| request.said(REPLY));
    let builder = program(&upstream, BUDGET, [NO_DEADLINE]);
    let proxy = with(builder, product.overrides()).start().await;
    let mut found = Vec::new();
    for conversation in conversations {
        found.extend(ask(&proxy, &upstream, conversation).await);
    }
    proxy.stop().await;
    found
}

async fn ask(proxy: &StartedProxy, upstream: &ScriptedUpstream, conversation: &Conversation) -> Vec<f64> {
    let name = &conversation.name;
    let mut client = Client::new(MODEL, &format!("end-to-end-{name}"), SYSTEM);
    let turns = &conversation.turns;
    turns.iter().for_each(|turn| client.put(turn.role, &turn.message()));
    // Whatever is said first shows the program the whole chat; it is read before the first question.
    client.say_aside(proxy, REPLY).await;
    proxy.everything_read().await;
    let mut found = Vec::with_capacity(conversation.questions.len());
    for question in over(format!("asking {name} end to end"), &conversation.questions) {
        client.say_aside(proxy, &question.text).await;
        let request = upstream.last_request().json();
        let prompt: Vec<String> = prompt::messages(&request).iter().map(prompt::text).collect();
        let arrived = |turn: &usize| {
            let said = turns.get(*turn).map(|turn| turn.text.trim());
            said.is_some_and(|said| prompt.iter().any(|message| message.contains(said)))
        };
        let all = question.evidence.iter().all(arrived);
        found.push(if all { 1.0 } else { 0.0 });
    }
    found
}
