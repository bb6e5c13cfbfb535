//! Which memories are quoted, how, and in which order.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
use chrono::TimeDelta;
use mainpoint_store::Turn;
use proptest::prelude::*;

use super::*;
use crate::memory::turns_for_tests::{conversation, id, recalled, turn};

fn memory(position: u32, text: &str) -> RecalledTurn {
    recalled(turn(position, text))
}

fn words(text: &str) -> Result<usize, EngineError> {
    Ok(text.split_whitespace().count())
}

fn place(room: usize) -> Place {
    Place { room, least_relevance: 0.0, seal: Seal::new([0; 32]) }
}

#[test]
fn memories_of_one_day_stand_in_chronological_order_and_the_best_ones_win() {
    let packed = pack(&[memory(9, "nine"), memory(2, "two"), memory(5, "five")], &HashSet::new(), place(30), words)
        .unwrap()
        .unwrap();
    let block = packed.block();
    assert_eq!(packed.memories(), 2, "{block}");
    assert!(block.find("two").unwrap() < block.find("nine").unwrap());
    assert!(!block.contains("five"));
}

#[test]
fn the_day_with_the_best_memory_stands_last() {
    let on = |day: i64, position: u32, text: &str| {
        let time = DateTime::UNIX_EPOCH + TimeDelta::days(day);
        recalled(Turn { time, ..turn(position, text) })
    };
    let all = [on(4, 40, "best"), on(9, 90, "second"), on(4, 39, "third"), on(1, 10, "fourth")];
    let block = pack(&all, &HashSet::new(), place(200), words).unwrap().unwrap().block();
    let said: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("user: ")).collect();
    assert_eq!(said, ["fourth", "second", "third", "best"]);
    assert_eq!(block.matches("[5 January 1970]").count(), 1, "{block}");
}

#[test]
fn conversations_of_one_minute_are_not_mixed() {
    let of = |name: u32, position: u32, text: &str| {
        recalled(Turn { conversation: conversation(name), ..turn(position, text) })
    };
    let all = [of(1, 0, "a"), of(2, 1, "b"), of(1, 2, "c"), of(2, 3, "d")];
    let all = all.map(|one| RecalledTurn { turn: Turn { time: DateTime::UNIX_EPOCH, ..one.turn.clone() }, ..one });
    let block = pack(&all, &HashSet::new(), place(200), words).unwrap().unwrap().block();
    let said: String = block.lines().filter_map(|line| line.strip_prefix("user: ")).collect();
    assert!(["acbd", "bdac"].contains(&&*said), "{block}");
}

#[test]
fn what_was_said_twice_is_quoted_once_with_both_dates() {
    let on = |day: u32, text: &str| {
        let time = DateTime::UNIX_EPOCH + TimeDelta::days(day.into());
        recalled(Turn { time, ..turn(day, text) })
    };
    let all = [on(2, "I live in Berlin."), on(5, "five"), on(7, "i live in Berlin")];
    let packed = pack(&all, &HashSet::new(), place(200), words).unwrap().unwrap();
    let block = packed.block();
    assert!(block.contains("\n[8 January 1970]\nuser (also on 3 January 1970): i live in Berlin\n"), "{block}");
    assert_eq!(packed.memories(), 2, "{block}");
}

#[test]
fn a_time_that_counts_from_the_day_of_the_quote_is_written_beside_it() {
    let time = "2023-07-03T10:00:00Z".parse().unwrap();
    let said = recalled(Turn { time, ..turn(1, "Yesterday I signed up for pottery.") });
    let block = pack(&[said], &HashSet::new(), place(200), words).unwrap().unwrap().block();
    assert!(block.contains("\n[3 July 2023]\nuser (of 2 July 2023): Yesterday I signed up for pottery.\n"), "{block}");
}

#[test]
fn the_day_of_a_quote_is_not_written_beside_it() {
    let time = "2023-07-03T10:00:00Z".parse().unwrap();
    let said = recalled(Turn { time, ..turn(1, "Today I fired a bowl that I made yesterday.") });
    let block = pack(&[said], &HashSet::new(), place(200), words).unwrap().unwrap().block();
    assert!(block.contains("user (of 2 July 2023): Today I fired"), "{block}");
}

#[test]
fn no_time_is_written_beside_a_day_without_a_year_or_a_tools_result() {
    let time = "2026-11-30T10:00:00Z".parse().unwrap();
    for (role, text, quote) in [
        ("user", "The exam is next week on 9 December.", "user: The exam is next week on 9 December.\n"),
        ("user", "The rent goes up by March.", "user: The rent goes up by March.\n"),
        ("tool", "It failed yesterday.", "tool result: It failed yesterday.\n"),
    ] {
        let said = recalled(Turn { time, role: role.to_owned(), ..turn(1, text) });
        let block = pack(&[said], &HashSet::new(), place(200), words).unwrap().unwrap().block();
        assert!(block.contains(&format!("\n[30 November 2026]\n{quote}")), "{block}");
    }
}

