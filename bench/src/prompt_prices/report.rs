//! What the results of several conversations come to for each policy: rows, tables and a picture.
//!
//! It must not know how anything was measured.

use super::policies::Policy;
use super::pricing::{Charge, Prices};
use super::results::{BetweenEvictions, ChatResult};
use super::{CHATS, Point, PriceOptions};
use crate::BenchError;
use crate::report::{Axis, Chart, Line, Report, Row, Series, column, find};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float};

/// Results with what resampling needs.
struct Sample<'a> {
    results: &'a [ChatResult],
    prices: Prices,
    chats: Resamples,
    questions: Resamples,
}

const SEED: u64 = 20_261_123;
const RATIO: &str = "price_ratio_to_untouched";
const BETWEEN: &str = "Over the requests whose receipts say that nothing was evicted, from each chat's second on. Of append-only: \
    cached tokens beside those that a prompt of that size has cached if it is only appended to. Share: cached tokens of all prompt \
    tokens.";

impl<'a> Sample<'a> {
    /// The results at these prices.
    fn of(results: &'a [ChatResult], prices: Prices) -> Self {
        let evidence = |result: &ChatResult| result.policy(Policy::Mainpoint).evidence.len();
        Self {
            results,
            prices,
            chats: Resamples::draw(results.len(), RESAMPLES, SEED),
            questions: Resamples::draw(results.iter().map(evidence).sum(), RESAMPLES, SEED),
        }
    }

    /// The rows of every policy, each measure with the suffix.
    fn rows(&self, bench: &str, suffix: &str) -> Vec<Row> {
        let chats = self.results.len();
        let row = |metric: &str, policy: Policy, figure: Figure| {
            Row::new(bench, &format!("{metric}{suffix}"), policy.name(), figure).over(chats)
        };
        let mut rows = Vec::new();
        for policy in Policy::ALL {
            let prices = self.prices_of(policy);
            let totals = self.each(|result| result.policy(policy).total());
            let of_totals = |part: fn(&Charge) -> usize| totals.iter().map(part).map(as_float).collect::<Vec<f64>>();
            let (tokens, cached) = (of_totals(|total| total.tokens), of_totals(|total| total.cached));
            let evidence = self.evidence(policy);
            rows.push(row("price", policy, prices.iter().sum::<f64>().into()));
            rows.push(row(RATIO, policy, self.chats.ratio(&prices, &self.prices_of(Policy::Untouched))));
            rows.push(row("cached_share", policy, self.chats.ratio(&cached, &tokens)));
            rows.push(row("prompt_tokens", policy, tokens.iter().sum::<f64>().into()));
            let figure = self.questions.interval(&evidence);
            rows.push(row("evidence", policy, figure).over(evidence.len()));
        }
        let own = Policy::Mainpoint;
        let sums = self.each(ChatResult::between_evictions);
        let of_sums = |part: fn(&BetweenEvictions) -> usize| sums.iter().map(part).map(as_float).collect::<Vec<f64>>();
        let cached = of_sums(|sums| sums.cached);
        let of_append_only = self.chats.ratio(&cached, &of_sums(|sums| sums.append_only));
        let untouched = of_sums(|sums| sums.untouched.cached);
        let untouched = self.chats.ratio(&untouched, &of_sums(|sums| sums.untouched.tokens));
        rows.push(row("cached_share_ratio_between_epochs", own, of_append_only));
        let figure = self.chats.ratio(&cached, &of_sums(|sums| sums.tokens));
        rows.push(row("cached_share_between_epochs", own, figure));
        rows.push(row("cached_share_between_epochs", Policy::Untouched, untouched));
        let sum = |count: fn(&ChatResult) -> usize| Figure::exactly(as_float(self.results.iter().map(count).sum()));
        rows.push(row("epochs", own, sum(ChatResult::evictions)));
        rows.push(row("failed_open", own, sum(|result| result.failed_open)));
        rows
    }

