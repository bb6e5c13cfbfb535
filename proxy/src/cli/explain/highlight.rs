//! Draws a turn: attention as the intensity of a background colour, the main point underlined.
//!
//! Where colours cannot be shown the main point stands in guillemets instead.

use std::io::{self, Write};
use std::ops::Range;

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use anstyle::{Ansi256Color, AnsiColor, Style};
use mainpoint_engine::{Span, TurnReading, words};

use crate::cli::conversation::Message;

/// From little attention to much: pale yellow to orange, which black text can be read on.
const RAMP: [u8; 7] = [230, 229, 228, 222, 221, 220, 214];

/// A stretch of text that looks the same throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch<'a> {
    text: &'a str,
    attention: f32,
    main_point: bool,
}

/// How the main point is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// Colours and underlines.
    Styles,
    /// Guillemets, where styles would be lost.
    Guillemets,
}

impl Marks {
    /// What suits an output.
    pub(super) fn new<S: RawStream>(output: &AutoStream<S>) -> Self {
        if output.current_choice() == ColorChoice::Never { Self::Guillemets } else { Self::Styles }
    }
}

/// Writes every turn.
pub(super) fn show(output: &mut impl Write, turns: &[(&Message, Option<TurnReading>)], marks: Marks) -> io::Result<()> {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    for (number, (message, reading)) in turns.iter().enumerate() {
        let note = match (reading, message.oddity) {
            (Some(reading), _) => format!("{} tokens", reading.tokens),
            (None, Some(oddity)) => format!("passed over: {}", oddity.label()),
            (None, None) => "not read".to_owned(),
        };
        writeln!(output, "{bold}{} {}{bold:#} {dim}({note}){dim:#}", number + 1, message.role)?;
        match reading {
            Some(reading) => write_turn(output, &stretches(&message.text, reading), marks)?,
            None => write!(output, "{dim}{}{dim:#}", message.text)?,
        }
        writeln!(output, "\n")?;
    }
    Ok(())
}

fn write_turn(output: &mut impl Write, stretches: &[Stretch<'_>], marks: Marks) -> io::Result<()> {
    let mut inside = false;
    for stretch in stretches {
        if marks == Marks::Guillemets && stretch.main_point != inside {
            write!(output, "{}", if inside { "»" } else { "«" })?;
            inside = stretch.main_point;
        }
        let style = match marks {
            Marks::Styles => style_of(stretch),
            Marks::Guillemets => Style::new(),
        };
        // A background colour would run on to the edge of the terminal at the end of a line.
        for (index, line) in stretch.text.split('\n').enumerate() {
            if index > 0 {
                writeln!(output)?;
            }
            if !line.is_empty() {
                write!(output, "{style}{line}{style:#}")?;
            }
        }
    }
    write!(output, "{}", if inside { "»" } else { "" })
}

fn style_of(stretch: &Stretch<'_>) -> Style {
    let style = if stretch.main_point { Style::new().underline() } else { Style::new() };
    match colour(stretch.attention) {
        Some(colour) => style.bg_color(Some(colour.into())).fg_color(Some(AnsiColor::Black.into())),
        None => style,
    }
}

/// The background of a token; one without attention has none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the index is between 0 and the ramp's length"
)]
fn colour(attention: f32) -> Option<Ansi256Color> {
    if attention <= 0.0 {
        return None;
    }
    let index = (attention.min(1.0) * RAMP.len() as f32) as usize;
    RAMP.get(index.min(RAMP.len() - 1)).copied().map(Ansi256Color)
}

/// Spreads the scores of a turn over the whole ramp: its least attention that is not none becomes nearly 0, its greatest 1.
fn spread(score: f32, least: f32, greatest: f32) -> f32 {
    if score <= 0.0 {
        return 0.0;
    }
    let width = greatest - least;
    if width <= 0.0 { 1.0 } else { ((score - least) / width).clamp(f32::EPSILON, 1.0) }
}

/// Cuts a text between words and wherever the main point begins or ends. Together the stretches are the text. A word has the
/// attention of the most salient of its tokens, which are often no words, and in some scripts not even whole characters.
fn stretches<'a>(text: &'a str, reading: &TurnReading) -> Vec<Stretch<'a>> {
    let attended = || reading.salience.iter().map(|token| token.score).filter(|score| *score > 0.0);
    let (least, greatest) = (attended().fold(1.0, f32::min), attended().fold(0.0, f32::max));
    let spans: Vec<&Span> = reading.passages.iter().flat_map(|passage| &passage.spans).collect();
    let units = units(text, reading);
    let ends = spans.iter().flat_map(|span| [span.start, span.end]);
    let mut cuts: Vec<usize> = units
        .iter()
        .flat_map(|unit| [unit.range.start, unit.range.end])
        .chain(ends)
        .chain([0, text.len()])
        .filter(|cut| text.is_char_boundary(*cut))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let pairs = cuts.iter().zip(cuts.iter().skip(1));
    pairs
        .filter_map(|(start, end)| {
            let unit = units.iter().find(|unit| unit.range.contains(start));
            Some(Stretch {
                text: text.get(*start..*end)?,
                attention: unit.map_or(0.0, |unit| spread(unit.attention, least, greatest)),
                main_point: spans.iter().any(|span| (span.start..span.end).contains(start)),
            })
        })
        .collect()
}

