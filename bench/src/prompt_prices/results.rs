//! What each policy forwarded, round by round, and how much evidence its prompts held.

use std::sync::Arc;

use mainpoint_tests::prompt::{BLOCK_END, BLOCK_START, parts};

use super::evidence::Offered;
use super::message::{Message, Messages, Prompt, Role};
use super::play::{Forwarded, Played, SYSTEM};
use super::policies::{Policy, Request};
use super::pricing::{Charge, PromptCache, cacheable};
use crate::data::Conversation;

#[derive(Debug, Clone)]
pub(super) struct ChatResult {
    pub(super) name: String,
    /// Each policy's figures, in the order of [`Policy::ALL`].
    pub(super) policies: Vec<PolicyResult>,
    pub(super) evicts: Vec<bool>,
    pub(super) rewritten: usize,
    /// How many of mainpoint's requests went through untouched since something failed.
    pub(super) failed_open: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PolicyResult {
    /// What each round's prompt had and what came from the cache.
    pub(super) charges: Vec<Charge>,
    /// The share of each question's evidence.
    pub(super) evidence: Vec<f64>,
}

/// Token sums over the requests that evicted nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BetweenEvictions {
    pub(super) cached: usize,
    /// Tokens that would have come from the cache had every prompt only been appended to.
    pub(super) append_only: usize,
    pub(super) tokens: usize,
    /// Tokens of the untouched prompts of the same rounds, and those that came from the cache.
    pub(super) untouched: Charge,
}

impl ChatResult {
    /// Prices what was played and makes the other policies' prompts for the same conversation.
    pub(super) fn new(chat: &Conversation, played: &Played, budget: usize, messages: &mut Messages) -> Self {
        let count = |wanted: &str| played.rounds.iter().filter(|round| round.outcome == wanted).count();
        let (rewritten, failed_open) = (count("rewritten"), count("failed-open"));
        let evicts = played.rounds.iter().map(|round| round.evicts).collect();
        let policies = Policy::ALL.into_iter().map(|policy| replay(policy, chat, played, budget, messages)).collect();
        Self { name: chat.name.clone(), policies, evicts, rewritten, failed_open }
    }

    pub(super) fn policy(&self, policy: Policy) -> &PolicyResult {
        // Every policy has its place by how the results are made.
        &self.policies[policy as usize]
    }

    pub(super) fn evictions(&self) -> usize {
        self.evicts.iter().filter(|evicts| **evicts).count()
    }

    /// What the cache gave between two evictions.
    pub(super) fn between_evictions(&self) -> BetweenEvictions {
        let own = &self.policy(Policy::Mainpoint).charges;
        let untouched = &self.policy(Policy::Untouched).charges;
        let mut sums = BetweenEvictions::default();
        let rounds = own.iter().zip(untouched).zip(&self.evicts);
        for (before, ((charge, untouched), evicts)) in own.iter().zip(rounds.skip(1)) {
            if *evicts {
                continue;
            }
            sums.cached += charge.cached;
            sums.append_only += cacheable(before.tokens);
            sums.tokens += charge.tokens;
            sums.untouched = plus(sums.untouched, *untouched);
        }
        sums
    }
}

impl PolicyResult {
    pub(super) fn total(&self) -> Charge {
        self.charges.iter().copied().fold(Charge::default(), plus)
    }
}

fn plus(left: Charge, right: Charge) -> Charge {
    Charge { tokens: left.tokens + right.tokens, cached: left.cached + right.cached }
}

/// Every round and every question under one policy.
fn replay(
    policy: Policy,
    chat: &Conversation,
    played: &Played,
    budget: usize,
    messages: &mut Messages,
) -> PolicyResult {
    let system = messages.make(Role::System, SYSTEM);
    let mut turns: Vec<Arc<Message>> = Vec::new();
    let mut cache = PromptCache::default();
    let mut result = PolicyResult::default();
    for ([user, assistant], forwarded) in chat.turns.as_chunks::<2>().0.iter().zip(&played.rounds) {
        let asked = messages.make(Role::User, &user.text);
        let request = Request { system: &system, turns: &turns, asked: &asked };
        result.charges.push(cache.charge(prompt(policy, request, forwarded, budget, messages)));
        turns.extend([asked, messages.make(Role::Assistant, &assistant.text)]);
    }
    for (question, forwarded) in chat.questions.iter().zip(&played.questions) {
        let asked = messages.make(Role::User, &question.text);
        let request = Request { system: &system, turns: &turns, asked: &asked };
        let prompt = prompt(policy, request, forwarded, budget, messages);
        let evidence: Vec<&str> = question.evidence.iter().map(|turn| chat.turns[*turn].text.as_str()).collect();
        result.evidence.push(Offered::by(&prompt).share(&evidence));
    }
    result
}

