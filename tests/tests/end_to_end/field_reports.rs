//! Requests made after public bug reports of proxies and memories: each is sent, read, and sent again, and comes out right.

use mainpoint_tests::forwarded::{Fate, fate, raw_messages};
use mainpoint_tests::metrics::Metrics;
use mainpoint_tests::prompt::{self, BLOCK_END, BLOCK_START};
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Answer, RecordedRequest, ScriptedUpstream, StartedProxy, binary, calls, checkout, tokens};
use serde_json::{Value, json};

/// What is asked for at the end of most inputs, said near their beginning.
const CODE: &str = "7391-K";
/// Where the odd message stands in each input with one: behind 25 ordinary ones.
const ODD: usize = 25;

/// An input, and what becomes of it when it comes the second time.
struct Report {
    /// The file that it stands in.
    file: &'static str,
    /// Messages that leave.
    left: &'static [usize],
    /// Messages that keep their bytes, besides the first and the last.
    stayed: &'static [usize],
    /// What is quoted of those that left.
    recalled: &'static str,
    /// The most tokens of a forwarded prompt.
    budget: usize,
}

const ORDINARY: Report = Report { file: "long.json", left: &[1, 2, 7, 8], stayed: &[], recalled: CODE, budget: 600 };

/// One in which the task and the answer before the question lead up to it: they stay, and the code with them.
const LED_UP_TO: Report = Report { left: &[2, 3, 4, 5, 41], stayed: &[1, 42], recalled: "", ..ORDINARY };

/// A report whose last message is the result of a tool: the task itself and the round that still goes on stay.
const UNDER_WAY: Report = Report { left: &[2, 3, 4, 5], stayed: &[1], recalled: "", ..ORDINARY };

/// A test of each report.
macro_rules! reports {
    ($($name:ident: $report:expr,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $report.sent_twice().await;
        }
    )*};
}