    fn evidence(&self, policy: Policy) -> Vec<f64> {
        let evidence = self.results.iter().flat_map(|result| &result.policy(policy).evidence);
        evidence.copied().collect()
    }

    /// The price of all rounds, chat by chat.
    fn prices_of(&self, policy: Policy) -> Vec<f64> {
        let charges = |result: &'a ChatResult| result.policy(policy).charges.iter();
        self.each(|result| charges(result).map(|charge| self.prices.of(*charge)).sum())
    }

    fn each<T>(&self, value: impl Fn(&'a ChatResult) -> T) -> Vec<T> {
        self.results.iter().map(value).collect()
    }
}

/// Prints the tables, and writes tables, rows and picture.
pub(super) fn publish(options: &PriceOptions, points: &[Point]) -> Result<(), BenchError> {
    let title = "What a conversation costs with prompt caching";
    let Some(last) = points.last() else { return Ok(()) };
    let mut report = report(options, &last.results);
    if options.curve.is_some() {
        add_curve(&mut report, options, points);
    }
    report.publish(&options.play.out, "prices", title, "prompt-cache.jsonl")
}

/// Price and evidence of each point, as rows, a table and a picture.
fn add_curve(report: &mut Report, options: &PriceOptions, points: &[Point]) {
    let (prices, bench) = (options.prices.listed(), format!("{}-curve", bench_name(options)));
    let mut lines = Vec::new();
    for point in points {
        let arm = point.setting.clone().unwrap_or_default();
        let rows = Sample::of(&point.results, prices).rows(&bench, "");
        let own = rows.into_iter().filter(|row| row.arm == Policy::Mainpoint.name());
        let own = own.filter(|row| [RATIO, "evidence"].contains(&row.metric.as_str()));
        report.rows.extend(own.map(|row| Row { arm: arm.clone(), ..row }));
        lines.push(Line::new([arm.clone()], &bench, &arm));
    }
    let columns = [
        column("of untouched", RATIO, 3).with_bounds("95 % interval"),
        column("evidence", "evidence", 3).with_bounds("95 % interval"),
    ];
    report.tabulate("Evidence against price", "", &["setting"], &lines, &columns);
    report.charts.push(vec![curve(report, &bench, points)]);
}

fn curve(report: &Report, bench: &str, points: &[Point]) -> Chart {
    let value = |bench: &str, metric: &str, arm: &str| find(&report.rows, bench, metric, arm).map(|row| row.value);
    let place = |bench: &str, arm: &str| Some((value(bench, RATIO, arm)?, value(bench, "evidence", arm)?));
    let base = bench.strip_suffix("-curve").unwrap_or(bench);
    let settings = points.iter().filter_map(|point| place(bench, point.setting.as_deref()?));
    let own = Series { name: "mainpoint".to_owned(), points: settings.collect() };
    let others = Policy::ALL.into_iter().filter(|policy| *policy != Policy::Mainpoint);
    let others = others.filter_map(|policy| {
        Some(Series { name: policy.title().to_owned(), points: vec![place(base, policy.name())?] })
    });
    let series: Vec<Series> = others.chain([own]).collect();
    let all = series.iter().flat_map(|series| &series.points).copied();
    let (across, up): (Vec<f64>, Vec<f64>) = all.unzip();
    Chart {
        title: "Evidence in the prompt against price".to_owned(),
        across: Axis::linear("price, untouched prompts = 1", &across),
        up: Axis::linear("evidence", &up),
        series,
    }
}

fn report(options: &PriceOptions, results: &[ChatResult]) -> Report {
    let (prices, bench) = (options.prices.listed(), bench_name(options));
    let mut report = Report::default();
    report.rows = Sample::of(results, prices).rows(&bench, "");
    report.charts.extend(results.first().map(|result| vec![chart(result)]));
    let mut sections = vec![(heading(options), method(prices), String::new(), results)];
    for result in results {
        let (heading, suffix) = (format!("Chat {}", result.name), format!("/{}", result.name));
        let one = std::slice::from_ref(result);
        report.rows.extend(Sample::of(one, prices).rows(&bench, &suffix));
        sections.push((heading, String::new(), suffix, one));
    }
    let columns = [
        column("price", "price", 0),
        column("of untouched", RATIO, 3).with_bounds("95 % interval"),
        column("cached", "cached_share", 3),
        column("prompt tokens", "prompt_tokens", 0),
        column("epochs", "epochs", 0),
        column("evidence", "evidence", 3).with_bounds("95 % interval"),
    ];
    let line = |policy: Policy| Line::new([policy.title()], &bench, policy.name());
    for (at, (heading, method, suffix, results)) in sections.into_iter().enumerate() {
        let lines = Policy::ALL.map(|policy| line(policy).around("", &suffix));
        let note = format!("{method}{}", outcomes(results));
        report.tabulate(heading, note, &["policy"], &lines, &columns);
        if at == 0 {
            let columns = [
                column("of append-only", "cached_share_ratio_between_epochs", 3).with_bounds("95 % interval"),
                column("share", "cached_share_between_epochs", 3).with_bounds("95 % interval"),
            ];
            let lines = [Policy::Mainpoint, Policy::Untouched].map(line);
            report.tabulate("Between two evictions", BETWEEN, &["policy"], &lines, &columns);
        }
    }
    report
}

fn heading(options: &PriceOptions) -> String {
    let settings = options.play.settings.iter().map(|(key, value)| format!(", {key} = {value}"));
    let rounds = options.rounds.map_or_else(String::new, |rounds| format!(", first {rounds} rounds"));
    format!(
        "Chats {}{rounds}, budget {} tokens{}",
        options.chats.join(" + "),
        options.budget,
        settings.collect::<String>()
    )
}

fn method(prices: Prices) -> String {
    let Prices { input, cache_read, cache_write } = prices;
    format!(
        "Price: each prompt's tokens (o200k_base) at {cache_read} where the longest beginning that it shares with \
         any earlier prompt of its chat is cached (from 1,024 tokens on, in steps of 128) and at {cache_write} \
         elsewhere; prompts under 1,024 tokens at {input}. Cached: the share of all prompt tokens. Evidence: after \
         the last round each question that names messages of the chat is asked; a message counts as present when \
         one message or memory line of the prompt holds at least half of its content words \
         (lower-cased, without stop words, each once, the first 60); the figure is the mean share. Intervals: \
         bootstrap over chats, for evidence over questions, {RESAMPLES} resamples, seed {SEED}. All prompts but \
         mainpoint's are made by this benchmark; mainpoint's are what the running proxy forwarded, on a store that had \
         read the conversation. "
    )
}

/// What happened to mainpoint's requests.
fn outcomes(results: &[ChatResult]) -> String {
    let sum = |count: fn(&ChatResult) -> usize| results.iter().map(count).sum::<usize>();
    format!(
        "Of mainpoint's {} requests {} were rewritten, {} of them with a new eviction; {} went through untouched since something \
         failed.",
        sum(|result| result.evicts.len()),
        sum(|result| result.rewritten),
        sum(ChatResult::evictions),
        sum(|result| result.failed_open)
    )
}

fn chart(result: &ChatResult) -> Chart {
    let series = Policy::ALL.map(|policy| {
        let charges = result.policy(policy).charges.iter().enumerate();
        let points = charges.map(|(round, charge)| (as_float(round + 1), as_float(charge.tokens)));
        Series { name: policy.title().to_owned(), points: points.collect() }
    });
    let points = series.iter().flat_map(|series| &series.points).copied();
    let (rounds, tokens): (Vec<f64>, Vec<f64>) = points.unzip();
    Chart {
        title: format!("Forwarded prompt by round, chat {}", result.name),
        across: Axis::linear("round", &rounds),
        up: Axis::logarithmic("tokens, logarithmic", &tokens),
        series: series.to_vec(),
    }
}

/// Results of other conversations never pass for those of the report.
fn bench_name(options: &PriceOptions) -> String {
    let rounds = options.rounds.map_or_else(String::new, |rounds| format!("-first-{rounds}"));
    if options.chats == CHATS {
        format!("prompt-cache-beam{rounds}")
    } else {
        format!("prompt-cache-{}{rounds}", options.chats.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::results::tests::result;
    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: PriceOptions,
    }

    fn options(arguments: &[&str]) -> PriceOptions {
        let arguments = ["prices"].iter().chain(arguments);
        Program::try_parse_from(arguments).unwrap().options
    }

    #[test]
    fn other_conversations_have_another_name_in_the_results() {
        assert_eq!(bench_name(&options(&[])), "prompt-cache-beam");
        assert_eq!(bench_name(&options(&["--rounds", "20"])), "prompt-cache-beam-first-20");
        let some = options(&["--rounds", "20", "--chats", "1,4", "--budget", "8000", "--set", "memory.low_water=0.4"]);
        assert_eq!(bench_name(&some), "prompt-cache-1+4-first-20");
        assert_eq!(heading(&some), "Chats 1 + 4, first 20 rounds, budget 8000 tokens, memory.low_water = 0.4");
    }

    #[test]
    fn the_proxy_is_told_the_prices() {
        let told = options(&["--prices", "anthropic"]).price_settings();
        assert_eq!(told.map(|(_, value)| value), ["0.1", "1.25"]);
    }

    #[test]
    fn a_curve_has_a_point_for_each_setting_with_its_own_price_and_evidence() {
        let options = options(&["--curve", "memory.memory_share=0.1,0.3"]);
        let names: Vec<Option<String>> = options.variants().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0.1", "0.3"].map(|value| Some(format!("memory.memory_share = {value}"))));
        let points: Vec<Point> = names.into_iter().map(|setting| Point { setting, results: vec![result()] }).collect();
        let mut report = report(&options, &points[1].results);
        add_curve(&mut report, &options, &points);
        let row = |arm: &str| find(&report.rows, "prompt-cache-beam-curve", "evidence", arm).map(|row| row.value);
        assert_eq!(row("memory.memory_share = 0.1"), Some(1.0));
        let line = report.charts[1][0].series.last().unwrap();
        assert_eq!((line.name.as_str(), line.points.len()), ("mainpoint", 2));
    }

    #[test]
    fn rows_hold_all_conversations_together_and_each_by_its_name() {
        let results = [result(), result()];
        let report = report(&options(&[]), &results);
        let row = |metric, policy: Policy| find(&report.rows, "prompt-cache-beam", metric, policy.name());
        let value = |metric, policy| row(metric, policy).map(|row| (row.value, row.n));
        assert_eq!(value(RATIO, Policy::Untouched), Some((1.0, 2)));
        assert_eq!(value("epochs", Policy::Mainpoint), Some((2.0, 2)));
        assert_eq!(value("epochs/some", Policy::Mainpoint), Some((1.0, 1)));
        assert_eq!(value("evidence", Policy::SlidingWindow), Some((0.0, 2)));
        assert_eq!(value("evidence", Policy::Mainpoint), Some((1.0, 2)));
        assert_eq!(value("cached_share_ratio_between_epochs", Policy::Mainpoint), Some((1.0, 2)));
        let tokens = as_float(2 * results[0].policy(Policy::Mainpoint).total().tokens);
        assert_eq!(value("prompt_tokens", Policy::Mainpoint), Some((tokens, 2)));
        assert!(report.rows.iter().all(|row| row.low <= row.value && row.value <= row.high));
        assert!(outcomes(&results).contains("6 requests 2 were"), "{}", outcomes(&results));
    }

    #[test]
    fn the_picture_has_a_line_for_each_policy() {
        let svg = crate::report::draw(&[vec![chart(&result())]]).unwrap();
        assert!(Policy::ALL.iter().all(|policy| svg.contains(policy.title())));
        assert!(svg.matches("<polyline").count() >= Policy::ALL.len(), "{svg}");
    }
}
