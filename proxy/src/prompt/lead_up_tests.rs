//! What becomes of what was said right before the question when turns leave: an agent's rounds leave first, the task and the
//! answer stay as long as they are small, and what has been read leaves before what has not.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const BUDGET: usize = 2300;
const PROPOSAL: &str = "The broker is out of leases. I suggest to raise lease.max to 400. Shall I?";

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

fn words(count: usize) -> String {
    "word ".repeat(count)
}

/// A call and its result of so many words.
fn round(number: usize, count: usize) -> [Value; 2] {
    let id = format!("call-{number}");
    let call = json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
    [
        json!({"role": "assistant", "content": null, "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": id, "content": format!("result {number} {}", words(count))}),
    ]
}

/// An agent that was given a task, has made four rounds of calls for it, and answers.
fn worked(answer: &str) -> Vec<Value> {
    let mut messages = vec![
        json!({"role": "system", "content": "You are a coding agent."}),
        user("Please find out why the job harvest-7 fails; the ticket is OPS-4711."),
    ];
    messages.extend((0..4).flat_map(|number| round(number, 600)));
    messages.push(assistant(answer));
    messages
}

fn new() -> Case {
    let mut case = Case::new(FakeMemory::default());
    case.planner.config.budget_tokens = BUDGET;
    case
}

async fn planned(case: &mut Case, messages: &[Value]) -> (Plan, Vec<Value>) {
    case.body = request(messages);
    let plan = case.plan(Mode::On).await;
    let body: Value = serde_json::from_slice(&plan.body).unwrap();
    let went = body["messages"].as_array().unwrap().clone();
    (plan, went)
}

/// Those of the messages with these indices.
fn some(messages: &[Value], indices: &[usize]) -> Vec<Value> {
    indices.iter().map(|index| messages[*index].clone()).collect()
}

#[tokio::test]
async fn the_task_and_the_answer_before_a_question_stay_while_the_rounds_between_them_leave() {
    let mut case = new();
    let mut messages = worked(PROPOSAL);
    messages.push(user("OK, do both please, but wait for my go."));
    let (plan, went) = planned(&mut case, &messages).await;
    assert!(plan.evicts, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[0, 1, 10, 11]));

    // They stay when something short has been said since, whatever is said then.
    messages.extend([assistant("I wait for your go."), user("go")]);
    for last in ["go", "Yes, do it now."] {
        messages[13] = user(last);
        let (plan, went) = planned(&mut case, &messages).await;
        assert!(!plan.evicts, "{:?}", plan.receipt);
        assert_eq!(went, some(&messages, &[0, 1, 10, 11, 12, 13]));
    }
}

#[tokio::test]
async fn the_task_and_the_answer_that_the_user_has_only_confirmed_since_stay_too() {
    let mut messages = worked(PROPOSAL);
    messages.extend([user("OK, but wait."), assistant("I wait."), user("go")]);
    let (plan, went) = planned(&mut new(), &messages).await;
    assert!(plan.evicts, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[0, 1, 10, 11, 12, 13]));
}

#[tokio::test]
async fn an_answer_that_is_large_itself_leaves_with_what_it_answers() {
    let mut messages = worked(&words(700));
    messages.push(user("OK, do both please."));
    let (plan, went) = planned(&mut new(), &messages).await;
    assert!(plan.evicts, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[0, 11]));
}

#[tokio::test]
async fn of_a_chat_without_tools_the_last_answer_stays_when_the_one_before_it_leaves() {
    let said = |count| [user(&words(count)), assistant(&words(count))];
    let messages = [&said(600)[..], &said(300), &[user(&words(700))]].concat();
    let (plan, went) = planned(&mut new(), &messages).await;
    assert!(plan.evicts, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[2, 3, 4]));
}

#[tokio::test]
async fn the_last_answer_leaves_where_the_prompt_comes_within_the_budget_only_without_it() {
    let messages = [user(&words(500)), assistant(&words(500)), user(&words(1700))];
    let (plan, went) = planned(&mut new(), &messages).await;
    assert!(plan.evicts && !plan.receipt.over_budget, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[2]));
    // And stays where that does not help.
    let messages = [user(&words(500)), assistant(&words(500)), user(&words(2700))];
    let (plan, went) = planned(&mut new(), &messages).await;
    assert!(!plan.evicts && plan.receipt.over_budget, "{:?}", plan.receipt);
    assert_eq!(went, messages);
}

