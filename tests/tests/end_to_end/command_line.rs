//! The commands that work on files and on the terminal: `explain` and `models`.
//!
//! `search` is shown where there is something to find, in the memory story.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use mainpoint_tests::models::LIGHT;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{binary, models};
use serde_json::{Value, json};

/// What must never be cut in half.
const WHOLE: [&str; 9] =
    ["2026-11-22", "14:30", "1,249.50", "+49", "170", "3.14", "v2.0.1", "Müller-Lüdenscheidt", "don't"];

#[test]
fn explain_shows_spans_of_whole_words_from_a_file_and_from_standard_input() {
    let home = Home::new();
    home.configure("");
    let file = home.path().join("conversation.json");
    let text = conversation().to_string();
    fs::write(&file, &text).expect("a file");
    let configuration = home.configuration().display().to_string();
    let path = file.display().to_string();

    let explained = binary::run(&["explain", &path, "--json", "--config", &configuration]).successful();
    let mut command = binary::command();
    command.args(["explain", "-", "--json", "--config", &configuration]);
    let from_input = binary::finish(command, text.as_bytes()).successful();
    assert_eq!(from_input.stdout, explained.stdout, "file and standard input are alike");

    let explained: Value = serde_json::from_str(&explained.stdout).expect("JSON");
    let turns = explained["turns"].as_array().expect("turns");
    let messages = conversation();
    let messages = messages["messages"].as_array().expect("messages");
    assert_eq!(turns.len(), messages.len());
    assert_eq!(turns[0]["read"], false, "instructions are not read");
    for (turn, message) in turns[1..].iter().zip(&messages[1..]) {
        assert_eq!(turn["role"], message["role"]);
        assert_spans(turn, message["content"].as_str().expect("a text"));
    }
    let shares = turns[1..].iter().map(|turn| {
        let covered: usize = spans(turn).map(|span| span.len()).sum();
        (covered, turn["text"].as_str().map_or(0, str::len))
    });
    let (covered, all) = shares.fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
    assert!(covered * 10 > all && covered * 10 < all * 9, "the main point is a part: {covered} of {all} bytes");
}

#[test]
fn explain_prints_plain_text_when_it_is_not_a_terminal() {
    let home = Home::new();
    home.configure("");
    let configuration = home.configuration().display().to_string();
    let mut command = binary::command();
    command.args(["explain", "-", "--config", &configuration]);
    let shown = binary::finish(command, conversation().to_string().as_bytes()).successful();
    assert!(!shown.said().contains('\x1b'), "an escape code: {:?}", shown.said());
    for word in ["2026-11-22", "Müller-Lüdenscheidt", "assistant", "user"] {
        assert!(shown.stdout.contains(word), "{word} is missing: {}", shown.stdout);
    }
    let refused = binary::run(&["explain", "no-such-file.json", "--config", &configuration]);
    assert_eq!(refused.code, 66, "{}", refused.said());
    assert!(refused.stderr.contains("no-such-file.json"), "{}", refused.stderr);
    let mut command = binary::command();
    command.args(["explain", "-", "--config", &configuration]);
    let refused = binary::finish(command, b"{\"messages\": 3}");
    assert_eq!(refused.code, 65, "{}", refused.said());
    assert!(refused.stderr.contains("messages"), "{}", refused.stderr);
}

#[test]
fn explain_passes_over_what_the_proxy_passes_over() {
    let home = Home::new();
    home.configure(LIGHT);
    let configuration = home.configuration().display().to_string();
    let conversation = br#"[{"role":"critic","content":"No."},{"role":"user","content":"\ud83d"},
        {"role":"user","content":"The heron stands in the pond."}]"#;
    let explain = |more: &[&str]| {
        let mut command = binary::command();
        command.args(["explain", "-", "--config", &configuration]).args(more);
        binary::finish(command, conversation).successful().stdout
    };
    let shown = explain(&[]);
    assert!(
        shown.contains("critic (passed over: unknown-role)") && shown.contains("(passed over: lone-surrogate)"),
        "{shown}"
    );
    let told: Value = serde_json::from_str(&explain(&["--json"])).expect("JSON");
    let turns = told["turns"].as_array().expect("turns");
    let passed_over: Vec<&Value> = turns.iter().map(|turn| &turn["passed_over"]).collect();
    assert_eq!(passed_over, [&json!("unknown-role"), &json!("lone-surrogate"), &Value::Null]);
    assert_eq!(turns[2]["read"], true);

    let mut command = binary::command();
    command.args(["explain", "-", "--config", &configuration]);
    let refused = binary::finish(command, br#"[{"role":"critic","content":"No."}]"#);
    assert_eq!(refused.code, 65, "{}", refused.said());
    assert!(refused.stdout.contains("critic (passed over: unknown-role)"), "{}", refused.stdout);
    assert!(refused.stderr.contains("standard input: every message is passed over"), "{}", refused.stderr);
}

