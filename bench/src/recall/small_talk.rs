//! Whether the product is silent where nothing bears on what is said, and speaks where something does, in every language.

use std::collections::BTreeMap;

use mainpoint::memory::recall::abstention::{Evidence, Floor};

use super::SEED;
use super::library::Library;
use super::material::Material;
use super::shelf::{Asked, Shelf};
use crate::BenchError;
use crate::data::{Conversation, Kind, remarks};
use crate::report::{Report, Row};
use crate::stats::{RESAMPLES, Resamples};

#[derive(Debug, Default)]
pub(super) struct SmallTalk {
    groups: BTreeMap<(Group, String), Vec<Evidence>>,
    floor: Floor,
}

/// What there is to find for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Turns that answer it.
    Questions,
    /// Nothing: the chat's own messages that nothing bears on.
    Messages,
    /// Nothing: greetings, thanks, farewells and the like.
    Remarks,
    /// Nothing, though it asks about what the conversation is about.
    Unanswerable,
}

/// The languages that there are chats in.
const SPOKEN: [&str; 5] = ["de", "en", "es", "ja", "zh"];
/// Remarks in another one are said in the middle of this one.
const ELSEWHERE: &str = "en";
const BENCH: &str = "small-talk";
const NOTE: &str = "The share of the texts for which the product recalls nothing, at its own floor, with their number, by language. \
    Questions have an answer, and as few as possible should be silenced. Messages: what nothing in the chat bears on, from \
    the data. Remarks: ten of ours for each of ten languages, said in a chat of their language where there is one, else in the \
    English one. Unanswerable: questions about what the conversation is about that it does not answer; a floor is no help there.";

impl SmallTalk {
    /// Adds what the product finds for questions, and for remarks said in the middle of the same conversations.
    pub(super) async fn add(
        &mut self,
        library: &Library,
        shelf: &Shelf,
        kind: Kind,
        materials: &[Material<'_>],
    ) -> Result<(), BenchError> {
        let (least_match, least_lead) = (library.memory.least_match, library.small_talk.least_lead());
        self.floor = Floor { least_match, least_lead };
        for material in materials {
            let conversation = material.conversation;
            let where_asked = match kind {
                Kind::Language => conversation.language(),
                _ => kind.name(),
            };
            let found = material.candidates.iter().map(|found| found.evidence);
            self.extend(Group::Questions, where_asked, found);
            let nothing = match kind {
                Kind::Language => Group::Messages,
                _ => Group::Unanswerable,
            };
            let unanswerable: Vec<&str> = conversation.unanswerable.iter().map(String::as_str).collect();
            let found = evidence(library, shelf, conversation, &unanswerable).await?;
            self.extend(nothing, where_asked, found);
            for (language, remarks) in remarks()? {
                let is_said = match kind {
                    Kind::Language => is_said_in(&language, where_asked),
                    _ => language == ELSEWHERE,
                };
                if !is_said {
                    continue;
                }
                let remarks: Vec<&str> = remarks.iter().map(String::as_str).collect();
                let found = evidence(library, shelf, conversation, &remarks).await?;
                let known_as = if kind == Kind::Language { language.as_str() } else { where_asked };
                self.extend(Group::Remarks, known_as, found);
            }
        }
        Ok(())
    }

    pub(super) fn conclude(&self, report: &mut Report) {
        if self.groups.is_empty() {
            return;
        }
        report.rows.extend(self.rows());
        report.tabulate("Small talk", NOTE, |row| row.bench == BENCH);
    }

    fn extend(&mut self, group: Group, place: &str, evidence: impl IntoIterator<Item = Evidence>) {
        self.groups.entry((group, place.to_owned())).or_default().extend(evidence);
    }

    fn of(&self, group: Group) -> impl Iterator<Item = (&str, &[Evidence])> {
        let groups = self.groups.iter().filter(move |((found, _), _)| *found == group);
        groups.map(|((_, place), evidence)| (place.as_str(), evidence.as_slice()))
    }

    /// All texts of a group that were said in languages: other data sets are shown, and not what is asked for.
    fn all(&self, group: Group) -> Vec<Evidence> {
        let in_languages = self.of(group).filter(|(place, _)| !is_data_set(place));
        in_languages.flat_map(|(_, evidence)| evidence).copied().collect()
    }

    fn rows(&self) -> Vec<Row> {
        let row = |group: Group, place: &str, evidence: &[Evidence]| {
            let silenced = silenced(evidence, &self.floor);
            let interval = Resamples::draw(silenced.len(), RESAMPLES, SEED).interval(&silenced);
            let arm = format!("{}, {place}", group.name());
            Row::new(BENCH, "silenced", &arm, interval).over(silenced.len())
        };
        let mut rows = Vec::new();
        for group in Group::ALL {
            rows.extend(self.of(group).map(|(place, evidence)| row(group, place, evidence)));
            let all = self.all(group);
            if !all.is_empty() {
                rows.push(row(group, "all languages", &all));
            }
        }
        rows
    }
}

impl Group {
    const ALL: [Self; 4] = [Self::Questions, Self::Messages, Self::Remarks, Self::Unanswerable];

