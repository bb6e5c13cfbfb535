//! A clock in a chat's first message: what stands behind it stays as it was, and turns leave no more often than where the clock
//! stands still.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::forwarded::raw_messages;
use mainpoint_tests::prompt_cache::Step;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::{Value, json};

use crate::shared::receipt_of;

const BUDGET: usize = 600;
/// Exchanges of a chat; it outgrows the budget before half of them.
const LENGTH: usize = 24;
/// Requests over the budget that every chat has at least.
const OVER: usize = 8;

/// Where a client writes the time.
struct Place {
    name: &'static str,
    /// The first messages of a chat at this time, with these words of the user's.
    begin: fn(&str, &str) -> Vec<Value>,
}

const PLACES: [Place; 3] = [
    Place {
        name: "in front of the first words",
        begin: |time, first| vec![json!({"role": "user", "content": format!("Current time: {time}\n{first}")})],
    },
    Place {
        name: "in a part of the first message",
        begin: |time, first| {
            let part = |text: &str| json!({"type": "text", "text": text});
            vec![json!({"role": "user", "content": [part(&format!("Current time: {time}")), part(first)]})]
        },
    },
    Place {
        name: "in the system message",
        begin: |time, first| {
            let system = format!("Current time: {time}\nYou are a friendly assistant.");
            vec![json!({"role": "system", "content": system}), json!({"role": "user", "content": first})]
        },
    },
];

/// What became of a chat.
struct Played {
    steps: Vec<Step>,
    /// Requests over the budget.
    over: usize,
    evictions: usize,
}

/// Plays a chat in the name of a caller of its own. `begin` gives the first messages of its request of this number, with these words
/// of the user's.
async fn play(
    proxy: &StartedProxy,
    upstream: &ScriptedUpstream,
    caller: &str,
    begin: impl Fn(usize, &str) -> Vec<Value>,
) -> Played {
    let chat = everyday_chat("7391-K");
    let mut played = Played { steps: Vec::new(), over: 0, evictions: 0 };
    for number in 0..LENGTH {
        let mut conversation = Conversation::new();
        begin(number, &chat[0].user).iter().for_each(|message| conversation.message(message));
        for (before, exchange) in chat[..=number].iter().enumerate() {
            if before > 0 {
                conversation.user(&exchange.user);
            }
            if before < number {
                conversation.assistant(&exchange.assistant);
            }
        }
        upstream.say_next(&chat[number].assistant);
        let answer = proxy.chat_as(caller, conversation.body()).await;
        let receipt = receipt_of(proxy, caller, &answer).await;
        let forwarded = upstream.last_request();
        prompt::assert_well_formed(&forwarded.json());
        let is_over = receipt["tokens_in"].as_u64().is_some_and(|tokens| tokens > BUDGET as u64);
        assert_eq!(answer.outcome(), if is_over { "rewritten" } else { "passthrough" }, "{receipt}");
        let evicts = receipt["eviction"]["is_new"] == true;
        played.over += usize::from(is_over);
        played.evictions += usize::from(evicts);
        played.steps.push(Step {
            sent: conversation.messages().to_vec(),
            forwarded: raw_messages(&forwarded.body),
            evicts,
        });
        proxy.everything_read().await;
    }
    played
}

/// The forwarded messages but for the one that tells the time.
fn behind_the_clock(step: &Step) -> Vec<&String> {
    let says = |message: &Value| prompt::own_text(message).starts_with("Current time: ");
    let tells = |raw: &str| says(&serde_json::from_str(raw).expect("a message"));
    step.forwarded.iter().filter(|message| !tells(message)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_clock_that_goes_on_the_prompt_stays_as_it_was_and_turns_leave_no_more_often() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::builder().upstream(&upstream.base_url()).budget(BUDGET, 100);
    let proxy = builder.start().await;
    for (number, Place { name: place, begin }) in PLACES.into_iter().enumerate() {
        let minute = |minute: usize, first: &str| begin(&format!("2026-11-30T08:{minute:02}:07Z"), first);
        let still =
            play(&proxy, &upstream, &format!("Bearer sk-test-still-{number}"), |_, first| minute(10, first)).await;
        let caller = format!("Bearer sk-test-ticking-{number}");
        let ticking = play(&proxy, &upstream, &caller, |now, first| minute(10 + now, first)).await;
        assert!(ticking.over >= OVER && ticking.over == still.over, "{place}: {} {}", ticking.over, still.over);
        assert!(
            (1..still.over).contains(&still.evictions),
            "{place}: turns leave with {} of {} requests",
            still.evictions,
            still.over
        );
        assert!(
            ticking.evictions <= still.evictions,
            "{place}: turns leave with {} requests where the clock goes on, with {} where it does not",
            ticking.evictions,
            still.evictions
        );
        for pair in ticking.steps.windows(2) {
            let [before, after] = pair else { continue };
            assert_ne!(before.sent.first(), after.sent.first(), "{place}: the clock goes on");
            if after.evicts {
                continue;
            }
            let (old, new) = (behind_the_clock(before), behind_the_clock(after));
            assert!(new.starts_with(&old), "{place}: the prompt behind the clock changed:\n{old:#?}\n{new:#?}");
        }
    }
}