#[test]
fn a_question_without_a_word_is_refused_by_the_arguments_name() {
    for question in ["", " \t"] {
        let refused = binary::run(&["search", question]);
        assert_eq!(refused.code, 64, "{}", refused.said());
        assert!(refused.stderr.contains("<QUESTION>"), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
}

#[test]
fn asking_where_there_is_no_store_says_so_and_makes_none() {
    let home = Home::new();
    home.configure(&format!("{LIGHT}[store]\ndirectory = {:?}\n", home.data()));
    let configuration = home.configuration().display().to_string();
    let history = home.path().join("history.jsonl");
    fs::write(&history, "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}\n").expect("a file");
    let history = history.display().to_string();
    let is_refused = || {
        for arguments in [&["search", "anything"][..], &["import", &history, "--scope", "k-1"]] {
            let refused = binary::run(&[arguments, &["--config", &configuration]].concat());
            assert_eq!(refused.code, 66, "{}", refused.said());
            assert!(refused.stderr.contains("there is no store in"), "{}", refused.stderr);
        }
    };
    is_refused();
    assert!(!home.data().exists());
    fs::create_dir(home.data()).expect("an empty directory");
    is_refused();
    assert_eq!(fs::read_dir(home.data()).expect("the directory").count(), 0, "something was made in it");
}

#[test]
fn a_store_that_another_model_filled_is_refused_with_both_named() {
    let home = Home::new();
    home.configure(&format!("{LIGHT}[store]\ndirectory = {:?}\n", home.data()));
    fs::create_dir_all(home.data()).expect("a directory");
    fs::write(home.data().join("model"), "another\n").expect("a file");
    let configuration = home.configuration().display().to_string();
    let refused = binary::run(&["search", "anything", "--config", &configuration]);
    assert_eq!(refused.code, 65, "{}", refused.said());
    assert!(refused.stderr.contains("the model another, the one in use is "), "{}", refused.stderr);
}

#[test]
fn the_models_are_listed_and_verified_and_a_corrupt_copy_is_found_out() {
    models::require();
    let home = Home::new();
    home.configure("");
    let configuration = home.configuration().display().to_string();
    let listed = binary::run(&["models", "list", "--config", &configuration]).successful();
    for word in
        ["embeddinggemma-300m", "all-minilm-l6-v2", "qwen2.5-coder-0.5b-instruct", "reader", "chat", "installed"]
    {
        assert!(listed.stdout.contains(word), "{word} is missing: {}", listed.stdout);
    }
    let verified = binary::run(&["models", "verify", "--config", &configuration]).successful();
    let digest = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32";
    assert!(verified.stdout.contains(digest), "{}", verified.stdout);
    assert_eq!(verified.stdout.lines().filter(|line| line.contains("is right")).count(), 2, "{}", verified.stdout);

    // One byte in the middle of a model is another one; its size is what it was.
    let copies = home.path().join("models");
    fs::create_dir(&copies).expect("a folder");
    let corrupt = copy_beside(&models::light(), &copies);
    let mut bytes = fs::read(&corrupt).expect("the copy");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&corrupt, bytes).expect("the copy");
    let mut command = binary::command();
    command.args(["models", "verify", "all-minilm-l6-v2", "--config", &configuration]);
    command.env("MAINPOINT_MODELS_DIR", &copies);
    let refused = binary::finish(command, &[]);
    assert_eq!(refused.code, 65, "{}", refused.said());
    assert!(refused.stderr.contains("SHA-256") && refused.stderr.contains("all-minilm-l6-v2"), "{}", refused.stderr);
    let mut command = binary::command();
    command.args(["models", "verify", "embeddinggemma-300m", "--config", &configuration]);
    command.env("MAINPOINT_MODELS_DIR", &copies);
    let refused = binary::finish(command, &[]);
    assert_eq!(refused.code, 66, "{}", refused.said());
}

/// Copies a model with what is recorded about it.
fn copy_beside(model: &Path, folder: &Path) -> PathBuf {
    let name = model.file_name().expect("a name").to_string_lossy().into_owned();
    let installed = fs::read_dir(model.parent().expect("a folder")).expect("the folder").flatten();
    for entry in installed.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name)) {
        fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
    }
    folder.join(name)
}

fn conversation() -> Value {
    json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "On 2026-11-22 at 14:30 I paid €1,249.50 to Mrs Müller-Lüdenscheidt for the blue piano."},
        {"role": "assistant", "content": "That is noted. Her number is +49 170 5550123, and you don't owe her anything else."},
        {"role": "user", "content": "The tuner runs v2.0.1 and shows 3.14 hertz of drift 🎹 — is that a lot?"},
        {"role": "assistant", "content": "Yes."},
    ]})
}

fn spans(turn: &Value) -> impl Iterator<Item = Range<usize>> {
    let offset = |value: &Value| usize::try_from(value.as_u64().expect("an offset")).expect("an offset");
    let passages = turn["passages"].as_array().expect("passages");
    let spans = passages.iter().flat_map(|passage| passage["spans"].as_array().expect("spans"));
    spans.map(move |span| offset(&span["start"])..offset(&span["end"]))
}

fn assert_spans(turn: &Value, text: &str) {
    let spans: Vec<_> = spans(turn).collect();
    assert!(!spans.is_empty(), "a turn with content has a main point: {turn}");
    let of_a_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    for span in &spans {
        let words = text.get(span.clone()).unwrap_or_else(|| panic!("{span:?} is no part of {text:?}"));
        assert!(!words.trim().is_empty(), "{span:?} of {text:?}");
        let (before, after) = (text[..span.start].chars().next_back(), text[span.end..].chars().next());
        assert!(!(of_a_word(before) && of_a_word(words.chars().next())), "{words:?} begins inside a word of {text:?}");
        assert!(
            !(of_a_word(after) && of_a_word(words.chars().next_back())),
            "{words:?} ends inside a word of {text:?}"
        );
    }
    for whole in WHOLE {
        for (start, _) in text.match_indices(whole) {
            let end = start + whole.len();
            let cut = spans.iter().find(|span| {
                let touches = span.start < end && start < span.end;
                touches && !(span.start <= start && end <= span.end)
            });
            assert!(cut.is_none(), "{whole} is cut in {text:?}: {cut:?}");
        }
    }
    for token in turn["salience"].as_array().expect("salience") {
        let score = token["score"].as_f64().expect("a score");
        assert!((0.0..=1.0).contains(&score), "{token}");
    }
}