#[test]
fn a_long_turn_is_quoted_by_its_best_passage() {
    let mut long = memory(1, &"word ".repeat(400));
    long.passage = Some("the answer is here".to_owned());
    let packed = pack(&[long], &HashSet::new(), place(100), words).unwrap().unwrap();
    assert!(packed.block().contains("the answer is here"));
    assert!(!packed.block().contains("word word"));
}

#[test]
fn a_tools_long_result_is_quoted_by_several_passages_where_they_are_worth_it_and_else_by_one() {
    let quoted = |room: usize| {
        let mut long = memory(1, &"word ".repeat(400));
        long.excerpts = vec![format!("one\n…\n{}", "two ".repeat(20)), "…\nthe answer\n…".to_owned()];
        long.passage = Some("the answer".to_owned());
        pack(&[long], &HashSet::new(), place(room), words).unwrap().unwrap().block()
    };
    assert!(quoted(400).contains("user: one\n …\n two two"), "{}", quoted(400));
    assert!(quoted(60).contains("user: …\n the answer\n …\n"), "{}", quoted(60));
}

#[test]
fn what_hardly_answers_is_not_quoted_however_short_it_is_unless_nothing_answers_better() {
    let likely = |scores: &[f32], least_relevance: f32| {
        let said = |(number, score): (usize, &f32)| {
            let words = format!("word{number}");
            RecalledTurn { score: *score, ..memory(u32::try_from(number).unwrap(), &words) }
        };
        let recalled: Vec<RecalledTurn> = scores.iter().enumerate().map(said).collect();
        let place = Place { least_relevance, ..place(1000) };
        pack(&recalled, &HashSet::new(), place, words).unwrap().map_or(0, |packed| packed.memories())
    };
    assert_eq!(likely(&[0.7, 0.006, 0.004, 0.002], 0.1), 2);
    assert_eq!(likely(&[0.7, 0.006, 0.004, 0.002], 0.0), 4, "the best that there is room for");
    assert_eq!(likely(&[0.009, 0.004, 0.003, 0.0005], 0.1), 3, "many tell the same");
}

#[test]
fn a_turn_that_is_not_worth_its_tokens_is_quoted_by_its_passage_or_not_at_all() {
    let place = Place { least_relevance: 2.0, ..place(1000) };
    let likely = |score: f32, passage: Option<&str>| {
        let long = memory(1, &"word ".repeat(100));
        let long = RecalledTurn { score, passage: passage.map(str::to_owned), ..long };
        pack(&[long], &HashSet::new(), place, words).unwrap().map(|packed| packed.block())
    };
    assert!(likely(0.3, None).unwrap().contains("word word"), "0.3 is worth 150 tokens");
    assert!(likely(0.1, Some("the answer")).unwrap().contains("user: … the answer …\n"), "0.1 is worth 50");
    assert_eq!(likely(0.1, None), None);
    assert_eq!(likely(0.001, Some("the answer")), None);
}

#[test]
fn a_long_passage_is_quoted_by_its_sentences_where_it_does_not_fit() {
    let long = |passage: Option<String>| {
        let long = memory(1, &"word ".repeat(400));
        RecalledTurn { passage, sentences: Some("The answer.".to_owned()), ..long }
    };
    let quoted =
        |turn: RecalledTurn, room: usize| pack(&[turn], &HashSet::new(), place(room), words).unwrap().unwrap().block();
    let passage = || Some("some ".repeat(50));
    assert!(quoted(long(passage()), 400).contains("user: … some some"));
    assert!(quoted(long(passage()), 100).contains("user: … The answer. …\n"), "the passage is over a quarter");
    assert!(quoted(long(None), 100).contains("user: … The answer. …\n"));
}

#[test]
fn a_turn_that_does_not_fit_below_its_day_is_quoted_by_what_does() {
    let frame = words(&block::render(&[])).unwrap();
    // "user: one two …" below "[1 January 1970]", and a line break behind each.
    let room = frame + 5 + 4;
    let full = memory(1, "one two three four");
    let shorter = RecalledTurn { passage: Some("one two".to_owned()), ..full.clone() };
    let block = |turn: RecalledTurn, room: usize| {
        let packed = pack(&[turn], &HashSet::new(), place(room), words).unwrap();
        packed.map(|packed| packed.block())
    };
    assert_eq!(block(full.clone(), room), None);
    assert!(block(shorter, room).unwrap().contains("\nuser: one two …\n"));
    let said = RecalledTurn { passage: Some("two three four five".to_owned()), ..full };
    let said = RecalledTurn { sentences: Some("one".to_owned()), ..said };
    assert!(block(said, room).unwrap().contains("\nuser: one …\n"));
}

