//! Chats of one key in which the same lines are said, as with a shop's assistant, by clients that send the last few messages: none is
//! told what was said in another one. A chat that is asked on two devices, and one whose questions come with documents, stay whole.

use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy};

use crate::chats_apart::{conversations, say};
use crate::memory_api::builder;

const QUESTION: &str = "To which address and name is the refund for my order sent?";

/// Somebody who wants to return an order, and the words that nobody else may see.
struct Customer {
    order: &'static str,
    private: [&'static str; 3],
}

const ANN: Customer = Customer {
    order: "It is order 4711, Ann Quist, Elm Street 5.",
    private: ["order 4711", "Ann Quist", "Elm Street"],
};
const BOB: Customer = Customer {
    order: "It is order 5822, Bob Tran, Harbour Road 91.",
    private: ["order 5822", "Bob Tran", "Harbour Road"],
};

impl Customer {
    /// What is said and answered, one after the other.
    fn script(&self) -> [(&'static str, &'static str); 5] {
        [
            (
                "Hello, I would like to return an order.",
                "Of course. Please tell me your order number and your name and address.",
            ),
            (self.order, "Thank you, I have found it. What is wrong with the item?"),
            ("The zipper is broken.", "I am sorry to hear that. Do you want a refund or a replacement?"),
            ("A refund, please.", "The refund takes three to five working days. Anything else?"),
            (QUESTION, "It is sent to the address of the order, within the week."),
        ]
    }
}

/// A client that sends its last so many messages.
struct Client {
    said: Vec<String>,
    window: usize,
}

impl Client {
    fn new(window: usize) -> Self {
        Self { said: Vec::new(), window }
    }

    /// Says something, and has it answered. Returns how many turns the request is told to have lost.
    async fn say(&mut self, proxy: &StartedProxy, upstream: &ScriptedUpstream, text: &str, answer: &str) -> usize {
        self.said.push(text.to_owned());
        let mut chat = Conversation::new();
        let begin = self.said.len().saturating_sub(self.window);
        for (at, text) in self.said.iter().enumerate().skip(begin) {
            if at.is_multiple_of(2) { chat.user(text) } else { chat.assistant(text) }
        }
        let lost = say(proxy, upstream, &mut chat, answer).await;
        self.said.push(answer.to_owned());
        usize::try_from(lost).expect("a count")
    }

