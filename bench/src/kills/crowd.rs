//! Many conversations of several callers at once, and what their clients have seen of the answers.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::running::{CHAT, Door};

#[derive(Debug)]
pub(super) struct Crowd(Vec<Speaker>);

/// A turn of an answer that a client has seen to its last byte: the question or the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// What was said; no two turns say the same.
    pub(super) text: String,
    /// Whose conversation it belongs to.
    pub(super) caller: usize,
}

#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Requests that were not answered rightly although the program ran.
    pub(super) failed: usize,
}

/// One client, with one conversation after the other.
#[derive(Debug)]
struct Speaker {
    number: usize,
    random: fastrand::Rng,
    asked: usize,
    /// The first question of a conversation, when nothing was seen of its answer: it is asked again.
    unanswered: Option<String>,
    talk: Talk,
}

/// More than the program can follow, and fewer than it takes connections.
const SPEAKERS: usize = 48;
const CALLERS: usize = 6;
/// Most questions of a conversation. Longer ones would bring turns again that were lost, so that nobody would notice.
const LONGEST: usize = 4;
/// Between a request that failed and the next.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn reply_to(question: &str) -> String {
    format!("I have written this down: {question}")
}

impl Crowd {
    /// Everybody, before a word is said.
    pub(super) fn gather(random: &mut fastrand::Rng) -> Self {
        let speaker =
            |number| Speaker { number, random: random.fork(), asked: 0, unanswered: None, talk: Talk::default() };
        Self((0..SPEAKERS).map(speaker).collect())
    }

    /// Everybody talks until the program has ended. When it is `ending`, a missing answer is no failure any more.
    pub(super) async fn talk(self, door: Door, ending: CancellationToken) -> (Self, Talk) {
        let mut all = JoinSet::new();
        for speaker in self.0 {
            all.spawn(speaker.talk(door.clone(), ending.clone()));
        }
        let (mut crowd, mut whole) = (Vec::new(), Talk::default());
        for mut speaker in all.join_all().await {
            whole.add(std::mem::take(&mut speaker.talk));
            crowd.push(speaker);
        }
        (Self(crowd), whole)
    }
}

impl Talk {
    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.failed += other.failed;
    }
}

impl Speaker {
    async fn talk(mut self, door: Door, ending: CancellationToken) -> Self {
        loop {
            if self.converse(&door).await.is_some() {
                continue;
            }
            if ending.is_cancelled() {
                return self;
            }
            self.talk.failed += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One conversation to its end; nothing if a request was not answered.
    async fn converse(&mut self, door: &Door) -> Option<()> {
        let mut messages = Vec::new();
        let mut unanswered = self.unanswered.take();
        for number in 0..self.random.usize(1..=LONGEST) {
            let question = unanswered.take().unwrap_or_else(|| self.question());
            messages.push(json!({"role": "user", "content": question}));
            let caller = self.number % CALLERS;
            let key = format!("sk-kills-{caller}");
            let streams = self.number.is_multiple_of(2);
            let body = json!({"model": "m", "messages": messages, "stream": streams}).to_string();
            let reply = door.send(Method::POST, CHAT, &key, body).await.and_then(|heard| heard.reply());
            if reply.as_ref() != Some(&reply_to(&question)) {
                self.unanswered = Some(question).filter(|_| number == 0);
                return None;
            }
            let reply = reply.unwrap_or_default();
            messages.push(json!({"role": "assistant", "content": reply}));
            self.talk.acknowledged.extend([question, reply].map(|text| Acknowledged { text, caller }));
        }
        Some(())
    }

    /// A sentence that nobody has said before.
    fn question(&mut self) -> String {
        self.asked += 1;
        let mut pick = |words: &[&'static str]| words[self.random.usize(0..words.len())];
        let (thing, place, person) = (pick(&THINGS), pick(&PLACES), pick(&PEOPLE));
        format!("Parcel {}-{} for {person} holds a {thing} and waits at the {place}.", self.number, self.asked)
    }
}

const THINGS: [&str; 8] = ["kettle", "violin", "lamp", "globe", "carpet", "clock", "saddle", "mirror"];
const PLACES: [&str; 6] = ["station", "harbour", "bakery", "library", "mill", "town hall"];
const PEOPLE: [&str; 6] = ["Ada", "Bela", "Chidi", "Dolores", "Emre", "Fumiko"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mainpoint_tests::ScriptedUpstream;

    use super::super::repeated;
    use super::*;

    #[tokio::test]
    async fn everybody_talks_until_the_program_ends_and_says_nothing_twice() {
        let upstream = ScriptedUpstream::start().await;
        upstream.always(repeated);
        let ending = CancellationToken::new();
        let crowd = Crowd::gather(&mut fastrand::Rng::with_seed(1));
        let door = Door::at(&format!("127.0.0.1:{}", upstream.port()));
        let talking = tokio::spawn(crowd.talk(door, ending.clone()));
        upstream.arrived(2 * SPEAKERS).await;
        ending.cancel();
        upstream.always(|_| mainpoint_tests::Reply::hang_up());
        let (crowd, talk) = talking.await.unwrap();
        assert_eq!(crowd.0.len(), SPEAKERS);
        let texts: HashSet<&str> = talk.acknowledged.iter().map(|turn| turn.text.as_str()).collect();
        assert!(!texts.is_empty());
        assert_eq!(texts.len(), talk.acknowledged.len());
    }
}