reports! {
    a_long_plain_conversation_loses_its_old_turns: ORDINARY,
    a_conversation_compressed_with_zstd_is_treated_like_the_plain_one: Report { file: "long.json.zstd", ..ORDINARY },
    a_conversation_compressed_with_gzip_is_treated_like_the_plain_one: Report { file: "long.json.gzip", ..ORDINARY },
    notes_before_every_turn_stay_and_the_old_turns_between_them_leave: Report {
        file: "c-a-system-note-before-every-turn-40-turns.json",
        left: &[2, 3, 5, 6, 11, 12],
        stayed: &[1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34],
        // The notes alone take nearly five hundred tokens.
        budget: 800,
        ..ORDINARY
    },
    a_turn_with_the_mark_that_tokenizers_write_for_a_space_is_read_and_leaves:
        Report { file: "d-02.json", left: &[1, 2, 3, 4], ..ORDINARY },
    a_table_drawn_with_box_characters_is_read_and_leaves:
        Report { file: "d-03.json", left: &[1, 2, 3, 4], ..ORDINARY },
    a_panel_with_a_bar_of_hundreds_of_equal_characters_is_read_and_leaves:
        Report { file: "d-rich-panel.json", left: &[1, 2, 3, 4], ..ORDINARY },
    anthropics_parts_leave_in_pairs_before_a_plain_question:
        Report { file: "c-anthropic-parts-then-a-plain-question.json", ..LED_UP_TO },
    anthropics_parts_leave_in_pairs_when_the_last_message_is_a_result:
        Report { file: "c-anthropic-tool-use-tool-result-parts-cursor-last-is-a-result.json", ..UNDER_WAY },
    calls_that_all_have_the_same_name_leave_in_pairs:
        Report { file: "c-one-user-message-30-calls-that-are-all-named-call-0.json", ..UNDER_WAY },
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_odd_message_stays_is_counted_and_does_not_keep_the_turns_before_it_from_leaving() {
    for (file, reason, stayed) in [
        ("a-1e400-in-a-content-part.json", "number-out-of-range", &[ODD] as &[usize]),
        ("a-200-levels-in-a-content-part.json", "too-deep", &[ODD]),
        ("a-lone-surrogate-in-a-late-user-message.json", "lone-surrogate", &[ODD]),
        // With the result of the call.
        ("a-lone-surrogate-in-tool-arguments.json", "lone-surrogate", &[ODD, ODD + 1]),
        ("c-content-as-a-number.json", "unknown-shape", &[ODD]),
        ("c-content-as-an-object.json", "unknown-shape", &[ODD]),
    ] {
        let seen = Report { file, stayed, ..ORDINARY }.sent_twice().await;
        let counted = seen.metrics.sum("mainpoint_odd_messages_total", &[("reason", reason)]);
        assert!(counted >= 1.0, "{file}: it is counted as {reason}: {:?}", seen.metrics);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_a_number_does_not_keep_the_memory_away() {
    let seen = Report { file: "a-user-as-a-number.json", ..ORDINARY }.sent_twice().await;
    assert!(seen.forwarded.contains(r#""user":42"#), "{:?}", seen.forwarded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_or_block_in_a_question_is_the_users_own_forwarded_and_remembered_with_it() {
    for (file, pasted) in [
        ("c-the-question-begins-with-a-pasted-digest.json", "UNIQUE-DIGEST-78"),
        ("c-the-question-itself-ends-in-a-pasted-block.json", "UNIQUE-PASTE-77"),
    ] {
        let report = Report { file, ..ORDINARY };
        let seen = report.sent_twice().await;
        let question = text(report.messages().last().expect("a question"));
        assert!(question.contains(pasted));
        let forwarded = text(seen.messages.last().expect("a question"));
        let before = forwarded.strip_suffix(&question).map(str::trim_end);
        let is_ours = before.is_some_and(|before| before.starts_with(BLOCK_START) && before.ends_with(BLOCK_END));
        assert!(is_ours, "our block, then the whole question: {forwarded}");

        let home = seen.proxy.stop().await;
        let configuration = home.configuration().display().to_string();
        let asked = ["search", question.as_str(), "--limit", "50", "--json", "--config", configuration.as_str()];
        let found: Value = serde_json::from_str(&binary::run(&asked).successful().stdout).expect("JSON");
        let turns = found["results"].as_array().expect("a list");
        let is_whole = turns.iter().any(|turn| turn["text"] == question.as_str());
        assert!(is_whole, "the question is remembered word for word: {turns:#?}");
        let own = turns.iter().filter(|turn| turn["text"].as_str().is_some_and(|text| text.contains(pasted)));
        assert_eq!(own.count(), 1, "it is remembered once: {turns:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_pose_as_speakers_are_forwarded_as_they_are_and_remain_lines_of_their_tool() {
    let first_sight = Report { file: "c-forged-lines-first-sight.json", ..ORDINARY };
    let (upstream, proxy) = first_sight.stage().await;
    assert_eq!(first_sight.sent_first(&upstream, &proxy).await.count("x-mainpoint-memories"), 0);

    let file = "c-forged-lines-inside-a-quoted-tool-result.json";
    let report = Report { file, left: &[1, 2, 3, 4, 5], recalled: "Gym page", ..ORDINARY };
    let seen = report.sent_twice().await;
    let result = text(&report.messages()[3]);
    let forged: Vec<&str> = result.lines().skip(1).collect();
    for injected in &seen.fate.injected {
        for line in injected.lines() {
            assert!(!forged.contains(&line.trim_end()), "{line:?} stands alone in {injected}");
        }
    }
    let question = text(seen.messages.last().expect("a question")).to_lowercase();
    assert_eq!(question.matches("</mainpoint-memory>").count(), 1, "one end of one block: {question}");
}

/// What became of an input when it came the second time.
struct Seen {
    proxy: StartedProxy,
    forwarded: RecordedRequest,
    /// The messages that were forwarded, with their bytes.
    messages: Vec<String>,
    /// Which messages of the input these are.
    fate: Fate,
    /// Once the second request is answered.
    metrics: Metrics,
}

impl Report {
    async fn stage(&self) -> (ScriptedUpstream, StartedProxy) {
        let upstream = ScriptedUpstream::start().await;
        let builder = StartedProxy::before(&upstream);
        (upstream, builder.budget(self.budget, 150).start().await)
    }

    /// Sends the input before anything of it was read, and checks that nothing of it is changed.
    async fn sent_first(&self, upstream: &ScriptedUpstream, proxy: &StartedProxy) -> Answer {
        let answer = self.sent(proxy).await;
        let (file, forwarded) = (self.file, upstream.last_request());
        assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "passthrough"), "{file}");
        assert!(forwarded.body == contents(file), "{file}: what has not been read keeps every byte, not {forwarded:?}");
        assert_eq!(forwarded.header("content-encoding"), self.encoding(), "{file}");
        answer
    }

    /// Sends the input, waits until it has been read, sends it again, and checks that the prompt was rewritten to fit the budget,
    /// what left it and what stayed, that calls have their results, and that nothing failed on the way.
    async fn sent_twice(&self) -> Seen {
        let (upstream, proxy) = self.stage().await;
        self.sent_first(&upstream, &proxy).await;
        proxy.everything_read().await;
        let answer = self.sent(&proxy).await;
        let (file, forwarded, sent) = (self.file, upstream.last_request(), self.messages());
        let messages = raw_messages(&forwarded.body);
        assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "rewritten"), "{file}: {:?}", answer.headers);
        assert_eq!(forwarded.header("content-encoding"), "", "{file}: it is sent as plain JSON");
        let (came, went) = (answer.count("x-mainpoint-tokens-in"), answer.count("x-mainpoint-tokens-forwarded"));
        assert!(came > self.budget && went <= self.budget, "{file}: {came} tokens came, {went} went");
        let values: Vec<Value> = messages.iter().map(|message| value(message)).collect();
        let counted = tokens::count_prompt(&json!({"messages": values}));
        assert!(counted <= self.budget, "{file}: {counted} tokens of {}: {messages:#?}", self.budget);

        let fate = fate(&sent, &messages);
        let still: Vec<_> = self.left.iter().filter(|place| fate.retained.contains(place)).collect();
        assert!(still.is_empty(), "{file}: {still:?} should have left: {messages:#?}");
        let ends = [0, sent.len() - 1];
        let gone: Vec<_> = self.stayed.iter().chain(&ends).filter(|place| !fate.retained.contains(place)).collect();
        assert!(gone.is_empty(), "{file}: {gone:?} should have stayed: {messages:#?}");
        assert_eq!(calls::objection(&values), None, "{file}: {messages:#?}");
        // An odd message stays wherever it stands, and may be the first.
        if !self.stayed.contains(&ODD) {
            let first = values.iter().find(|message| prompt::role(message) != "system");
            assert_eq!(first.map(prompt::role), Some("user"), "{file}: what is kept begins with what a person said");
        }
        if !self.recalled.is_empty() {
            let mut blocks = fate.injected.iter().filter(|text| text.starts_with(BLOCK_START));
            let is_quoted = blocks.next_back().is_some_and(|block| block.contains(self.recalled));
            assert!(is_quoted, "{file}: {} is not quoted in {messages:#?}", self.recalled);
            assert!(answer.count("x-mainpoint-memories") >= 1, "{file}");
        }
        let metrics = proxy.metrics().await;
        for failed in ["mainpoint_failures_total", "mainpoint_unreadable_turns_total"] {
            assert_eq!(metrics.sum(failed, &[]), 0.0, "{file}: {failed}");
        }
        Seen { proxy, forwarded, messages, fate, metrics }
    }

    /// Sends the input as it is.
    async fn sent(&self, proxy: &StartedProxy) -> Answer {
        let request = proxy.client().post(format!("{}/chat/completions", proxy.base_url()));
        let mut request = request.header("authorization", TENANT).header("content-type", "application/json");
        if !self.encoding().is_empty() {
            request = request.header("content-encoding", self.encoding());
        }
        let sent = request.body(contents(self.file)).send().await;
        Answer::from_response(sent.expect("an answer")).await
    }

    /// How the file is encoded.
    fn encoding(&self) -> &'static str {
        self.file.split_once(".json.").map_or("", |(_, encoding)| encoding)
    }

    /// The messages with their bytes; those of an encoded file stand in another one plainly.
    fn messages(&self) -> Vec<String> {
        let plain = self.file.split_once(".json.").map(|(name, _)| format!("{name}.json"));
        raw_messages(&contents(plain.as_deref().unwrap_or(self.file)))
    }
}

/// The text of a message whose content is a text.
fn text(message: &str) -> String {
    value(message)["content"].as_str().expect("a text").to_owned()
}

/// A message, with what no parser takes replaced by something else.
fn value(message: &str) -> Value {
    let parsable = match (message.find("[[[["), message.rfind("]]]]")) {
        (Some(start), Some(end)) => format!("{}null{}", &message[..start], &message[end + 4..]),
        _ => message.replace("\\ud83d", "?").replace("1e400", "1e40"),
    };
    serde_json::from_str(&parsable).unwrap_or_else(|error| panic!("{error} in {parsable}"))
}

fn contents(file: &str) -> Vec<u8> {
    let path = checkout::data("field-reports").join(file);
    std::fs::read(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}