fn prompt(
    policy: Policy,
    request: Request<'_>,
    forwarded: &Forwarded,
    budget: usize,
    messages: &mut Messages,
) -> Prompt {
    match policy {
        Policy::Untouched => request.untouched(),
        Policy::SlidingWindow => request.window(budget),
        Policy::SystemMemory => {
            let inside = forwarded.prompt.last().and_then(|message| parts(&message.text).block);
            let block = inside.map(|inside| format!("{BLOCK_START}{inside}{BLOCK_END}"));
            request.memory_in_system(budget, block.as_deref(), messages)
        }
        Policy::Recompressed => request.recompressed(budget, messages),
        Policy::Mainpoint => forwarded.prompt.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::Question;
    use crate::data::tests::{conversation, question};

    /// Two rounds; mainpoint forwards the second with a memory block and evicts there.
    pub(in crate::prompt_prices) fn result() -> ChatResult {
        let long = "fine ".repeat(1500);
        let said =
            ["the ferry is at noon", "more", "still more"].map(|user| [("user", user), ("assistant", long.as_str())]);
        let mut chat = conversation("some", said.as_flattened());
        chat.questions = vec![Question { text: "when?".to_owned(), ..question(&[0]) }];
        let mut messages = Messages::new();
        let block = "<mainpoint-memory>\nx\n[22 November 2026] user: the ferry is at noon\n</mainpoint-memory>";
        let mut forwarded = |said: &[&str], evicts: bool| Forwarded {
            prompt: [SYSTEM].iter().chain(said).map(|text| messages.make(Role::User, text)).collect(),
            outcome: if evicts { "rewritten" } else { "passthrough" }.to_owned(),
            evicts,
        };
        let played = Played {
            rounds: vec![
                forwarded(&["the ferry is at noon"], false),
                forwarded(&[&long, &format!("more\n\n{block}")], true),
                forwarded(&[&long, &format!("more\n\n{block}"), "still more"], false),
            ],
            questions: vec![forwarded(&[&format!("when?\n\n{block}")], false)],
        };
        ChatResult::new(&chat, &played, 2000, &mut messages)
    }

    #[test]
    fn every_policy_is_charged_for_every_round_and_judged_by_every_question() {
        let result = result();
        assert_eq!(result.policies.len(), Policy::ALL.len());
        for policy in Policy::ALL {
            assert_eq!((result.policy(policy).charges.len(), result.policy(policy).evidence.len()), (3, 1));
        }
        let tokens = |policy: Policy| result.policy(policy).charges[2].tokens;
        assert!(tokens(Policy::Untouched) > 3000 && tokens(Policy::SlidingWindow) <= 2000);
        assert!(tokens(Policy::SystemMemory) <= 2000 && tokens(Policy::Recompressed) <= 2000);
        assert_eq!((result.evictions(), result.rewritten, result.failed_open), (1, 1, 0));
    }

    #[test]
    fn memory_holds_the_evidence_that_a_window_has_lost() {
        let result = result();
        let share = |policy: Policy| result.policy(policy).evidence[0];
        assert_eq!((share(Policy::Untouched), share(Policy::SlidingWindow)), (1.0, 0.0));
        assert_eq!((share(Policy::SystemMemory), share(Policy::Mainpoint)), (1.0, 1.0));
    }

    #[test]
    fn requests_that_evict_are_left_out_of_what_lies_between() {
        let result = result();
        let own = &result.policy(Policy::Mainpoint).charges;
        let between = result.between_evictions();
        assert_eq!((between.cached, between.tokens), (own[2].cached, own[2].tokens));
        // The third prompt only appends to the second.
        assert_eq!(between.cached, between.append_only);
        assert!(between.cached > 1024);
        assert_eq!(between.untouched, result.policy(Policy::Untouched).charges[2]);
    }
}