#[tokio::test]
async fn an_answer_that_left_for_a_large_question_does_not_come_back_when_that_leaves() {
    let mut case = new();
    let mut messages = vec![user(&words(200)), assistant(&words(250)), user(&words(1900))];
    let (plan, went) = planned(&mut case, &messages).await;
    assert!(plan.evicts && !plan.receipt.over_budget, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[2]));
    // The question was not answered, so that the next one would lean on what was said before it.
    messages.push(user(&words(500)));
    let (plan, went) = planned(&mut case, &messages).await;
    assert!(plan.evicts && !plan.receipt.over_budget, "{:?}", plan.receipt);
    assert_eq!(went, some(&messages, &[3]));
}

#[tokio::test]
async fn rounds_that_have_been_read_leave_though_the_newest_one_and_the_answer_have_not() {
    for (answer, of_the_end) in [(PROPOSAL.to_owned(), 2), (words(700), 2)] {
        let mut case = new();
        let mut messages = worked(&answer);
        messages.push(user("And which ticket is it?"));
        case.body = request(&messages);
        let turns = case.plan(Mode::Shadow).await.intake.turns;
        let is_new = |turn: &&Turn| turn.text.starts_with("result 3 ") || turn.text.trim() == answer.trim();
        case.planner.memory.unread = turns.iter().filter(is_new).map(|turn| turn.id).collect();
        assert_eq!(case.planner.memory.unread.len(), of_the_end);
        let (plan, went) = planned(&mut case, &messages).await;
        assert!(plan.evicts && !plan.receipt.over_budget, "{:?}", plan.receipt);
        assert_eq!(plan.receipt.unread_turns, of_the_end);
        assert_eq!(went, some(&messages, &[0, 1, 8, 9, 10, 11]));
        // The eviction holds when they have been read.
        case.planner.memory.unread = HashSet::new();
        let (plan, again) = planned(&mut case, &messages).await;
        assert_eq!((plan.evicts, again), (false, went));
    }
}

/// A task, the rounds that were made for it, and the answer; words of each.
type Worked = (usize, Vec<usize>, usize);

/// Words of which a prompt of what stays whatever happens and the question's lead-up is always within the budget.
fn tasks() -> impl Strategy<Value = Vec<Worked>> {
    let rounds = prop::collection::vec(0..500_usize, 0..6);
    prop::collection::vec((0..200_usize, rounds, 0..300_usize), 1..8)
}

/// What each request of an agent that works on these tasks brings, and the index of the question that it works for.
fn requests(tasks: &[Worked]) -> Vec<(Vec<Value>, usize)> {
    let mut messages = vec![json!({"role": "system", "content": "You are a coding agent."})];
    let mut requests = Vec::new();
    for (number, (asked, rounds, answered)) in tasks.iter().enumerate() {
        let question = messages.len();
        messages.push(user(&format!("task {number} {}", words(*asked))));
        requests.push((messages.clone(), question));
        for (at, count) in rounds.iter().enumerate() {
            messages.extend(round(number * 100 + at, *count));
            requests.push((messages.clone(), question));
        }
        messages.push(assistant(&format!("answer {number} {}", words(*answered))));
    }
    requests
}

/// Whether a service takes messages of these roles after one another.
fn follows(before: &Value, after: &Value) -> bool {
    let calls = before["tool_calls"].is_array();
    match (before["role"].as_str().unwrap(), after["role"].as_str().unwrap()) {
        ("system", "user") | ("user", "assistant") | ("tool", "assistant") => true,
        ("assistant", "tool") => before["tool_calls"][0]["id"] == after["tool_call_id"],
        ("assistant", "user") => !calls,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_answer_before_the_question_never_leaves_and_what_has_left_stays_out_until_more_does(tasks in tasks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut case = new();
        let mut before: Vec<Value> = Vec::new();
        for (came, question) in requests(&tasks) {
            let (plan, went) = runtime.block_on(planned(&mut case, &came));
            prop_assert_ne!(plan.outcome, PlanOutcome::FailedOpen);
            prop_assert!(!plan.receipt.over_budget, "{:?}", plan.receipt);
            let mut rest = came.iter();
            prop_assert!(went.iter().all(|message| rest.any(|own| own == message)), "in order, as they came");
            prop_assert!(went.windows(2).all(|pair| follows(&pair[0], &pair[1])), "{:?}", plan.receipt);
            prop_assert_eq!(went.last(), came.last());
            let answer = &came[question - 1];
            prop_assert!(went.contains(answer) && went.contains(&came[question]), "{:?}", plan.receipt);
            if !plan.evicts {
                prop_assert!(went.starts_with(&before), "the prompt only grows: {:?}", plan.receipt);
            }
            before = went;
        }
    }
}
