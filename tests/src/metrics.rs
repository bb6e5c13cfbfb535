//! Reads Prometheus text, as far as the proxy writes it.

/// The samples of one scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    /// Parses the text of a scrape.
    ///
    /// # Panics
    /// When a line is neither a comment nor a sample.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let parse = |line| sample(line).unwrap_or_else(|| panic!("not a Prometheus sample: {line:?}"));
        Self { samples: lines.map(parse).collect() }
    }

    /// The sum over the series of `name` that carry all of `labels`; 0 when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(name, labels).map(|sample| sample.value).sum()
    }

    /// Whether a series of `name` exists.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.series(name, &[]).next().is_some()
    }

    /// The values that `label` takes in the series of `name`.
    #[must_use]
    pub fn label_values(&self, name: &str, label: &str) -> Vec<String> {
        let labels = self.series(name, &[]).flat_map(|sample| &sample.labels);
        labels.filter(|(key, _)| key == label).map(|(_, value)| value.clone()).collect()
    }

    fn series<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        let carries =
            |sample: &Sample, (key, value): &(&str, &str)| sample.labels.iter().any(|(k, v)| k == key && v == value);
        self.samples
            .iter()
            .filter(move |sample| sample.name == name && labels.iter().all(|label| carries(sample, label)))
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.trim().rsplit_once(' ')?;
    let (name, rest) = series.split_once('{').unwrap_or((series, "}"));
    let labels = rest.strip_suffix('}')?.split("\",").filter(|part| !part.trim().is_empty());
    let label = |part: &str| {
        let (key, value) = part.split_once("=\"")?;
        Some((key.trim().to_owned(), value.trim_end_matches('"').to_owned()))
    };
    Some(Sample {
        name: name.to_owned(),
        labels: labels.map(label).collect::<Option<_>>()?,
        value: value.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn labelled_and_plain_samples_are_read_and_summed() {
        let text = "# HELP a b\n# TYPE a counter\na{kind=\"reader\",route=\"/v1\"} 2\na{kind=\"store\"} 3\nb 0.5\n";
        let metrics = Metrics::parse(text);
        assert!((metrics.sum("a", &[]) - 5.0).abs() < f64::EPSILON);
        assert!((metrics.sum("a", &[("kind", "reader")]) - 2.0).abs() < f64::EPSILON);
        assert!((metrics.sum("b", &[]) - 0.5).abs() < f64::EPSILON);
        assert_eq!(metrics.label_values("a", "kind"), ["reader", "store"]);
        assert!(!metrics.has("c"));
    }
}
