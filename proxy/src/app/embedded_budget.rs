//! The budget of prompts that the embedded model answers: what it refuses for its length must not be forwarded to it.

use crate::config::MemoryConfig;

/// Lowers the budget to what the embedded model takes, if its longest prompt has so many tokens. Says so in the log.
pub(super) fn fit(memory: &mut MemoryConfig, longest_prompt: usize) {
    let most = longest_prompt - longest_prompt / UNCOUNTED_PART;
    if memory.budget_tokens <= most {
        return;
    }
    tracing::info!(
        most,
        configured = memory.budget_tokens,
        "memory.budget_tokens is more than the embedded model takes; a forwarded prompt has at most what it does take"
    );
    memory.budget_tokens = most;
    if memory.memory_tokens >= most {
        // The share of the smaller budget holds instead.
        memory.memory_tokens = 0;
    }
}

/// Our count of a prompt may be lower than the model's own by this part, until the model's answers have taught better.
const UNCOUNTED_PART: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(budget_tokens: usize, memory_tokens: usize) -> (usize, usize) {
        let mut memory = MemoryConfig { budget_tokens, memory_tokens, ..MemoryConfig::default() };
        fit(&mut memory, 7168);
        (memory.budget_tokens, memory.memory_tokens)
    }

    #[test]
    fn a_budget_that_the_embedded_model_cannot_take_is_lowered() {
        assert_eq!(fitted(16_000, 0), (5974, 0));
        assert_eq!(fitted(16_000, 3000), (5974, 3000));
        assert_eq!(fitted(16_000, 9000), (5974, 0));
    }

    #[test]
    fn a_smaller_budget_stays() {
        assert_eq!(fitted(5974, 0), (5974, 0));
        assert_eq!(fitted(200, 100), (200, 100));
    }
}