#[test]
fn marks_say_where_a_quote_has_not_all_of_its_turn_and_are_counted() {
    let text = format!("It began. {}It went on yesterday. {}It ended.", "word ".repeat(100), "word ".repeat(100));
    let time = "2023-07-03T10:00:00Z".parse().unwrap();
    let quoted = |passage: &str, role: &str, room: usize| {
        let turn = Turn { time, role: role.to_owned(), ..turn(1, &text) };
        let long = RecalledTurn { passage: Some(passage.to_owned()), ..recalled(turn) };
        pack(&[long], &HashSet::new(), place(room), words).unwrap().map(|packed| packed.block())
    };
    for (passage, role, quote) in [
        ("It began. ", "user", "user: It began. …\n"),
        ("It went on yesterday. ", "user", "user (of 2 July 2023): … It went on yesterday. …\n"),
        ("It ended.", "assistant", "assistant: … It ended.\n"),
        ("It went on yesterday.", "tool", "tool result: … It went on yesterday. …\n"),
    ] {
        let block = quoted(passage, role, 100).unwrap();
        assert!(block.contains(&format!("\n[3 July 2023]\n{quote}")), "{block}");
    }
    let whole = quoted("It began. ", "user", 1000).unwrap();
    assert!(whole.contains("It ended.\n") && !whole.contains('…'), "{whole}");
    // "user: It began. …" and the day above it take a word more than without the mark.
    let enough = words(&block::render(&[])).unwrap() + 9;
    assert!(quoted("It began. ", "user", enough).is_some());
    assert_eq!(quoted("It began. ", "user", enough - 1), None);
}

#[test]
fn a_quote_names_every_turn_whose_time_it_bears() {
    let sent = RecalledTurn { sent_as: Some(id(9)), ..memory(2, "Where is the key?") };
    let packed = pack(&[memory(1, "where is the key"), sent], &HashSet::new(), place(200), words).unwrap().unwrap();
    let turns: Vec<TurnId> = packed.sources().iter().flat_map(|source| source.turns().collect::<Vec<_>>()).collect();
    assert_eq!(turns, [id(2), id(1), id(9)]);
}

#[test]
fn without_room_or_memories_there_is_no_block() {
    assert_eq!(pack(&[memory(1, "a")], &HashSet::new(), place(5), words).unwrap(), None);
    assert_eq!(pack(&[], &HashSet::new(), place(1000), words).unwrap(), None);
}

#[test]
fn what_the_prompt_quotes_already_is_quoted_again_only_if_it_is_short_and_among_the_best() {
    let all = [memory(1, "one"), memory(2, "two"), memory(3, "three"), memory(4, "four"), memory(5, "five")];
    let quoted: HashSet<TurnId> = [2, 4].map(id).into();
    let packed = pack(&all, &quoted, place(200), words).unwrap().unwrap();
    let positions: Vec<u32> = packed.sources().iter().map(|source| source.position).collect();
    assert_eq!(positions, [1, 2, 3, 5]);
    let long = [memory(2, &"word ".repeat(60))];
    assert_eq!(pack(&long, &quoted, place(200), words).unwrap(), None);
}

#[test]
fn what_is_out_of_date_is_quoted_only_beside_what_is_newer() {
    let old = RecalledTurn { newer: Some(id(9)), ..memory(2, "In May.") };
    let new = memory(9, "In June now, and here are many more words.");
    let packed = |all: &[RecalledTurn], quoted: &HashSet<TurnId>, room: usize| {
        let packed = pack(all, quoted, place(room), words).unwrap();
        packed.map_or_else(Vec::new, |packed| packed.sources().iter().map(|source| source.position).collect())
    };
    let both = [new, old.clone(), memory(3, "three")];
    assert_eq!(packed(&both, &HashSet::new(), 300), [2, 3, 9]);
    assert_eq!(packed(&[old.clone(), memory(3, "three")], &HashSet::new(), 300), [3]);
    assert_eq!(packed(&[old], &[id(9)].into(), 300), [2], "the prompt has the newer one");
    for room in 0..60 {
        let found = packed(&both, &HashSet::new(), room);
        assert!(!found.contains(&2) || found.contains(&9), "{room}: {found:?}");
    }
}

proptest! {
    #[test]
    fn a_block_never_exceeds_its_room(
        texts in prop::collection::vec("[a-z ]{0,60}", 0..12), room in 0..120usize,
    ) {
        let all: Vec<RecalledTurn> =
            texts.iter().enumerate().map(|(index, text)| memory(index as u32, text)).collect();
        if let Some(packed) = pack(&all, &HashSet::new(), place(room), words).unwrap() {
            prop_assert!(words(&packed.block()).unwrap() <= room);
            prop_assert!(packed.memories() > 0);
        }
    }
}
