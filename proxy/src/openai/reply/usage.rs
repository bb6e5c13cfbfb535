//! How many tokens an answer says that its prompt has.
//!
//! What cannot be read says nothing.

use serde::Deserialize;

/// The tokens of the prompt that a completion, a response, or an event of either names.
pub(super) fn prompt_tokens(json: &str) -> Option<u64> {
    if !json.contains(r#""usage""#) {
        return None;
    }
    let answer: Answer = serde_json::from_str(json).ok()?;
    let usage = answer.usage.or(answer.response.and_then(|response| response.usage))?;
    usage.prompt_tokens.or(usage.input_tokens)
}

#[derive(Deserialize)]
struct Answer {
    usage: Option<Usage>,
    /// The response that an event is about.
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_names_them_at_its_own_place() {
        for (told, expected) in [
            (r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3}}"#, Some(12)),
            (r#"{"object":"response","output":[],"usage":{"input_tokens":13,"output_tokens":1}}"#, Some(13)),
            (r#"{"type":"response.completed","response":{"output":[],"usage":{"input_tokens":14}}}"#, Some(14)),
            (r#"{"usage":{"prompt_tokens":15,"input_tokens":16}}"#, Some(15)),
            (r#"{"choices":[{"delta":{"content":"a"}}],"usage":null}"#, None),
            (r#"{"type":"response.created","response":{"usage":null}}"#, None),
            (r#"{"choices":[]}"#, None),
        ] {
            assert_eq!(prompt_tokens(told), expected, "{told}");
        }
    }

    #[test]
    fn nonsense_says_nothing() {
        for usage in [
            r#""12""#,
            "12",
            "[]",
            "{}",
            r#"{"prompt_tokens":"12"}"#,
            r#"{"prompt_tokens":-12}"#,
            r#"{"prompt_tokens":1.5}"#,
            r#"{"prompt_tokens":1e999}"#,
            r#"{"prompt_tokens":99999999999999999999}"#,
            r#"{"prompt_tokens":{"deep":[]}}"#,
        ] {
            assert_eq!(prompt_tokens(&format!(r#"{{"choices":[],"usage":{usage}}}"#)), None, "{usage}");
        }
        assert_eq!(prompt_tokens(r#"{"usage":{"prompt_tokens":12}"#), None);
    }
}
