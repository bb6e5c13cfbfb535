//! Messages as a prompt, written as the model's own chat template says.
//!
//! What a message says is never taken for a part of the template: a text that looks like the end of a turn stays a text. It must
//! not know how a reply is computed.

use llama_cpp_2::model::LlamaChatMessage;
use llama_cpp_2::token::LlamaToken;

use super::{ChatMessage, ChatModel, ChatRole, failed};
use crate::EngineError;
use crate::error::TokenCount;
use crate::llama::tokens::first_tokens;

/// A message in tokens.
#[derive(Debug, Clone, PartialEq)]
struct Spoken {
    role: ChatRole,
    tokens: Vec<LlamaToken>,
}

/// So many tokens are counted in about a second; a prompt with more of them is refused without counting on.
const MOST_COUNTED: usize = 1 << 17;

impl ChatModel {
    /// The tokens of a conversation up to where the model's reply begins.
    ///
    /// # Errors
    /// [`EngineError::PromptTooLong`] where they are more than [`ChatModel::longest_prompt`], or what the chat template refuses.
    pub(super) fn prompt(&self, messages: &[ChatMessage]) -> Result<Vec<LlamaToken>, EngineError> {
        let spoken = self.spoken(messages)?;
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
        if tokens.is_empty() {
            return Err(failed(&"the chat template writes nothing"));
        }
        if tokens.len() > self.longest_prompt() {
            return Err(self.too_long(TokenCount::Exactly(tokens.len())));
        }
        Ok(tokens)
    }

    /// What the messages say in tokens. Those without text are left out.
    fn spoken(&self, messages: &[ChatMessage]) -> Result<Vec<Spoken>, EngineError> {
        let mut spoken = Vec::new();
        let mut counted = 0;
        for message in messages.iter().filter(|message| !message.text.trim().is_empty()) {
            let tokens = first_tokens(&self.model.llama, &message.text, MOST_COUNTED - counted);
            counted += tokens.len();
            if counted > MOST_COUNTED {
                return Err(self.too_long(TokenCount::AtLeast(counted)));
            }
            spoken.push(Spoken { role: message.role, tokens });
        }
        Ok(spoken)
    }

    fn too_long(&self, tokens: TokenCount) -> EngineError {
        EngineError::PromptTooLong { tokens, most: self.longest_prompt(), window: self.window() as usize }
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
