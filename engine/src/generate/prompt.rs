//! Messages as a prompt, written as the model's own chat template says.
//!
//! What a message says is never taken for a part of the template: a text that looks like the end of a turn stays a text.

use llama_cpp_2::model::LlamaChatMessage;
use llama_cpp_2::token::LlamaToken;

use super::{ChatMessage, ChatModel, ChatRole, failed};
use crate::EngineError;
use crate::llama::tokens::tokenize;

/// No template writes more tokens around a message.
const AROUND: usize = 16;
/// Few texts have more bytes a token; of a longer one the end is looked at.
const TOKEN_BYTES: usize = 16;

/// A message in tokens.
#[derive(Debug, Clone, PartialEq)]
struct Spoken {
    role: ChatRole,
    tokens: Vec<LlamaToken>,
}

impl ChatModel {
    /// The tokens of a conversation up to where the model's reply begins, at most `room`. Of a conversation that is longer the
    /// oldest messages are left out, but for the system's; of a message that is longer the beginning.
    pub(super) fn prompt(&self, messages: &[ChatMessage], room: usize) -> Result<Vec<LlamaToken>, EngineError> {
        let spoken = messages
            .iter()
            .filter(|message| !message.text.trim().is_empty())
            .map(|message| Spoken { role: message.role, tokens: self.tokens_of(&message.text, room) });
        let spoken = fit(spoken.collect(), room);
        let written = self.written(&spoken)?;
        let vocabulary = self.model.llama.vocab();
        let mut tokens = Vec::new();
        if vocabulary.should_add_bos() {
            tokens.push(vocabulary.bos());
        }
        for (index, part) in written.split(END).enumerate() {
            let (around, message) = part.split_once(BEGIN).unwrap_or((part, ""));
            let own = vocabulary.tokenize(around.as_bytes(), false, true);
            let is_doubled = index == 0 && tokens.len() == 1 && own.first() == tokens.first();
            tokens.extend(own.into_iter().skip(usize::from(is_doubled)));
            let said = message.parse::<usize>().ok().and_then(|index| spoken.get(index));
            tokens.extend(said.iter().flat_map(|said| &said.tokens));
        }
        let surplus = tokens.len().saturating_sub(room);
        tokens.drain(..surplus);
        if tokens.is_empty() {
            return Err(failed(&"the chat template writes nothing"));
        }
        Ok(tokens)
    }

    fn tokens_of(&self, text: &str, room: usize) -> Vec<LlamaToken> {
        let mut start = text.len().saturating_sub(room * TOKEN_BYTES);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let tokens = tokenize(&self.model.llama, text.get(start..).unwrap_or_default());
        tokens.into_iter().map(|token| token.id).collect()
    }

    /// The template with the numbers of the messages in their places.
    fn written(&self, spoken: &[Spoken]) -> Result<String, EngineError> {
        let mut messages = Vec::new();
        for (index, spoken) in spoken.iter().enumerate() {
            let place = format!("{BEGIN}{index}{END}");
            let message = LlamaChatMessage::new(name(spoken.role).into(), place);
            messages.push(message.map_err(|error| failed(&error))?);
        }
        let written = self.model.llama.apply_chat_template(&self.template, &messages, true);
        written.map_err(|error| failed(&error))
    }
}

/// What stands around the number of a message; no template has these characters.
const BEGIN: char = '\u{1}';
const END: char = '\u{2}';

fn name(role: ChatRole) -> &'static str {
    match role {
        ChatRole::System => "system",
        ChatRole::User => "user",
        ChatRole::Assistant => "assistant",
    }
}

/// Leaves out messages, and beginnings of messages, until the rest has room. The last message stays.
fn fit(mut spoken: Vec<Spoken>, room: usize) -> Vec<Spoken> {
    let cost = |spoken: &[Spoken]| spoken.iter().map(|one| one.tokens.len() + AROUND).sum::<usize>();
    let mut surplus = (cost(&spoken) + AROUND).saturating_sub(room);
    let last = spoken.len().saturating_sub(1);
    let mut index = 0;
    spoken.retain(|one| {
        let goes = surplus > 0 && one.role != ChatRole::System && index < last;
        if goes {
            surplus = surplus.saturating_sub(one.tokens.len() + AROUND);
        }
        index += 1;
        !goes
    });
    // Of what is left the longest gives way.
    while surplus > 0 {
        let Some(longest) = spoken.iter_mut().max_by_key(|one| one.tokens.len()) else {
            break;
        };
        let cut = surplus.min(longest.tokens.len().div_ceil(2));
        if cut == 0 {
            break;
        }
        longest.tokens.drain(..cut);
        surplus -= cut;
    }
    spoken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(role: ChatRole, count: usize) -> Spoken {
        let tokens = (0..).take(count).map(LlamaToken).collect();
        Spoken { role, tokens }
    }

    #[test]
    fn the_oldest_messages_give_way_and_the_systems_stay() {
        let spoken = vec![
            said(ChatRole::System, 10),
            said(ChatRole::User, 50),
            said(ChatRole::Assistant, 50),
            said(ChatRole::User, 20),
        ];
        assert_eq!(fit(spoken.clone(), 1000), spoken);
        let retained = fit(spoken.clone(), 200);
        assert_eq!(retained, [spoken[0].clone(), spoken[2].clone(), spoken[3].clone()]);
        let retained = fit(spoken.clone(), 100);
        assert_eq!(retained, [spoken[0].clone(), spoken[3].clone()]);
    }

    #[test]
    fn of_a_message_that_is_too_long_the_end_stays() {
        let retained = fit(vec![said(ChatRole::User, 500)], 132);
        assert_eq!(retained.len(), 1);
        assert_eq!(retained[0].tokens.len(), 100);
        assert_eq!(retained[0].tokens.last(), Some(&LlamaToken(499)));
    }

    fn anybody() -> impl Strategy<Value = ChatRole> {
        prop_oneof![Just(ChatRole::System), Just(ChatRole::User), Just(ChatRole::Assistant)]
    }

    proptest! {
        #[test]
        fn what_is_retained_fits_and_ends_with_the_last_message(
            lengths in prop::collection::vec((anybody(), 1_usize..200), 1..10),
            room in 0_usize..1500,
        ) {
            let spoken: Vec<Spoken> = lengths.into_iter().map(|(role, count)| said(role, count)).collect();
            let retained = fit(spoken.clone(), room);
            let around = (retained.len() + 1) * AROUND;
            let tokens: usize = retained.iter().map(|one| one.tokens.len()).sum();
            prop_assert!(tokens == 0 || tokens + around <= room);
            prop_assert_eq!(retained.last().map(|one| one.role), spoken.last().map(|one| one.role));
        }
    }
}
