//! `mainpoint calibrate`: chooses a reader's heads on one part of a labelled file, reports them on another, and writes the
//! head file.
//!
//! It must not know how heads are read or ranked; the engine surveys them and `choice` chooses.

mod choice;
mod gather;
mod given;
mod head_file;
mod labelled;
mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use mainpoint_engine::{EngineError, KeyBlock, Survey};

use choice::{Found, choose, rank};
use gather::Surveyed;
use labelled::Conversation;
use report::Report;

use super::{CliError, ConfigOption};
use crate::config::{Config, Overrides};
use crate::models::{self, ModelError, ModelReference};
use crate::startup;
use crate::terminal::Progress;

/// Most heads that mark a main point together.
const MAIN_POINT_HEADS: usize = 3;
/// Most heads that search together.
const SEARCH_HEADS: usize = 4;

#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Labelled conversations in the LoCoMo format.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Conversations to choose heads on, by their sample_id.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    choose: Vec<String>,
    /// Other conversations, to report the chosen heads on.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    report: Vec<String>,
    /// The reader, as in the configuration: a short name, a path, or hf:organisation/repository/file.gguf.
    #[arg(long, value_name = "MODEL")]
    reader: Option<String>,
    /// How many of the reader's lower layers to choose among; a third of them unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    layers: Option<u32>,
    /// Share of a turn's content that makes its main point; the configuration's unless given.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    keep: Option<f32>,
    /// A head file whose heads are kept: nothing is chosen, only the centroids that keys are stored in are learned anew.
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Head file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// The heads that were chosen, by their positions among the surveyed ones, and how every head does alone.
struct Chosen {
    main_point: Vec<usize>,
    search: Vec<usize>,
    main_point_ranking: Vec<(usize, Found)>,
    search_ranking: Vec<(usize, Found)>,
}

pub(super) async fn run(arguments: CalibrateArguments) -> Result<(), CliError> {
    head_file::check(&arguments.out)?;
    let conversations = labelled::read(&arguments.data)?;
    let (to_choose, to_report) = parts(&conversations, &arguments)?;
    let mut config = arguments.config.load(&Overrides::default())?;
    if let Some(name) = &arguments.reader {
        config.models.reader = reader(name)?;
    }
    config.reader.keep = arguments.keep.unwrap_or(config.reader.keep);
    let survey = start(&config, arguments.layers)?;

    let keep = config.reader.keep;
    // Searching heads are chosen over all keys, so that main points do not decide which are found, and reported as the
    // proxy searches: over the main points' keys.
    let part = gather::survey(&survey, &to_choose, |turn| turn.keys.clone()).await?;
    let chosen = match &arguments.heads {
        Some(file) => given::heads(&survey, file)?,
        None => choose_heads(&survey, &part, keep),
    };
    let keys: Vec<KeyBlock> = part
        .iter()
        .flat_map(|surveyed| surveyed.main_point_keys(&chosen.main_point, keep))
        .collect();
    drop(part);
    let calibration = survey.calibration(&chosen.main_point, &chosen.search);
    let calibration = survey.with_codebook(calibration, &keys);
    let part = gather::survey(&survey, &to_report, |turn| {
        let keys = turn.main_point_keys(&chosen.main_point, keep);
        turn.keys = KeyBlock::default();
        keys
    })
    .await?;
    let report = Report::of(&survey, &part, &chosen, keep);
    if calibration.key_codebook.is_none() {
        Progress::StandardError
            .line("these conversations have too few keys to learn centroids on; keys will be stored in int8");
    }
    head_file::write(&arguments.out, &calibration)?;
    if arguments.json {
        report.print_json(&arguments.out)
    } else {
        report.print(&arguments.out, arguments.reader.as_deref())
    }
}

fn share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "it must be more than 0 and at most 1".to_owned())
}

/// The conversations to choose and to report on, which must not be the same ones.
fn parts<'a>(
    conversations: &'a [Conversation],
    arguments: &CalibrateArguments,
) -> Result<(Vec<&'a Conversation>, Vec<&'a Conversation>), CliError> {
    if let Some(shared) = arguments.report.iter().find(|name| arguments.choose.contains(name)) {
        return Err(CliError::Argument(format!(
            "--report {shared}: --choose names this conversation too; heads are reported on others than they were chosen on"
        )));
    }
    Ok((
        labelled::pick(conversations, "--choose", &arguments.choose)?,
        labelled::pick(conversations, "--report", &arguments.report)?,
    ))
}

fn reader(name: &str) -> Result<ModelReference, CliError> {
    ModelReference::parse(name).map_err(|allowed| {
        CliError::Model(ModelError::Unknown {
            name: format!("--reader {name}"),
            allowed,
        })
    })
}

fn start(config: &Config, layers: Option<u32>) -> Result<Survey, CliError> {
    let paths = models::resolve(&config.models)?;
    Progress::StandardError.line(&format!("surveying {}", shown(&paths.reader)));
    Survey::start(&startup::engine_settings(config, &paths), layers).map_err(|error| match error {
        EngineError::Setting {
            key: "layers",
            value,
            allowed,
        } => CliError::Argument(format!("--layers {value}: out of range; allowed is {allowed}")),
        other => CliError::Engine(other),
    })
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Of ranked heads, those in the layer of the best one. Keys of another layer would take as many bytes again, and heads of two
/// layers found no more than those of the better one.
fn of_one_layer(survey: &Survey, ranking: &[(usize, Found)]) -> Vec<(usize, Found)> {
    let layer = |head: usize| survey.heads().get(head).map(|head| head.0);
    let best = ranking.first().map(|(head, _)| layer(*head));
    let same = ranking.iter().filter(|(head, _)| Some(layer(*head)) == best);
    same.copied().collect()
}

fn choose_heads(survey: &Survey, part: &[Surveyed], keep: f32) -> Chosen {
    let heads = survey.heads().len();
    let progress = Progress::StandardError.steps("ranking heads", 2 * heads);
    let main_point_ranking = rank(heads, |head| {
        progress.advance(1);
        Found::over(part, |turns| turns.by_main_point(&[head], keep))
    });
    let search_ranking = rank(heads, |head| {
        progress.advance(1);
        Found::over(part, |turns| turns.by_attention(&[head]))
    });
    progress.finish();
    let most = heads.saturating_sub(1) * (MAIN_POINT_HEADS + SEARCH_HEADS - 2);
    let progress = Progress::StandardError.steps("combining heads", most);
    let main_point = choose(&main_point_ranking, MAIN_POINT_HEADS, |heads| {
        progress.advance(1);
        Found::over(part, |turns| turns.by_main_point(heads, keep))
    });
    let search = choose(&of_one_layer(survey, &search_ranking), SEARCH_HEADS, |heads| {
        progress.advance(1);
        Found::over(part, |turns| turns.by_attention(heads))
    });
    progress.finish();
    Chosen {
        main_point,
        search,
        main_point_ranking,
        search_ranking,
    }
}