    /// How many messages it leaves out of its next request.
    fn leaves_out(&self) -> usize {
        (self.said.len() + 1).saturating_sub(self.window)
    }
}

fn is_told_nothing_of(other: &Customer, upstream: &ScriptedUpstream, context: &str) {
    let forwarded = upstream.last_request();
    for word in other.private {
        assert!(!forwarded.contains(word), "{word} of another chat, {context}: {}", forwarded.json());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_that_say_the_same_lines_in_turn_are_told_nothing_of_each_other() {
    for window in [2, 3, 4, 5, 6, 7, 99] {
        let upstream = ScriptedUpstream::start().await;
        let proxy = builder(&upstream).start().await;
        let (mut ann, mut bob) = (Client::new(window), Client::new(window));
        for (of_bob, of_ann) in BOB.script().into_iter().zip(ANN.script()) {
            bob.say(&proxy, &upstream, of_bob.0, of_bob.1).await;
            is_told_nothing_of(&ANN, &upstream, &format!("window {window}, {}", of_bob.0));
            ann.say(&proxy, &upstream, of_ann.0, of_ann.1).await;
            is_told_nothing_of(&BOB, &upstream, &format!("window {window}, {}", of_ann.0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_repeats_the_lines_of_one_that_is_over_goes_on_with_its_own() {
    for window in [3, 4, 5, 6, 7, 99] {
        let upstream = ScriptedUpstream::start().await;
        let proxy = builder(&upstream).start().await;
        for (customer, other) in [(&ANN, &BOB), (&BOB, &ANN)] {
            let mut client = Client::new(window);
            for (text, answer) in customer.script() {
                let left_out = client.leaves_out();
                let lost = client.say(&proxy, &upstream, text, answer).await;
                let context = format!("window {window}, {text}");
                assert_eq!(lost, left_out, "{context}");
                is_told_nothing_of(other, &upstream, &context);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_of_a_long_answer_and_a_question_goes_on_with_the_conversation_that_ends_with_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut client = Client::new(2);
    for (text, answer) in ANN.script() {
        let left_out = client.leaves_out();
        assert_eq!(client.say(&proxy, &upstream, text, answer).await, left_out, "{text}");
    }
    assert_eq!(conversations(&proxy).await.len(), 1);
    client.say(&proxy, &upstream, "Thanks, that was all that I wanted to know.", "You are welcome.").await;
    assert_eq!(client.say(&proxy, &upstream, "And one thing more.", "Yes?").await, 0, "a short answer tells nothing");
}

/// Questions and answers, in which nothing is private.
const EVERYDAY: [(&str, &str); 6] = [
    (
        "How do I sharpen a kitchen knife without a machine?",
        "Use a whetstone at about fifteen degrees, first the coarse side, then the fine one.",
    ),
    (
        "Why is the sky red in the evening?",
        "At sunset the light passes through more air, so that the blue part is scattered away.",
    ),
    ("How long do potatoes keep?", "In a dark and cool cellar they keep for four to six months."),
    ("Which tyre pressure is right?", "For a touring bike about four bar, a little more at the back with luggage."),
    ("What is compound interest, in one sentence?", "You earn interest on your interest, so that it grows faster."),
    ("Who invented the zipper?", "Whitcomb Judson had a first one, and Gideon Sundback the one that we know."),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_that_ask_the_same_after_they_parted_have_what_was_said_on_them() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut laptop = Client::new(99);
    laptop
        .say(&proxy, &upstream, "I keep bees; my strongest hive is number 12 with the queen Ottilie.", "Great.")
        .await;
    for (text, answer) in &EVERYDAY[..2] {
        laptop.say(&proxy, &upstream, text, answer).await;
    }
    let mut phone = Client { said: laptop.said.clone(), window: 99 };
    phone.say(&proxy, &upstream, "On my phone: my neighbour Hubert has a drone.", "I see, a drone.").await;
    laptop.say(&proxy, &upstream, "On the laptop: I ordered 40 frames of honey foil.", "Good, honey foil.").await;
    (laptop.window, phone.window) = (7, 7);
    for (text, answer) in &EVERYDAY[2..5] {
        for (device, text) in [(&mut laptop, (*text).to_owned()), (&mut phone, format!("{text} (phone)"))] {
            let left_out = device.leaves_out();
            assert_eq!(device.say(&proxy, &upstream, &text, answer).await, left_out, "{text}");
        }
    }
    (laptop.window, phone.window) = (5, 5);
    for (mut device, foreign) in [(laptop, "Hubert"), (phone, "honey foil")] {
        let left_out = device.leaves_out();
        let question = "What is my strongest hive, who has a drone, and what did I order?";
        assert_eq!(device.say(&proxy, &upstream, question, "That was said.").await, left_out, "{foreign}");
        assert!(!upstream.last_request().contains(foreign), "{}", upstream.last_request().json());
    }
}

/// A question as clients send it with what they found for it; later they send the question alone.
fn with_documents(client: &str, number: usize, question: &str) -> String {
    match client {
        "tags" => format!(
            "### Task:\nRespond to the user query using the provided context.\n\n### Guidelines:\n- If you don't know the answer, \
             say so.\n\n<context>\n<source id=\"1\" name=\"doc{number}.pdf\">The museum is open from Tuesday to Sunday. Ref \
             {number}.</source>\n</context>\n\n<user_query>\n{question}\n</user_query>\n"
        ),
        _ => format!(
            "The user has attached files to the conversation:\n\n<document>\n<filename>doc{number}.pdf</filename>\n\
             <context>Press the red button. Ref {number}</context>\n</document>\n\nUse everything in <context></context> as context \
             when answering. User: {question}"
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_questions_that_come_with_documents_once_and_without_them_later_stay_one_conversation() {
    /// Exchanges that are sent with a question.
    const SENT: usize = 3;
    for client in ["tags", "sentence"] {
        let upstream = ScriptedUpstream::start().await;
        let proxy = builder(&upstream).start().await;
        for (number, (question, answer)) in EVERYDAY.iter().enumerate() {
            let mut chat = Conversation::new();
            for (question, answer) in &EVERYDAY[number.saturating_sub(SENT)..number] {
                chat.user(question);
                chat.assistant(answer);
            }
            chat.user(&with_documents(client, number, question));
            let lost = say(&proxy, &upstream, &mut chat, answer).await;
            // Nothing tells how the first question that is sent was asked, with what stood before it.
            let left_out = if number > SENT { 2 * (number - SENT) + 1 } else { 0 };
            assert_eq!(lost, u64::try_from(left_out).expect("a count"), "{client}, {question}");
        }
        let listed = conversations(&proxy).await;
        // Each question is listed once.
        let turns = 2 * EVERYDAY.len();
        assert_eq!((listed.len(), &listed[0]["turns"]), (1, &serde_json::Value::from(turns)), "{client}");
    }
}