/// What has one colour.
struct Unit {
    range: Range<usize>,
    attention: f32,
}

/// The words of a text with the attention of each, and the tokens that are in no word, such as those of a text of signs alone.
fn units(text: &str, reading: &TurnReading) -> Vec<Unit> {
    let mut units: Vec<Unit> = words(text).into_iter().map(|range| Unit { range, attention: 0.0 }).collect();
    let mut signs = Vec::new();
    for token in &reading.salience {
        let first = units.partition_point(|unit| unit.range.end <= token.start);
        let touched = units.get_mut(first..).unwrap_or_default().iter_mut();
        let mut is_in_a_word = false;
        for unit in touched.take_while(|unit| unit.range.start < token.end) {
            unit.attention = unit.attention.max(token.score);
            is_in_a_word = true;
        }
        if !is_in_a_word {
            signs.push(Unit { range: token.start..token.end, attention: token.score });
        }
    }
    units.extend(signs);
    units
}

#[cfg(test)]
mod tests {
    use mainpoint_engine::TokenSalience;
    use proptest::prelude::*;

    use super::*;

    fn token(start: usize, end: usize, score: f32) -> TokenSalience {
        TokenSalience { start, end, score }
    }

    fn reading(salience: Vec<TokenSalience>) -> TurnReading {
        TurnReading { tokens: salience.len(), salience, passages: Vec::new() }
    }

    #[test]
    fn a_plain_main_point_stands_in_guillemets() {
        let stretch = |text, main_point| Stretch { text, attention: 0.0, main_point };
        let stretches =
            [stretch("I live in ", false), stretch("Bern", true), stretch(" since ", false), stretch("2019", true)];
        let mut output = Vec::new();
        assert!(write_turn(&mut output, &stretches, Marks::Guillemets).is_ok());
        assert_eq!(String::from_utf8_lossy(&output), "I live in «Bern» since «2019»");
    }

    #[test]
    fn more_attention_never_has_a_paler_colour() {
        let mut last = None;
        for step in 0..=100_u8 {
            let place =
                colour(f32::from(step) / 100.0).and_then(|colour| RAMP.iter().position(|known| *known == colour.0));
            assert!(place >= last, "{step} of 100 is paler than less");
            last = place;
        }
        assert_eq!(last, Some(RAMP.len() - 1));
    }

    #[test]
    fn the_least_and_the_greatest_attention_of_a_turn_are_the_ends_of_the_ramp() {
        let reading = reading(vec![token(0, 1, 0.6), token(2, 3, 0.0), token(4, 5, 0.8), token(6, 7, 1.0)]);
        let stretches = stretches("a b c d", &reading);
        let of =
            |text: &str| stretches.iter().find(|stretch| stretch.text == text).map(|found| colour(found.attention));
        assert_eq!(of("a"), Some(Some(Ansi256Color(230))));
        assert_eq!(of("b"), Some(None));
        assert_eq!(of("d"), Some(Some(Ansi256Color(214))));
    }

    #[test]
    fn a_word_has_one_colour_in_every_script_whatever_its_tokens_are() {
        for (text, expected) in [
            ("来週の金曜日に会う", &["来週", "の", "金曜日", "に", "会う"][..]),
            ("วันศุกร์หน้า", &["วัน", "ศุกร์", "หน้า"]),
            ("unbelievable news", &["unbelievable", " ", "news"]),
        ] {
            // Every character is a token, marks above and below letters, too.
            let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let tokens = starts.windows(2).map(|pair| token(pair[0], pair[1], 0.5)).collect();
            let stretches: Vec<&str> = stretches(text, &reading(tokens)).iter().map(|stretch| stretch.text).collect();
            assert_eq!(stretches, expected);
        }
    }

    proptest! {
        #[test]
        fn the_stretches_together_are_the_text(text in "\\PC{0,40}", cuts in proptest::collection::vec((0_usize..120, 0_usize..120), 0..8)) {
            let tokens = cuts.iter().map(|(start, end)| token(*start, *end, 0.5)).collect();
            let joined: String = stretches(&text, &reading(tokens)).iter().map(|stretch| stretch.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
