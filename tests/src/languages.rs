//! One conversation in several languages, with questions and the turns that answer them, from the data beside the checkout.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::checkout;

/// A recorded conversation.
#[derive(Debug, Clone)]
pub struct Chat {
    /// The language's code, such as `ja`.
    pub language: String,
    /// Role and text of every turn; a turn's place is its number.
    pub turns: Vec<(String, String)>,
    /// What is asked about it, with the numbers of all turns that answer it.
    pub questions: Vec<(String, Vec<usize>)>,
    /// Messages that nothing in it bears on.
    pub small_talk: Vec<String>,
}

/// The conversations in all languages.
///
/// # Panics
/// When they are missing or cannot be read.
#[must_use]
pub fn chats() -> Vec<Chat> {
    let folder = checkout::data("languages");
    let mut chats: Vec<Chat> = folders(&folder)
        .iter()
        .flat_map(|language| folders(language).into_iter().map(|chat| Chat::read(language, &chat)))
        .collect();
    chats.sort_by(|one, other| one.language.cmp(&other.language));
    chats
}

impl Chat {
    fn read(language: &Path, folder: &Path) -> Self {
        let batches = json(&folder.join("chat.json"));
        let batches = batches.as_array().expect("batches").iter();
        let turns = batches
            .flat_map(|batch| batch["turns"].as_array().expect("turns"))
            .flat_map(|messages| messages.as_array().expect("messages"))
            .enumerate()
            .map(|(number, message)| {
                assert_eq!(message["id"].as_u64(), Some(number as u64), "turns are numbered in order");
                (text(&message["role"]), text(&message["content"]))
            })
            .collect();
        let asked = json(&folder.join("probing_questions.json"));
        let of = |kind: &str| asked[kind].as_array().expect("questions").clone();
        let numbers = |question: &Value| -> Vec<usize> {
            let numbers = question["source_chat_ids"].as_array().expect("numbers").iter();
            numbers.filter_map(|number| usize::try_from(number.as_u64()?).ok()).collect()
        };
        Self {
            language: language.file_name().expect("a name").to_string_lossy().into_owned(),
            turns,
            questions: of("fact").iter().map(|question| (text(&question["question"]), numbers(question))).collect(),
            small_talk: of("abstention").iter().map(|question| text(&question["question"])).collect(),
        }
    }
}

fn folders(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
