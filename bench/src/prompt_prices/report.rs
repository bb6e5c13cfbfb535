//! What the results of several conversations come to for each policy: rows, tables and a picture.

use super::policies::Policy;
use super::pricing::{CACHE_READ, Charge};
use super::results::{BetweenEvictions, ChatResult};
use super::{CHATS, Point, PriceOptions};
use crate::BenchError;
use crate::report::{Axis, Chart, Report, Row, Series, find, table_of};
use crate::stats::{Figure, RESAMPLES, Resamples, as_float};

/// Results with what resampling needs.
struct Sample<'a> {
    results: &'a [ChatResult],
    chats: Resamples,
    questions: Resamples,
}

const SEED: u64 = 20_261_123;
const RATIO: &str = "price_ratio_to_untouched";
const EVIDENCE: &str = "evidence";

impl<'a> Sample<'a> {
    fn of(results: &'a [ChatResult]) -> Self {
        let evidence = |result: &ChatResult| result.policy(Policy::Mainpoint).evidence.len();
        Self {
            results,
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
            let evidence = self.results.iter().flat_map(|result| &result.policy(policy).evidence);
            let evidence: Vec<f64> = evidence.copied().collect();
            rows.push(row("price", policy, prices.iter().sum::<f64>().into()));
            let ratio = self.chats.ratio(&prices, &self.prices_of(Policy::Untouched));
            rows.push(row(RATIO, policy, ratio));
            rows.push(row("cached_share", policy, self.chats.ratio(&cached, &tokens)));
            rows.push(row("prompt_tokens", policy, tokens.iter().sum::<f64>().into()));
            let figure = self.questions.interval(&evidence);
            rows.push(row(EVIDENCE, policy, figure).over(evidence.len()));
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

    /// The price of all rounds, chat by chat.
    fn prices_of(&self, policy: Policy) -> Vec<f64> {
        self.each(|result| result.policy(policy).charges.iter().map(|charge| charge.price()).sum())
    }

    fn each<T>(&self, value: impl Fn(&'a ChatResult) -> T) -> Vec<T> {
        self.results.iter().map(value).collect()
    }
}

pub(super) fn publish(points: &[Point]) -> Result<(), BenchError> {
    let title = "What a conversation costs with prompt caching";
    let Some(Point { options, results }) = points.last() else { return Ok(()) };
    let mut report = report(options, results);
    if options.curve.is_some() {
        add_curve(&mut report, points, &bench_name(options));
    }
    report.publish(&options.play.out, "prices", title, "prompt-cache.jsonl")
}

/// Price and evidence of each point of the curve, as rows, a table and a picture with the other policies.
fn add_curve(report: &mut Report, points: &[Point], name: &str) {
    let (own, bench) = (Policy::Mainpoint.name(), format!("{name}-curve"));
    for Point { options, results } in points {
        let value = options.play.settings.last();
        let arm = value.map_or_else(String::new, |(key, value)| format!("{key} = {value}"));
        let mut rows = Sample::of(results).rows(&bench, "");
        rows.retain(|row| row.arm == own && [RATIO, EVIDENCE].contains(&row.metric.as_str()));
        report.rows.extend(rows.into_iter().map(|row| Row { arm: arm.clone(), ..row }));
    }
    report.tabulate("Evidence against price", "", |row| row.bench == bench);
    let place = |ratio: &Row| Some((ratio.value, find(&report.rows, &ratio.bench, EVIDENCE, &ratio.arm)?.value));
    let places = |bench: &str, takes: &dyn Fn(&Row) -> bool| {
        let ratios = report.rows.iter().filter(|row| row.bench == bench && row.metric == RATIO && takes(row));
        ratios.filter_map(place).collect()
    };
    let others = Policy::ALL.iter().map(|policy| policy.name()).filter(|policy| *policy != own);
    let others = others.map(|other| Series { name: other.to_owned(), points: places(name, &|row| row.arm == other) });
    let curve = Series { name: own.to_owned(), points: places(&bench, &|_| true) };
    let series: Vec<Series> = others.chain([curve]).collect();
    let (prices, evidence) = values(&series);
    report.charts.push(vec![Chart {
        title: "Evidence in the prompt against price".to_owned(),
        across: Axis::linear("price, untouched prompts = 1", &prices),
        up: Axis::linear(EVIDENCE, &evidence),
        series,
    }]);
}

fn report(options: &PriceOptions, results: &[ChatResult]) -> Report {
    let bench = bench_name(options);
    let mut report = Report::default();
    report.charts.extend(results.first().map(|result| vec![chart(result)]));
    let all = (heading(options), method(), String::new(), results);
    let each = results.iter().map(|result| {
        (format!("Chat {}", result.name), String::new(), format!("/{}", result.name), std::slice::from_ref(result))
    });
    for (heading, method, suffix, results) in std::iter::once(all).chain(each) {
        let rows = Sample::of(results).rows(&bench, &suffix);
        report.add(heading, format!("{method}{}", outcomes(results)), table_of(&rows));
        report.rows.extend(rows);
    }
    report
}

fn heading(options: &PriceOptions) -> String {
    let settings = options.play.settings.iter().map(|(key, value)| format!(", {key} = {value}"));
    format!("Chats {}, budget {} tokens{}", options.chats.join(" + "), options.budget, settings.collect::<String>())
}

fn method() -> String {
    format!(
        "Price: each prompt's tokens (o200k_base) at {CACHE_READ} where the longest beginning that it shares with \
         any earlier prompt of its chat is cached (from 1,024 tokens on, in steps of 128) and at 1 elsewhere. \
         Cached share: of all prompt tokens. Evidence: after the last round each question that names messages of the chat \
         is asked; a message counts as present when one message or memory line of the prompt holds at least half of its \
         content words (lower-cased, without stop words, each once, the first 60); the figure is the mean share. Between \
         epochs: over the requests whose receipts say that nothing was evicted, from each chat's second on; their ratio is \
         that of cached tokens to those that a prompt of that size has cached if it is only appended to. Intervals: \
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
        Series { name: policy.name().to_owned(), points: points.collect() }
    });
    let (rounds, tokens) = values(&series);
    Chart {
        title: format!("Forwarded prompt by round, chat {}", result.name),
        across: Axis::linear("round", &rounds),
        up: Axis::logarithmic("tokens, logarithmic", &tokens),
        series: series.to_vec(),
    }
}

/// Where everything lies on the lower and on the left axis.
fn values(series: &[Series]) -> (Vec<f64>, Vec<f64>) {
    series.iter().flat_map(|series| series.points.iter().copied()).unzip()
}

/// Results of other conversations never pass for those of the report.
fn bench_name(options: &PriceOptions) -> String {
    if options.chats == CHATS {
        "prompt-cache-beam".to_owned()
    } else {
        format!("prompt-cache-{}", options.chats.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::result;
    use super::*;
    use crate::filled::tests::parsed as options;

    #[test]
    fn other_conversations_have_another_name_in_the_results() {
        assert_eq!(bench_name(&options(&[])), "prompt-cache-beam");
        let some = options(&["--chats", "1,4", "--budget", "8000", "--set", "memory.low_water=0.4"]);
        assert_eq!(bench_name(&some), "prompt-cache-1+4");
        assert_eq!(heading(&some), "Chats 1 + 4, budget 8000 tokens, memory.low_water = 0.4");
    }

    #[test]
    fn a_curve_has_a_point_for_each_setting_with_its_own_price_and_evidence() {
        let variants = options::<PriceOptions>(&["--curve", "memory.memory_share=0.1,0.3"]).variants();
        let points: Vec<Point> =
            variants.into_iter().map(|options| Point { options, results: vec![result()] }).collect();
        let mut report = report(&points[1].options, &points[1].results);
        add_curve(&mut report, &points, "prompt-cache-beam");
        let row = |arm: &str| find(&report.rows, "prompt-cache-beam-curve", EVIDENCE, arm).map(|row| row.value);
        let arms = ["memory.memory_share = 0.1", "memory.memory_share = 0.3"];
        assert_eq!(arms.map(row), [Some(1.0), Some(1.0)]);
        let series = report.charts[1][0].series.iter().map(|line| (line.name.as_str(), line.points.len()));
        assert_eq!(series.clone().next_back(), Some(("mainpoint", 2)));
        assert!(series.take(4).all(|(_, points)| points == 1));
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
        assert!(Policy::ALL.iter().all(|policy| svg.contains(policy.name())));
        assert!(svg.matches("<polyline").count() >= Policy::ALL.len(), "{svg}");
    }
}
