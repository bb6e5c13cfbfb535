//! What a provider's prompt cache sees of a chat: how far each prompt goes on where the one before it ended.

use crate::forwarded::fate;

/// A request of a chat: its messages with their exact bytes.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// As the client sent them.
    pub sent: Vec<String>,
    /// As they were forwarded.
    pub forwarded: Vec<String>,
    /// Whether turns left the prompt with this request.
    pub evicts: bool,
}

/// How the prompts of a chat followed each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PromptCache {
    /// Requests that follow another one of their chat.
    pub following: usize,
    /// How many of them the client sent with all messages of the one before, and others at the end alone.
    pub sent: usize,
    /// How many of them were forwarded so.
    pub forwarded: usize,
    /// With how many of them turns left the prompt.
    pub evictions: usize,
}

impl PromptCache {
    /// Counts a request that follows another one of its chat.
    ///
    /// # Panics
    /// When the cache is lost where the client has kept it: see [`lost`].
    pub fn follow(&mut self, before: &Step, after: &Step) {
        self.following += 1;
        self.sent += usize::from(after.sent.starts_with(&before.sent));
        self.forwarded += usize::from(after.forwarded.starts_with(&before.forwarded));
        self.evictions += usize::from(after.evicts);
        if let Some(message) = lost(before, after) {
            panic!("the prompt goes on otherwise from {message}\n{:#?}\n{:#?}", before.forwarded, after.forwarded);
        }
    }
}

/// The first message of the earlier prompt that the cache does not find in the later one, though it stands before everything that
/// the client itself has changed; `None` when there is none, and where turns leave.
///
/// What the client has not changed are the messages with which both requests begin, byte for byte. Those of them that were forwarded
/// with the earlier request, with whatever was written into them, must begin the later prompt.
///
/// # Panics
/// When a forwarded message is none of those that were sent.
#[must_use]
pub fn lost(before: &Step, after: &Step) -> Option<String> {
    if after.evicts {
        return None;
    }
    let shared = before.sent.iter().zip(&after.sent).take_while(|(one, other)| one == other).count();
    let kept = fate(&before.sent, &before.forwarded).retained.into_iter().take_while(|place| *place < shared).count();
    let mut later = after.forwarded.iter();
    before.forwarded[..kept].iter().find(|message| later.next() != Some(*message)).cloned()
}

#[cfg(test)]
mod tests {
    use super::{PromptCache, Step, lost};

    /// Messages with these words, and what was written into some of them.
    fn messages(words: &[&str]) -> Vec<String> {
        let message = |word: &&str| match word.split_once('+') {
            Some((said, block)) => {
                format!(r#"{{"role":"user","content":"<mainpoint-memory>\n{block}\n</mainpoint-memory>\n\n{said}"}}"#)
            }
            None => format!(r#"{{"role":"user","content":"{word}"}}"#),
        };
        words.iter().map(message).collect()
    }

    fn step(sent: &[&str], forwarded: &[&str]) -> Step {
        Step { sent: messages(sent), forwarded: messages(forwarded), evicts: false }
    }

    #[test]
    fn prompts_that_grow_at_their_end_are_counted() {
        let steps = [
            step(&["a", "b"], &["a", "b+x"]),
            step(&["a", "b", "c"], &["a", "b+x", "c+y"]),
            Step { evicts: true, ..step(&["a", "b", "c", "d"], &["c+y", "d"]) },
            step(&["a", "b", "c", "d", "e"], &["c+y", "d", "e"]),
        ];
        let mut cache = PromptCache::default();
        steps.windows(2).for_each(|pair| cache.follow(&pair[0], &pair[1]));
        assert_eq!(cache, PromptCache { following: 3, sent: 3, forwarded: 2, evictions: 1 });
    }

    #[test]
    fn a_message_that_changes_before_the_clients_own_changes_is_lost() {
        let before = step(&["a", "b", "c"], &["a", "b+x", "c"]);
        let kept = [
            step(&["a", "b", "d"], &["a", "b+x", "d"]),
            step(&["a", "d"], &["a", "d+z"]),
            step(&["now", "b", "c", "d"], &["now", "b", "c", "d"]),
        ];
        for after in &kept {
            assert_eq!(lost(&before, after), None, "{after:?}");
        }
        let changed = [
            (step(&["a", "b", "c", "d"], &["a", "b", "c", "d"]), "b+x"),
            (step(&["a", "b", "d"], &["a", "b+y", "d"]), "b+x"),
            (step(&["a", "b", "c", "d"], &["a", "b+x", "d"]), "c"),
            (step(&["a", "b", "c"], &["b+x", "c"]), "a"),
        ];
        for (after, message) in &changed {
            assert_eq!(lost(&before, after), messages(&[*message]).pop(), "{after:?}");
        }
    }
}
