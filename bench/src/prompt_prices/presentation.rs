//! How the price benchmark's results are shown: headings, notes, files.
//!
//! It must not know how anything was measured.

use super::figures::{RESAMPLES, SEED, Sample};
use super::policies::Policy;
use super::results::ChatResult;
use super::{CHATS, PriceOptions, Prices, picture, tables};
use crate::BenchError;
use crate::cache::write_whole;
use crate::report::{Report, write_rows};

/// Every table with its heading and note.
#[must_use]
pub(super) fn report(options: &PriceOptions, whole: &Sample<'_>, chats: &[Sample<'_>]) -> Report {
    let mut report = Report::default();
    let note = format!("{} {}", method(options), tables::outcome_note(whole.results()));
    report.add(heading(options), note, tables::policy_table(whole));
    let note = "Over the requests whose receipt says that no epoch began, from each chat's second request on.";
    report.add("Between two epochs", note, tables::cache_table(whole));
    for chat in chats {
        let name = chat.results().first().map_or("", |result| result.name.as_str());
        let note = tables::outcome_note(chat.results());
        report.add(format!("Chat {name}"), note, tables::policy_table(chat));
    }
    report
}

fn heading(options: &PriceOptions) -> String {
    let settings: String = (options.settings.iter())
        .map(|(key, value)| format!(", {key} = {value}"))
        .collect();
    let rounds = options
        .rounds
        .map_or_else(String::new, |rounds| format!(", first {rounds} rounds"));
    format!(
        "Chats {}{rounds}, budget {} tokens{settings}",
        options.chats.join(" + "),
        options.budget
    )
}

fn method(options: &PriceOptions) -> String {
    let Prices {
        input,
        cache_read,
        cache_write,
    } = options.prices;
    format!(
        "Price: each prompt's tokens (o200k_base) at {cache_read} where the longest beginning that it shares with \
         any earlier prompt of its chat is cached (from 1,024 tokens on, in steps of 128) and at {cache_write} \
         elsewhere; prompts under 1,024 tokens at {input}. Cached: the share of all prompt tokens. Evidence: after \
         the last round each question that names messages of the chat is asked; a message counts as present when \
         one message, digest line or memory line of the prompt holds at least half of its content words \
         (lower-cased, without stop words, each once, the first 60); the figure is the mean share. Intervals: \
         bootstrap over chats, for evidence over questions, {RESAMPLES} resamples, seed {SEED}. All prompts but \
         mainpoint's are made by this benchmark; mainpoint's are what the running proxy forwarded."
    )
}

/// Writes tables, rows and picture.
///
/// # Errors
/// [`BenchError::Write`] or [`BenchError::Data`] if a file cannot be written.
pub(super) fn write(
    options: &PriceOptions,
    report: &mut Report,
    whole: &Sample<'_>,
    chats: &[Sample<'_>],
) -> Result<(), BenchError> {
    let [markdown, rows, picture] =
        ["prices.md", "prompt-cache.jsonl", "prices.svg"].map(|name| options.out.join(name));
    let text = format!(
        "{}{}\n\n![Prompt tokens by round](prices.svg)\n",
        report.markdown("What a conversation costs with prompt caching"),
        tables::verdict(whole)
    );
    write_whole(&markdown, text.as_bytes())?;
    write_rows(&rows, &tables::rows(&bench_name(options), whole, chats))?;
    if let Some(result) = whole.results().first() {
        write_whole(&picture, drawn(result).as_bytes())?;
    }
    anstream::println!(
        "Written: {}, {} and {}",
        markdown.display(),
        rows.display(),
        picture.display()
    );
    Ok(())
}

fn drawn(result: &ChatResult) -> String {
    let line = |policy: Policy| picture::Line {
        name: policy.title().to_owned(),
        values: (result.policy(policy).charges.iter())
            .map(|charge| charge.tokens)
            .collect(),
    };
    let title = format!("Forwarded prompt by round, chat {}", result.name);
    picture::draw(&title, "tokens", &Policy::ALL.map(line))
}

/// Results of other conversations never pass for those of the report.
fn bench_name(options: &PriceOptions) -> String {
    let rounds = options
        .rounds
        .map_or_else(String::new, |rounds| format!("-first-{rounds}"));
    if options.chats == CHATS {
        format!("prompt-cache-beam{rounds}")
    } else {
        format!("prompt-cache-{}{rounds}", options.chats.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::result;
    use super::super::tests::options;
    use super::*;

    #[test]
    fn other_conversations_have_another_name_in_the_results() {
        let mut options = options();
        assert_eq!(bench_name(&options), "prompt-cache-beam");
        options.rounds = Some(20);
        assert_eq!(bench_name(&options), "prompt-cache-beam-first-20");
        options.chats = vec!["1".to_owned(), "852ce960".to_owned()];
        assert_eq!(bench_name(&options), "prompt-cache-1+852ce960-first-20");
        assert_eq!(
            heading(&options),
            "Chats 1 + 852ce960, first 20 rounds, budget 8000 tokens"
        );
    }

    #[test]
    fn the_picture_has_a_line_for_each_policy() {
        let svg = drawn(&result());
        assert!(Policy::ALL.iter().all(|policy| svg.contains(policy.title())));
        assert_eq!(svg.matches("<polyline").count(), Policy::ALL.len());
    }
}
