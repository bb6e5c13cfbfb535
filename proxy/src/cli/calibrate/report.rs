//! What the chosen heads find on conversations that they were not chosen on, as a table or as JSON.
//!
//! It must not know how heads were chosen.

use std::io::Write;
use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use mainpoint_engine::{Head, Survey};
use serde_json::{Value, json};

use super::Chosen;
use super::choice::Found;
use super::gather::Surveyed;
use crate::cli::CliError;

/// How many of the best heads the table shows alone.
const SHOWN: usize = 5;

/// What is reported.
pub(super) struct Report {
    /// What each way of ranking finds.
    arms: Vec<(&'static str, Found)>,
    main_point: Vec<Head>,
    search: Vec<Head>,
    /// What each head finds alone where heads were chosen, best first.
    main_point_ranking: Vec<(Head, Found)>,
    search_ranking: Vec<(Head, Found)>,
}

impl Report {
    /// Judges the chosen heads beside all heads and whole turns.
    pub(super) fn of(survey: &Survey, part: &[Surveyed], chosen: &Chosen, keep: f32) -> Self {
        let all: Vec<usize> = (0..survey.heads().len()).collect();
        let arms = vec![
            ("whole turn", Found::over(part, Surveyed::by_whole_turn)),
            (
                "main point, chosen heads",
                Found::over(part, |turns| turns.by_main_point(&chosen.main_point, keep)),
            ),
            (
                "main point, all heads",
                Found::over(part, |turns| turns.by_main_point(&all, keep)),
            ),
            (
                "attention to main points, chosen heads",
                Found::over(part, |turns| turns.by_attention(&chosen.search)),
            ),
            (
                "attention to main points, all heads",
                Found::over(part, |turns| turns.by_attention(&all)),
            ),
        ];
        let named = survey.calibration(&chosen.main_point, &chosen.search);
        let ranking = |heads: &[(usize, Found)]| -> Vec<(Head, Found)> {
            let named = heads
                .iter()
                .filter_map(|(head, found)| Some((*survey.heads().get(*head)?, *found)));
            named.collect()
        };
        Self {
            arms,
            main_point: named.main_point_heads,
            search: named.search_heads,
            main_point_ranking: ranking(&chosen.main_point_ranking),
            search_ranking: ranking(&chosen.search_ranking),
        }
    }

    /// Prints tables, and how the file is used.
    pub(super) fn print(&self, out: &Path, reader: Option<&str>) -> Result<(), CliError> {
        let mut output = anstream::stdout();
        if !self.search_ranking.is_empty() {
            writeln!(output, "Each head alone, where heads were chosen; the best first:")?;
            writeln!(output, "{}\n", self.rankings())?;
        }
        let questions = self.arms.first().map_or(0, |(_, found)| found.questions);
        writeln!(
            output,
            "On {questions} questions of conversations that no head was chosen on:"
        )?;
        writeln!(output, "{}", self.recalls())?;
        writeln!(output, "\nmain_point_heads {}", list(&self.main_point))?;
        writeln!(output, "search_heads {}", list(&self.search))?;
        writeln!(
            output,
            "\n{} is written. To use it, put this into config.toml:\n",
            out.display()
        )?;
        if let Some(reader) = reader {
            writeln!(output, "[models]\nreader = {reader:?}\n")?;
        }
        writeln!(output, "[reader]\ncalibration = {:?}", out.display().to_string())?;
        Ok(())
    }

    /// Prints one JSON object.
    pub(super) fn print_json(&self, out: &Path) -> Result<(), CliError> {
        let arms: Vec<Value> = self
            .arms
            .iter()
            .map(|(arm, found)| describe("arm", &json!(arm), found))
            .collect();
        let ranking = |heads: &[(Head, Found)]| -> Vec<Value> {
            heads
                .iter()
                .map(|(head, found)| describe("head", &json!(head), found))
                .collect()
        };
        let described = json!({
            "calibration": out.display().to_string(),
            "main_point_heads": self.main_point,
            "search_heads": self.search,
            "report": arms,
            "chosen_on": {
                "main_point": ranking(&self.main_point_ranking),
                "search": ranking(&self.search_ranking),
            },
        });
        writeln!(anstream::stdout(), "{described:#}")?;
        Ok(())
    }

    fn rankings(&self) -> Table {
        let mut table = table(["main point", "recall_all@10", "attention search", "recall_all@10"]);
        let cells = |row: Option<&(Head, Found)>| match row {
            Some((head, found)) => [list(&[*head]), rounded(found.recalls()[1])],
            None => [String::new(), String::new()],
        };
        for row in 0..SHOWN.min(self.main_point_ranking.len()) {
            let [head, recall] = cells(self.main_point_ranking.get(row));
            let [searcher, found] = cells(self.search_ranking.get(row));
            table.add_row([head, recall, searcher, found]);
        }
        table
    }

    fn recalls(&self) -> Table {
        let mut table = table(["ranking", "recall_all@5", "recall_all@10", "recall_all@20"]);
        for (arm, found) in &self.arms {
            let [at_5, at_10, at_20] = found.recalls().map(rounded);
            table.add_row([(*arm).to_owned(), at_5, at_10, at_20]);
        }
        table
    }
}

fn table(header: [&str; 4]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

fn describe(key: &str, name: &Value, found: &Found) -> Value {
    let [at_5, at_10, at_20] = found.recalls();
    json!({
        key: name,
        "questions": found.questions,
        "recall_all_at_5": at_5,
        "recall_all_at_10": at_10,
        "recall_all_at_20": at_20,
    })
}

fn rounded(share: f64) -> String {
    format!("{share:.3}")
}

fn list(heads: &[Head]) -> String {
    let heads: Vec<String> = heads
        .iter()
        .map(|Head(layer, head)| format!("({layer}, {head})"))
        .collect();
    heads.join(" ")
}
