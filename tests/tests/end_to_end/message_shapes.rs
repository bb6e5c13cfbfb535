//! Messages of every shape over the budget: what stays keeps its bytes, and only texts get a block.

use mainpoint_tests::conversation::{SYSTEM, everyday_chat};
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::Value;

const BUDGET: usize = 1200;
const MEMORY: usize = 300;
const CODE: &str = "7391-K";

/// The end of every conversation: a plain question whose answer has left the prompt.
const QUESTION: &str =
    r#"{"role":"user", "content" :"What was the padlock code of my locker at the climbing gym again?"}"#;

/// A few raw messages after a long history, and what of them must arrive byte for byte.
struct Shape {
    name: &'static str,
    instruction: &'static str,
    /// They arrive as they are.
    before: &'static [&'static str],
    question: &'static str,
    /// They arrive within the question.
    parts: &'static [&'static str],
    /// It arrives as it is.
    after: &'static [&'static str],
    members: &'static [(&'static str, &'static str)],
}

const PLAIN: Shape =
    Shape { name: "plain", instruction: SYSTEM, before: &[], question: QUESTION, parts: &[], after: &[], members: &[] };

const SHAPES: [Shape; 9] = [
    Shape {
        name: "pictures, sound and files in the question",
        question: r#"{"content" : [ {"type":"image_url", "image_url" :{"detail":"low","url":"data:image\/png;base64,AAAA"}} ,
            {"type":"text","text":"What was the padlock code of my locker at the climbing gym\u003f"}, {"input_audio":{"format":"wav","data":"AAAA"} ,"type":"input_audio"},
            {"type":"file","file":{"filename":"a.pdf","file_data":"data:text\/plain;base64,QUFBQQ=="}} ] , "role":"user"}"#,
        parts: &[
            r#"{"type":"image_url", "image_url" :{"detail":"low","url":"data:image\/png;base64,AAAA"}}"#,
            r#"{"type":"text","text":"What was the padlock code of my locker at the climbing gym\u003f"}"#,
            r#"{"input_audio":{"format":"wav","data":"AAAA"} ,"type":"input_audio"}"#,
            r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:text\/plain;base64,QUFBQQ=="}}"#,
        ],
        ..PLAIN
    },
    Shape {
        name: "a picture in a turn that stays",
        before: &[
            r#"{"role":"user","content":[{"type":"text","text":"Look\u0021"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}, "x":1.0e0}]}"#,
            r#"{"content":[{"type":"text" , "text":"A small square."}],"role":"assistant"}"#,
        ],
        ..PLAIN
    },
    Shape {
        name: "the role developer",
        instruction: r#"{"role":"developer" , "content":"Answer br\u0069efly."}"#,
        ..PLAIN
    },
    Shape {
        name: "names",
        before: &[
            r#"{"role":"user","name":"Zo\u00eb","content":"Is my sister there\u003f"}"#,
            r#"{"name":"helper\u002d1","role":"assistant","content":"She is."}"#,
        ],
        question: r#"{"name":"Zo\u00eb","role":"user","content":"What was the padlock code of my locker at the climbing gym again?"}"#,
        parts: &[
            r#"{"name":"Zo\u00eb","role":"user","content":""#,
            r#"What was the padlock code of my locker at the climbing gym again?"}"#,
        ],
        ..PLAIN
    },
    Shape {
        name: "refusals",
        before: &[
            r#"{"role":"user","content":"Open somebody else's locker for me."}"#,
            r#"{"role":"assistant","content":null,"refusal":"I can\u0027t."}"#,
            r#"{"role":"user","content":"Please!"}"#,
            r#"{"content":[ {"type":"refusal","refusal":"Still\u0020no."} ],"role":"assistant"}"#,
        ],
        ..PLAIN
    },
    Shape {
        name: "reasoning fields",
        before: &[
            r#"{"role":"user","content":"Are you there?"}"#,
            r#"{"reasoning_content":"Let me think\u2026","content":"I am.","role":"assistant","reasoning":{"x":1.0e0},"reasoning_details":[ {"type":"reasoning.encrypted","data":"AAAA"} ]}"#,
        ],
        ..PLAIN
    },
    Shape {
        name: "calls in the old form and a spoken answer",
        before: &[
            r#"{"role":"user","content":"Look at the clock."}"#,
            r#"{"role":"assistant","content":null,"function_call":{"name":"look","arguments":"{ \"at\" : 1.0 }"}}"#,
            r#"{"name":"look","role":"function","content":"12\u003a30"}"#,
            r#"{"role":"assistant","audio":{"id":"audio_1"},"content":null}"#,
        ],
        ..PLAIN
    },
    Shape {
        name: "an answer that the client has begun",
        after: &[r#"{"role":"assistant","content":"The padlock code\u0020is", "prefix" : true}"#],
        ..PLAIN
    },
    Shape {
        name: "several choices in JSON mode",
        members: &[
            ("n", "2"),
            ("logprobs", "true"),
            ("top_logprobs", "3"),
            ("response_format", r#"{ "type":"json_object"  }"#),
            ("reasoning_effort", r#""l\u006fw""#),
        ],
        ..PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_every_shape_keep_their_bytes_when_the_turns_before_them_leave() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream);
    // Down to a mark that is high enough for everything after the history to stay.
    let builder = builder.setting("memory", "high_water = 0.7");
    let proxy = builder.setting("memory", "low_water = 0.6").budget(BUDGET, MEMORY).start().await;
    proxy.chat(PLAIN.conversation().body()).await;
    proxy.everything_read().await;

    for shape in SHAPES.iter().chain([&PLAIN]) {
        let asked = shape.conversation();
        let answer = proxy.chat(asked.body()).await;
        let name = shape.name;
        assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "rewritten"), "{name}");
        let (came, went) = (answer.count("x-mainpoint-tokens-in"), answer.count("x-mainpoint-tokens-forwarded"));
        assert!(came > BUDGET && went <= BUDGET, "{name}: {came} tokens came, {went} went");
        let forwarded = upstream.last_request();
        for raw in shape.fragments() {
            assert!(forwarded.contains(&raw), "{name}: {raw} in {}", String::from_utf8_lossy(&forwarded.body));
        }
        shape.check(&forwarded.json(), &asked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_whose_only_message_is_huge_is_forwarded_as_it_is() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, MEMORY).start().await;
    let mut huge = Conversation::new();
    huge.raw(SYSTEM);
    let texts = everyday_chat(CODE).into_iter().map(|exchange| format!("{}\n{}\n", exchange.user, exchange.assistant));
    huge.user(&texts.collect::<String>());
    for attempt in ["before it is read", "after it has been read"] {
        let answer = proxy.chat(huge.body()).await;
        assert!(answer.count("x-mainpoint-tokens-in") > BUDGET, "{attempt}");
        assert_eq!(answer.outcome(), "passthrough", "{attempt}");
        assert_eq!(upstream.last_request().body, huge.body(), "{attempt}");
        proxy.everything_read().await;
    }
}

impl Shape {
    /// Forty exchanges of the everyday chat, the third of which tells the code, and this shape's messages.
    fn conversation(&self) -> Conversation {
        let members = self.members.iter();
        let mut conversation = members.fold(Conversation::new(), |all, (name, raw)| all.member(name, raw));
        conversation.raw(self.instruction);
        conversation.exchanges(&everyday_chat(CODE)[..40]);
        for raw in self.before.iter().chain([&self.question]).chain(self.after) {
            conversation.raw(raw);
        }
        conversation
    }

    /// What must arrive byte for byte.
    fn fragments(&self) -> Vec<String> {
        let whole = self.before.iter().chain(self.parts).chain(self.after);
        let mut fragments: Vec<String> = whole.map(|raw| (*raw).to_owned()).collect();
        fragments.push(self.instruction.to_owned());
        fragments.extend(self.members.iter().map(|(name, raw)| format!("\"{name}\" : {raw}")));
        fragments
    }

    fn check(&self, request: &Value, asked: &Conversation) {
        let name = self.name;
        prompt::assert_well_formed(request);
        let block = prompt::memory_block(request).unwrap_or_else(|| panic!("{name}: no memory block in {request}"));
        assert!(block.contains(CODE), "{name}: the fact is recalled; the block is {block}");
        let original: Vec<Value> =
            asked.messages().iter().map(|raw| serde_json::from_str(raw).expect("JSON")).collect();
        // Only the oldest turns leave, so that roles that alternated alternate still.
        let kept = prompt::messages(request);
        assert_eq!(kept[0], original[0], "{name}: the instruction stands first");
        let left = original.len() - kept.len();
        let roles = |messages: &[Value]| -> Vec<String> {
            messages.iter().map(|message| prompt::role(message).to_owned()).collect()
        };
        assert_eq!(roles(&kept[1..]), roles(&original[1 + left..]), "{name}");
        for (sent, own) in kept[1..].iter().zip(&original[1 + left..]) {
            if prompt::role(sent) != "user" {
                assert_eq!(sent, own, "{name}: only what a user says gets a block");
            }
        }
        if !self.after.is_empty() {
            assert_eq!(kept.last(), original.last(), "{name}: the begun answer stays the last message");
        }
        self.check_parts(kept, &original[original.len() - 1 - self.after.len()]);
    }

    /// A block comes as a part of its own before parts, which stay what they are.
    fn check_parts(&self, kept: &[Value], question: &Value) {
        let Some(own) = question["content"].as_array() else {
            return;
        };
        let sent = kept[kept.len() - 1 - self.after.len()]["content"].as_array();
        let (block, parts) = sent.and_then(|sent| sent.split_first()).expect("parts");
        assert_eq!(parts, own, "{}", self.name);
        assert_eq!(block["type"], "text", "{}", self.name);
    }
}
