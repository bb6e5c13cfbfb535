//! The tables of the price benchmark and its rows for machines.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::figures::{CacheFigures, Figures, Sample};
use super::policies::Policy;
use super::results::ChatResult;
use crate::bootstrap::Interval;
use crate::metrics::as_float;
use crate::report::{Row, table};

/// Every policy's price, cache and evidence.
#[must_use]
pub(super) fn policy_table(sample: &Sample<'_>) -> Table {
    let mut table = table([
        "policy",
        "price",
        "of untouched",
        "95 % interval",
        "cached",
        "prompt tokens",
        "epochs",
        "evidence",
        "95 % interval",
    ]);
    for policy in Policy::ALL {
        let figures = sample.figures(policy);
        let epochs = match policy {
            Policy::Mainpoint => epochs(sample.results()).to_string(),
            _ => "–".to_owned(),
        };
        table.add_row([
            policy.title().to_owned(),
            format!("{:.0}", figures.price),
            share(figures.ratio.mean),
            span(figures.ratio),
            share(figures.cached.mean),
            figures.tokens.to_string(),
            epochs,
            share(figures.evidence.mean),
            span(figures.evidence),
        ]);
    }
    table
}

/// What the cache gave between two epochs.
#[must_use]
pub(super) fn cache_table(sample: &Sample<'_>) -> Table {
    let CacheFigures {
        of_append_only,
        share: own,
        untouched,
    } = sample.between_epochs();
    let mut table = table(["between two epochs", "share", "95 % interval"]);
    for (title, interval) in [
        (
            "cached tokens of what an append-only prompt of that size has cached",
            of_append_only,
        ),
        ("cached tokens of all prompt tokens, mainpoint", own),
        (
            "cached tokens of all prompt tokens, untouched in the same rounds",
            untouched,
        ),
    ] {
        table.add_row([title.to_owned(), share(interval.mean), span(interval)]);
    }
    table
}

/// What happened to mainpoint's requests.
#[must_use]
pub(super) fn outcome_note(results: &[ChatResult]) -> String {
    let requests: usize = results.iter().map(|result| result.begins_epoch.len()).sum();
    let rewritten: usize = results.iter().map(|result| result.rewritten).sum();
    let failed_open: usize = results.iter().map(|result| result.failed_open).sum();
    format!(
        "Of mainpoint's {requests} requests {rewritten} were rewritten, {} of them with a new epoch; {failed_open} \
         went through untouched since something failed.",
        epochs(results)
    )
}

/// All rows for machines: of all conversations together, and with `/name` of each.
#[must_use]
pub(super) fn rows(bench: &str, whole: &Sample<'_>, chats: &[Sample<'_>]) -> Vec<Row> {
    let mut rows = rows_of(bench, "", whole);
    for chat in chats {
        let name = chat.results().first().map_or("", |result| result.name.as_str());
        rows.extend(rows_of(bench, &format!("/{name}"), chat));
    }
    rows
}

fn rows_of(bench: &str, suffix: &str, sample: &Sample<'_>) -> Vec<Row> {
    let chats = sample.results().len();
    let row = |metric: &str, policy: Policy, interval: Interval| {
        Row::new(bench, format!("{metric}{suffix}"), policy.name(), interval).over(chats)
    };
    let mut rows = Vec::new();
    for policy in Policy::ALL {
        let figures: Figures = sample.figures(policy);
        rows.push(row("price", policy, exactly(figures.price)));
        rows.push(row("price_ratio_to_untouched", policy, figures.ratio));
        rows.push(row("cached_share", policy, figures.cached));
        rows.push(row("prompt_tokens", policy, exactly(as_float(figures.tokens))));
        rows.push(row("evidence", policy, figures.evidence).over(figures.questions));
    }
    let cache = sample.between_epochs();
    let own = Policy::Mainpoint;
    let failed: usize = sample.results().iter().map(|result| result.failed_open).sum();
    rows.push(row("cached_share_ratio_between_epochs", own, cache.of_append_only));
    rows.push(row("cached_share_between_epochs", own, cache.share));
    rows.push(row("cached_share_between_epochs", Policy::Untouched, cache.untouched));
    rows.push(row("epochs", own, exactly(as_float(epochs(sample.results())))));
    rows.push(row("failed_open", own, exactly(as_float(failed))));
    if let Some((_, ratio)) = sample.best_rival() {
        rows.push(row("price_ratio_to_best_with_its_evidence", own, ratio));
    }
    rows
}

/// In one sentence: mainpoint's price beside untouched and beside the best rival.
#[must_use]
pub(super) fn verdict(sample: &Sample<'_>) -> String {
    let own = sample.figures(Policy::Mainpoint).ratio.mean;
    let rival = match sample.best_rival() {
        Some((rival, ratio)) => format!(
            "{} of \"{}\", the cheapest other policy that keeps at least its evidence",
            share(ratio.mean),
            rival.title()
        ),
        None => "no other policy keeps at least its evidence".to_owned(),
    };
    format!("mainpoint costs {} of untouched, and {rival}.", share(own))
}

fn epochs(results: &[ChatResult]) -> usize {
    results.iter().map(ChatResult::epochs).sum()
}

fn exactly(value: f64) -> Interval {
    Interval {
        mean: value,
        low: value,
        high: value,
    }
}

fn share(value: f64) -> String {
    format!("{value:.3}")
}

fn span(interval: Interval) -> String {
    format!("{} to {}", share(interval.low), share(interval.high))
}

#[cfg(test)]
mod tests {
    use super::super::pricing::Prices;
    use super::super::results::tests::result;
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_policy() {
        let results = [result()];
        let sample = Sample::of(&results, Prices::OPENAI);
        let text = policy_table(&sample).to_string();
        assert!(Policy::ALL.iter().all(|policy| text.contains(policy.title())), "{text}");
        assert!(cache_table(&sample).to_string().contains("1.000"));
        assert!(outcome_note(&results).contains("3 requests 1 were rewritten, 1 of them"));
        assert!(verdict(&sample).starts_with("mainpoint costs 0."));
    }

    #[test]
    fn rows_hold_all_conversations_together_and_each_by_its_name() {
        let results = [result(), result()];
        let whole = Sample::of(&results, Prices::OPENAI);
        let chats = [Sample::of(&results[..1], Prices::OPENAI)];
        let rows = rows("prices", &whole, &chats);
        let find = |metric: &str, arm: &str| rows.iter().find(|row| row.metric == metric && row.arm == arm);
        let value = |metric: &str, arm: &str| find(metric, arm).map(|row| (row.value, row.n));
        assert_eq!(value("price_ratio_to_untouched", "untouched"), Some((1.0, 2)));
        assert_eq!(value("epochs", "mainpoint"), Some((2.0, 2)));
        assert_eq!(value("epochs/some", "mainpoint"), Some((1.0, 1)));
        assert_eq!(value("evidence", "sliding-window"), Some((0.0, 2)));
        assert_eq!(value("cached_share_ratio_between_epochs", "mainpoint"), Some((1.0, 2)));
        assert!(rows.iter().all(|row| row.low <= row.value && row.value <= row.high));
    }
}
