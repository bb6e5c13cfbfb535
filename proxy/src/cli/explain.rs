//! `mainpoint explain`: shows every turn of a conversation with its attention and its main point.

mod highlight;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use mainpoint_engine::{ReadRequest, Span, TurnReading, TurnText};
use serde_json::{Value, json};

use highlight::Marks;

use super::conversation::Message;
use super::{CliError, ConfigOption, conversation};
use crate::config::Overrides;
use crate::openai::oddity::Oddity;
use crate::{app, models};

/// How the command is used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  mainpoint explain conversation.json
  echo '[{\"role\": \"user\", \"content\": \"We meet at the harbour on 14 March.\"}]' | mainpoint explain -

On a terminal the background is the darker the more attention a word receives, and the main point is underlined; elsewhere the
main point stands in «guillemets». The main point is what the memory keeps of a message.";

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// A conversation as OpenAI messages: {"messages": […]} or a list; `-` reads standard input.
    #[arg(value_name = "FILE.json")]
    file: PathBuf,
    /// Print JSON: the spans of the main point, the salience of every token, the passages.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: ExplainArguments) -> Result<(), CliError> {
    let messages = conversation::read(&arguments.file)?;
    let config = arguments.config.load(&Overrides::default())?;
    let paths = models::resolve(&config.models)?;
    let engine = app::engine(&config, &paths)?;
    let turns: Vec<TurnText> = messages.iter().filter(|message| is_read(message)).map(turn).collect();
    let readings = engine.read(ReadRequest { turns }).await?;
    let mut readings = readings.into_iter();
    let explained: Vec<(&Message, Option<TurnReading>)> =
        messages.iter().map(|message| (message, if is_read(message) { readings.next() } else { None })).collect();
    if arguments.json {
        let turns: Vec<Value> =
            explained.iter().map(|(message, reading)| describe(message, reading.as_ref())).collect();
        writeln!(anstream::stdout(), "{:#}", json!({ "turns": turns }))?;
    } else {
        let mut output = anstream::stdout();
        let marks = Marks::new(&output);
        highlight::show(&mut output, &explained, marks)?;
    }
    if messages.iter().all(|message| message.oddity.is_some()) {
        return Err(CliError::NothingUsable { name: conversation::name(&arguments.file) });
    }
    Ok(())
}

/// Instructions are not part of the conversation's memory, what is odd is passed over, and a turn without text has no main point.
fn is_read(message: &Message) -> bool {
    message.oddity.is_none()
        && !matches!(message.role.as_str(), "system" | "developer")
        && !message.text.trim().is_empty()
}

/// The turn as the proxy gives it to the reader: the role, with a capital, is the speaker.
fn turn(message: &Message) -> TurnText {
    let mut letters = message.role.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    TurnText { speaker: first.chain(letters).collect(), text: message.text.clone() }
}

fn describe(message: &Message, reading: Option<&TurnReading>) -> Value {
    let Some(reading) = reading else {
        let oddity = message.oddity.map(Oddity::label);
        return json!({ "role": message.role, "text": message.text, "read": false, "passed_over": oddity });
    };
    let salience: Vec<Value> = reading
        .salience
        .iter()
        .map(|token| json!({ "start": token.start, "end": token.end, "score": token.score }))
        .collect();
    let passages = reading.passages.iter().map(|passage| {
        let spans = passage.spans.iter().map(|span| describe_span(&message.text, span));
        json!({ "start": passage.start, "end": passage.end, "spans": spans.collect::<Vec<_>>() })
    });
    json!({
        "role": message.role,
        "text": message.text,
        "read": true,
        "tokens": reading.tokens,
        "salience": salience,
        "passages": passages.collect::<Vec<_>>(),
    })
}

fn describe_span(text: &str, span: &Span) -> Value {
    let words = text.get(span.start..span.end).unwrap_or_default();
    json!({ "start": span.start, "end": span.end, "salience": span.salience, "text": words })
}
