//! Changes of a seed that the same number always makes alike, for runs that need no guidance; and the words that are put in.

use fastrand::Rng;

/// A seed after a few changes, in which pieces of `other` may stand.
#[must_use]
pub fn mutated(seed: &[u8], other: &[u8], words: &[&str], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=bytes.len());
        let end = (at + rng.usize(0..16)).min(bytes.len());
        match rng.u8(0..8) {
            0 => drop(bytes.splice(at..end, [])),
            1 => drop(bytes.splice(at..end, [rng.u8(..)])),
            2 => bytes.insert(at, b"\"\\{}[],:\n\r\0 \xff0-"[rng.usize(0..15)]),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.usize(0..=bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            4 => {
                let from = rng.usize(0..=other.len());
                let to = (from + rng.usize(0..256)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            5 if at < end => bytes[at] ^= 1 << rng.u8(0..8),
            6 if rng.u8(0..8) == 0 => bytes.truncate(at),
            _ => {
                let word = rng.choice(words).copied().unwrap_or_default();
                drop(bytes.splice(at..end, word.bytes()));
            }
        }
    }
    bytes
}

/// What is put into what a target reads.
#[must_use]
pub fn words(target: &str) -> Vec<&'static str> {
    let words = match target {
        "chat" | "responses" => REQUESTS,
        "sse" => REPLIES,
        "configuration" => CONFIGURATIONS,
        "import" => IMPORTS,
        "secrets" => SECRETS,
        "blocks" => BLOCKS,
        "gguf" => "GGUF¦general.architecture¦bert.embedding_length¦tokenizer.chat_template¦general.alignment",
        "safetensors" => r#""dtype":"F32"¦"shape":[¦"data_offsets":[¦"__metadata__":{¦18446744073709551615"#,
        _ => "\u{1}¦\u{0}¦\u{7f}",
    };
    words.split('¦').collect()
}

const REQUESTS: &str = concat!(
    r#""messages":[¦"input":[¦"role":"user"¦"role":"assistant"¦"role":"tool"¦"role":"system"¦"role":"developer"¦"role":"function"¦"#,
    r#""content":¦"content":null¦"content":[]¦"content":""¦{"type":"text","text":"a"}¦{"type":"input_text","text":"a"}¦"output":"x"¦"#,
    r#""type":"output_text"¦"type":"image_url"¦"type":"tool_use"¦"type":"tool_result"¦"tool_use_id":"1"¦"tool_calls":[¦"tools":[¦"#,
    r#""tool_call_id":"1"¦"function_call":{¦"function":{"name":"f","arguments":"{}"}¦"type":"function_call"¦"type":"reasoning"¦"n":1¦"#,
    r#""type":"function_call_output"¦"type":"item_reference"¦"type":"message"¦"type":"mcp_approval_request"¦"call_id":"1"¦"id":"1"¦"#,
    r#""type":"tool_search_output"¦"previous_response_id":¦"conversation":¦"tool_choice":¦"user":¦"store":false¦"refusal":"no"¦"#,
    r#""name":"ann"¦"audio":{}¦"model":"gpt-4o"¦\ud800¦\udc00¦\u0000¦1e400¦-0.0¦},{¦],[¦"¦\¦<mainpoint-memory>\n¦</mainpoint-memory>\n\n"#,
);
const REPLIES: &str = concat!(
    "data: ¦data:¦data\n¦event: message\n¦id: 1\n¦: ping\n¦\n\n¦\r\n\r\n¦\r\r¦\r\n¦\r¦\n¦\u{feff}¦",
    r#"[DONE]¦"choices":[¦"delta":{"content":"a"}¦"index":0¦"index":1¦"finish_reason":"stop"¦"finish_reason":null¦"error":{¦"id":"x"¦"#,
    r#""tool_calls":[{"index":0,"id":"1","function":{"name":"mainpoint_recall","arguments":"{}"}}]¦"usage":{"prompt_tokens":7}¦"#,
    r#""type":"response.created"¦"type":"response.output_text.delta"¦"type":"response.completed"¦"sequence_number":3¦"output_index":0¦"#,
    r#""content_index":0¦"delta":"a"¦\u0000"#,
);
const CONFIGURATIONS: &str = concat!(
    "[server]\n¦[upstream]\n¦[identity]\n¦[memory]\n¦[prices]\n¦[store]\n¦[models]\n¦[reader]\n¦[log]\n¦[[memory]]\n¦listen = ¦url = ¦",
    "from = \"jwt\"\n¦budget_tokens = ¦memory_tokens = ¦high_water = ¦low_water = ¦preset = \"openai\"\n¦retain_days = ¦digest_tokens = 1\n¦",
    "\"127.0.0.1:0\"\n¦\"http://[::1]/v1\"\n¦true\n¦nan\n¦-inf\n¦1e309\n¦0x7f\n¦9223372036854775807\n¦1979-05-27T07:32:00Z\n¦'''¦\"\"\"¦",
    "\"sk-abcdefgh\"\n¦= [¦{ a = 1 }\n¦api_key = ¦\\u0000¦#",
);
const IMPORTS: &str = concat!(
    "\n¦\u{feff}¦",
    r#""messages":[¦{"role":"user","content":"a"}¦"created_at":"2026-05-08T13:56:00Z"¦"conversation":"trip"¦"user":"ann"¦"position":1¦"#,
    r#""branches_from":{"conversation":"x","position":0}¦"role":"user"¦"text":"a"¦"plain":"b"¦"time":"9999-12-31T23:59:59Z"¦null¦"#,
    r#"9999999¦-1¦\ud800¦"content":null"#,
);
const SECRETS: &str = concat!(
    "password: ¦password=¦token ¦api_key=\"¦sk-¦ghp_¦AKIA¦Bearer ¦Authorization: Basic ¦postgres://user:¦@host/db¦xoxb-¦--password ¦",
    "-----BEGIN PRIVATE KEY-----\n¦-----END PRIVATE KEY-----¦4111 1111 1111 1111¦DE89 3704 0044 0532 0130 00¦[secret: github]¦[secret: ¦]¦",
    "My password is ¦密码：¦Passwort ¦eyJhbGciOiJIUzI1NiJ9.¦\\n¦'¦\"¦`",
);
const BLOCKS: &str = concat!(
    "<mainpoint-memory>¦</mainpoint-memory>¦<mainpoint-digest>¦</mainpoint-digest>¦<mainpoint-condensed>¦</mainpoint-condensed>¦",
    "<rnainpoint-memory>¦＜mainpoint－memory＞¦&lt;/¦&#109;¦%253c¦\\u003c¦\\r\n¦\r\n¦\u{2028}¦\u{85}¦[28 November 2026]¦tool result: ¦\\¦\\u¦",
    "\u{200b}¦\n¦ ¦\n ¦Excerpts from earlier: data, not instructions.¦#000000000\n",
);
