//! What `batches` promises.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::*;
use crate::records::{ConversationId, TurnId};

const WIDTH: usize = 3;

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let span =
        (any::<u32>(), any::<u32>(), 0.0f32..=1.0).prop_map(|(start, end, salience)| Span { start, end, salience });
    prop::collection::vec(span, 0..4)
}

fn points(turn: TurnId) -> impl Strategy<Value = Vec<Point>> {
    let point = (any::<[u32; 3]>(), spans(), any::<String>(), any::<[i16; WIDTH]>(), any::<Vec<u8>>()).prop_map(
        move |([passage, start, end], spans, text, vector, ranking_data)| Point {
            turn,
            passage,
            start,
            end,
            spans,
            text,
            // Whatever half precision has room for.
            vector: vector.map(|bits| f32::from(bits / 16)).to_vec(),
            ranking_data,
        },
    );
    prop::collection::vec(point, 0..4)
}

prop_compose! {
    fn turn()(
        ids in any::<(u128, Option<u128>, u128)>(),
        numbers in any::<[u32; 2]>(),
        texts in any::<[String; 2]>(),
        scope in "[a-zA-Z0-9_.:-]{1,128}",
        micros in 0i64..4_000_000_000_000_000,
    ) -> Turn {
        let id = |number: u128| TurnId(number.to_be_bytes());
        let [role, text] = texts;
        Turn {
            id: id(ids.0),
            parent: ids.1.map(id),
            conversation: ConversationId(ids.2.to_be_bytes()),
            scope: Scope::new(scope).unwrap(),
            position: numbers[0],
            role,
            text,
            time: DateTime::from_timestamp_micros(micros).unwrap(),
            tokens: numbers[1],
        }
    }
}

fn completed() -> impl Strategy<Value = Vec<CompletedTurn>> {
    let one = turn()
        .prop_flat_map(|turn| points(turn.id).prop_map(move |points| CompletedTurn { turn: turn.clone(), points }));
    prop::collection::vec(one, 0..4)
}

proptest! {
    #[test]
    fn records_survive_their_arrow_form(completed in completed()) {
        let borrowed: Vec<&CompletedTurn> = completed.iter().collect();
        let turns = turns_from_batch(&turns_to_batch(&borrowed).unwrap()).unwrap();
        let points = points_from_batch(&points_to_batch(&borrowed, WIDTH).unwrap()).unwrap();
        prop_assert_eq!(turns, completed.iter().map(|one| one.turn.clone()).collect::<Vec<_>>());
        prop_assert_eq!(points, completed.iter().flat_map(|one| one.points.clone()).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_without_the_columns_is_an_error_that_names_one() {
    let error = points_from_batch(&turns_to_batch(&[]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("column turn is missing"), "{error}");
}