    fn name(self) -> &'static str {
        match self {
            Self::Questions => "questions",
            Self::Messages => "messages",
            Self::Remarks => "remarks",
            Self::Unanswerable => "unanswerable",
        }
    }
}

async fn evidence(
    library: &Library,
    shelf: &Shelf,
    conversation: &Conversation,
    texts: &[&str],
) -> Result<Vec<Evidence>, BenchError> {
    let asked = library.ask(&conversation.name, texts.iter().copied()).await?;
    let mut found = Vec::with_capacity(texts.len());
    for (text, question) in texts.iter().zip(&asked) {
        let asked = Asked { text, question, time: conversation.end() };
        found.push(shelf.find(conversation, asked).await?.evidence);
    }
    Ok(found)
}

/// Whether remarks in `language` are said in chats in `chat`.
fn is_said_in(language: &str, chat: &str) -> bool {
    language == chat || (!SPOKEN.contains(&language) && chat == ELSEWHERE)
}

/// Names of data sets are longer than language codes.
fn is_data_set(place: &str) -> bool {
    place.len() > 3
}

/// For each text, 1 if the product would recall nothing, else 0.
fn silenced(evidence: &[Evidence], floor: &Floor) -> Vec<f64> {
    let silenced = evidence.iter().map(|one| if one.is_enough(floor) { 0.0 } else { 1.0 });
    silenced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small_talk() -> SmallTalk {
        let evidence = |max_sim: f32| Evidence::new([max_sim], [], None);
        let mut measured = SmallTalk { floor: Floor { least_match: 0.22, least_lead: 0.0 }, ..SmallTalk::default() };
        measured.extend(Group::Questions, "de", [evidence(0.4), evidence(0.1)]);
        measured.extend(Group::Remarks, "hi", [evidence(0.05)]);
        measured.extend(Group::Questions, "locomo", [evidence(0.5)]);
        measured
    }

    #[test]
    fn remarks_are_said_in_their_own_language_or_else_in_english() {
        assert!(is_said_in("de", "de") && !is_said_in("de", "en"));
        assert!(is_said_in("hi", "en") && !is_said_in("hi", "de"));
    }

    #[test]
    fn what_lies_below_the_floor_is_silenced() {
        let rows = small_talk().rows();
        let value = |arm: &str| rows.iter().find(|row| row.arm == arm).map(|row| (row.value, row.n));
        assert_eq!(value("questions, de"), Some((0.5, 2)));
        assert_eq!(value("remarks, hi"), Some((1.0, 1)));
        assert_eq!(value("questions, all languages"), Some((0.5, 2)));
        assert_eq!(value("questions, locomo"), Some((0.0, 1)));
    }
}
