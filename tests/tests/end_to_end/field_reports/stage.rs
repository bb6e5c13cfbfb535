//! The inputs, a proxy with a small budget before a scripted upstream, and what became of an input that was sent twice.
//!
//! It must not know what is right for which input.

use mainpoint_tests::forwarded::{Fate, fate, raw_messages};
use mainpoint_tests::metrics::Metrics;
use mainpoint_tests::prompt::{BLOCK_START, DIGEST_START};
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Answer, RecordedRequest, ScriptedUpstream, StartedProxy, checkout, tokens};
use serde_json::{Value, json};

/// Most tokens of a forwarded prompt.
const BUDGET: usize = 600;
/// What is asked for at the end of most inputs, said near their beginning.
pub(super) const CODE: &str = "7391-K";

/// An input.
pub(super) struct Report {
    /// The file that it stands in.
    name: &'static str,
    /// What is sent.
    pub(super) body: Vec<u8>,
    /// How that is encoded.
    pub(super) encoding: Option<&'static str>,
    /// Its messages with their bytes.
    pub(super) messages: Vec<String>,
}

/// An upstream, and a proxy before it.
pub(super) struct Stage {
    pub(super) upstream: ScriptedUpstream,
    pub(super) proxy: StartedProxy,
    budget: usize,
}

/// What became of an input when it came the second time.
pub(super) struct Seen {
    pub(super) answer: Answer,
    budget: usize,
    pub(super) forwarded: RecordedRequest,
    /// The messages that were forwarded, with their bytes.
    pub(super) messages: Vec<String>,
    /// Which messages of the input these are.
    pub(super) fate: Fate,
    /// Once the second request is answered.
    pub(super) metrics: Metrics,
}

impl Report {
    /// The input in the file of this name.
    pub(super) fn named(name: &'static str) -> Self {
        let body = file(name);
        let messages = raw_messages(&body);
        Self { name, body, encoding: None, messages }
    }

    /// The input in one file that says what another one holds, encoded.
    pub(super) fn encoded(name: &'static str, encoding: &'static str, plain: &str) -> Self {
        Self { name, body: file(name), encoding: Some(encoding), messages: raw_messages(&file(plain)) }
    }

    /// The last message's place.
    pub(super) fn last(&self) -> usize {
        self.messages.len() - 1
    }

    /// The text of a message whose content is a text.
    pub(super) fn text(&self, place: usize) -> String {
        let message: Value = serde_json::from_str(&self.messages[place]).expect("a message that can be parsed");
        message["content"].as_str().expect("a text").to_owned()
    }
}

impl Stage {
    /// Starts both.
    pub(super) async fn set() -> Self {
        Self::with_budget(BUDGET).await
    }

    /// Starts both, the proxy with another budget.
    pub(super) async fn with_budget(budget: usize) -> Self {
        let upstream = ScriptedUpstream::start().await;
        let builder = StartedProxy::builder().upstream(&upstream.base_url());
        let builder = builder.budget(budget, 150).setting("memory", "digest_tokens = 80");
        let proxy = builder.start().await;
        Self { upstream, proxy, budget }
    }

    /// Sends an input once and checks that nothing of it is changed, waits until it has been read, and sends it again.
    pub(super) async fn sent_twice(&self, report: &Report) -> Seen {
        let first = self.send(report).await;
        let (name, forwarded) = (report.name, self.upstream.last_request());
        assert_eq!((first.status.as_u16(), outcome(&first)), (200, "passthrough"), "{name}");
        assert!(forwarded.body == report.body, "{name}: what has not been read keeps every byte, not {forwarded:?}");
        assert_eq!(forwarded.header("content-encoding"), report.encoding.unwrap_or_default(), "{name}");
        self.proxy.everything_read().await;
        let answer = self.send(report).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let forwarded = self.upstream.last_request();
        let messages = raw_messages(&forwarded.body);
        Seen {
            answer,
            budget: self.budget,
            fate: fate(&report.messages, &messages),
            forwarded,
            messages,
            metrics: self.proxy.metrics().await,
        }
    }

    /// Sends an input as it is.
    pub(super) async fn send(&self, report: &Report) -> Answer {
        let url = format!("{}/chat/completions", self.proxy.base_url());
        let mut request = self.proxy.client().post(url);
        request = request.header("authorization", TENANT).header("content-type", "application/json");
        if let Some(encoding) = report.encoding {
            request = request.header("content-encoding", encoding);
        }
        let sent = request.body(report.body.clone()).send().await;
        Answer::from_response(sent.expect("an answer")).await
    }
}

impl Seen {
    /// Checks that the prompt was rewritten to fit the budget, that these messages of the input left it and those stayed, and
    /// that nothing failed on the way.
    pub(super) fn check(&self, left: &[usize], stayed: &[usize]) {
        assert_eq!(outcome(&self.answer), "rewritten", "{:?}", self.answer.headers);
        let (came, went) =
            (self.answer.count("x-mainpoint-tokens-in"), self.answer.count("x-mainpoint-tokens-forwarded"));
        assert!(came > self.budget && went <= self.budget, "{came} tokens came, {went} went");
        let counted = tokens::count_prompt(&json!({"messages": self.values()}));
        assert!(counted <= self.budget, "{counted} tokens of {}: {:#?}", self.budget, self.messages);
        let kept = &self.fate.retained;
        let still: Vec<_> = left.iter().filter(|place| kept.contains(place)).collect();
        assert!(still.is_empty(), "{still:?} should have left: {:#?}", self.messages);
        let gone: Vec<_> = stayed.iter().filter(|place| !kept.contains(place)).collect();
        assert!(gone.is_empty(), "{gone:?} should have stayed: {:#?}", self.messages);
        assert_eq!(self.metrics.sum("mainpoint_failures_total", &[]), 0.0, "something failed");
    }

    /// Checks that what left and was asked for is quoted.
    pub(super) fn check_recalled(&self, fact: &str) {
        let block = self.block();
        assert!(block.contains(fact), "{fact} is not in {block}");
        assert!(self.answer.count("x-mainpoint-memories") >= 1);
    }

    /// The memory block that was added.
    pub(super) fn block(&self) -> &str {
        let mut blocks = self.fate.injected.iter().filter(|text| text.starts_with(BLOCK_START));
        let block = blocks.next_back();
        block.unwrap_or_else(|| panic!("no memory block in {:#?}", self.messages))
    }

    /// The digests and blocks that were added.
    pub(super) fn injected(&self) -> &[String] {
        let ours = |text: &String| text.starts_with(BLOCK_START) || text.starts_with(DIGEST_START);
        assert!(self.fate.injected.iter().all(ours));
        &self.fate.injected
    }

    /// The forwarded messages, what no parser takes replaced by something else.
    pub(super) fn values(&self) -> Vec<Value> {
        self.messages.iter().map(|message| value(message)).collect()
    }
}

/// What the proxy did, without why.
pub(super) fn outcome(answer: &Answer) -> &str {
    answer.outcome().split(';').next().unwrap_or_default().trim()
}

fn value(message: &str) -> Value {
    let parsable = match (message.find("[[[["), message.rfind("]]]]")) {
        (Some(start), Some(end)) => format!("{}null{}", &message[..start], &message[end + 4..]),
        _ => message.replace("\\ud83d", "?").replace("1e400", "1e40"),
    };
    serde_json::from_str(&parsable).unwrap_or_else(|error| panic!("{error} in {parsable}"))
}

fn file(name: &str) -> Vec<u8> {
    let path = checkout::data("field-reports").join(name);
    std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}
