//! `sepo-cli weights import`

use std::path::Path;

use sepo_data::{
    GivenRow, GivenWeightsReader, PairTokenizer, ScoresMeta, SelectedPair, SelectionMeta, SelectionWriter,
    Side, TokenizeConfig, WeightColumns, content_hash,
};
use sepo_select::project::Projected;
use sepo_select::{ImportConfig, import_response};
use serde_json::{Map, Value, json};

use super::counts::{Counts, narrow};
use super::origin;
use super::rows::{DataRow, DataRows, Responses};
use crate::args::{DataArgs, ImportArgs, PairArgs};
use crate::command::score_identity::sources;
use crate::console::result;
use crate::exit::{CliError, Exit};
use crate::length::max_length_of_tokenizer;
use crate::model_dir::load_tokenizer;
use crate::provenance::{self, ImportSettings, OnChange, Origin, RECORD_KEY, Record};

/// Everything that decides the selection.
#[derive(Debug)]
pub(crate) struct ImportJob<'a> {
    pub(crate) weights: &'a Path,
    pub(crate) columns: WeightColumns,
    pub(crate) config: ImportConfig,
    /// Whether pairs are kept whose numbers are all 0 on a side.
    pub(crate) labels: bool,
    /// Model folder with the policy's tokenizer.
    pub(crate) tokenizer: &'a Path,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// `selection.parquet` to write.
    pub(crate) out: &'a Path,
}

pub(super) fn run(args: &ImportArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let PairArgs { data, read, tokens } = &args.pairs;
    let length = max_length_of_tokenizer(tokens.max_length, &args.tokenizer);
    let job = ImportJob {
        weights: &args.weights,
        columns: WeightColumns {
            row: args.row.clone(),
            chosen: args.chosen_weights.clone(),
            rejected: args.rejected_weights.clone(),
        },
        config: ImportConfig { unit: args.unit.into(), how: args.how.into(), rejected: args.rejected.into() },
        labels: args.labels,
        tokenizer: &args.tokenizer,
        data,
        read,
        tokens: tokens.config(length),
        on_change: args.change.on_change(),
        out: &args.out,
    };
    let counts = make(&job)?;
    result(args.machine.form(), &counts, |counts| counts.describe(&args.out))?;
    Ok(Exit::Done)
}

/// What became of pairs and weights, once the selection is written.
pub(crate) fn make(job: &ImportJob<'_>) -> Result<Counts, CliError> {
    let tokenizer = load_tokenizer(job.tokenizer, &job.tokens)?;
    let mut given = GivenWeightsReader::open(job.weights, job.columns.clone())?;
    let mut data = DataRows::open(job.data, job.read, &tokenizer)?;
    let mut writer = SelectionWriter::create(job.out, meta(job, &tokenizer)?)?;
    let mut counts = Counts::default();
    let mut row = data.next_row()?;
    let mut previous = None;
    while let Some(next) = given.next().transpose()? {
        let wanted = next.row.unwrap_or(next.file_row);
        if previous.is_some_and(|previous| wanted <= previous) {
            return Err(out_of_order(job.weights, next.file_row, wanted));
        }
        previous = Some(wanted);
        while let Some(before) = row.take_if(|row| row.ids.row < wanted) {
            drop(before);
            counts.drop_pair("no_weights");
            row = data.next_row()?;
        }
        let Some(found) = row.take_if(|row| row.ids.row == wanted) else {
            // It is there, but cannot be used, or it lies behind the end.
            counts.drop_pair("no_pair");
            continue;
        };
        row = data.next_row()?;
        let (pair, coverage) = imported(&next, found, &tokenizer, &job.config).map_err(|error| {
            error.during(format!("take row {} of `{}`", next.file_row, job.weights.display()))
        })?;
        let kept =
            if job.labels { Some(counts.keep_any(pair, coverage)) } else { counts.keep(pair, coverage) };
        if let Some(kept) = kept {
            writer.write(&kept)?;
        }
    }
    while row.is_some() {
        counts.drop_pair("no_weights");
        row = data.next_row()?;
    }
    for (reason, n) in &data.unusable {
        *counts.n_dropped.entry(reason.clone()).or_default() += n;
    }
    finish(job, writer, counts)
}

fn finish(job: &ImportJob<'_>, mut writer: SelectionWriter, mut counts: Counts) -> Result<Counts, CliError> {
    counts.finish();
    if counts.n_kept == 0 {
        return Err(CliError::new(
            Exit::Data,
            format!("no pair is left of `{}`", job.weights.display()),
            "the weights belong to other rows (see `--row`), or are 0 on one side of every pair",
        ));
    }
    writer.meta_mut().n_dropped.clone_from(&counts.n_dropped);
    writer.finish()?;
    Ok(counts)
}

/// The pair with its weights.
fn imported(
    given: &GivenRow,
    DataRow { pair, ids }: DataRow,
    tokenizer: &PairTokenizer,
    config: &ImportConfig,
) -> Result<(SelectedPair, [sepo_select::project::Coverage; 2]), CliError> {
    let responses = Responses::of(&pair, tokenizer)?;
    let of = |side: Side| -> Result<Projected, CliError> {
        let (index, response, given) = match side {
            Side::Chosen => (0, &ids.chosen, &given.chosen),
            Side::Rejected => (1, &ids.rejected, &given.rejected),
        };
        let text = responses.as_ref().map(|responses| responses.text(index));
        import_response(given, side, response, text, config)
            .map_err(|error| CliError::of(Exit::Data, error).during(format!("{side} response")))
    };
    let (chosen, rejected) = (of(Side::Chosen)?, of(Side::Rejected)?);
    let pair = SelectedPair {
        row: ids.row,
        prompt_ids: ids.prompt_ids,
        chosen_ids: ids.chosen.ids,
        rejected_ids: ids.rejected.ids,
        chosen_weights: narrow(&chosen.values),
        rejected_weights: narrow(&rejected.values),
    };
    Ok((pair, [chosen.coverage, rejected.coverage]))
}

fn meta(job: &ImportJob<'_>, tokenizer: &PairTokenizer) -> Result<SelectionMeta, CliError> {
    let scores = ScoresMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        inputs: sources(job.data, job.read)?,
        ..ScoresMeta::default()
    };
    let settings = match provenance::to_value(&job.config)? {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    let path = provenance::without_credentials(&job.weights.display().to_string());
    let weights = json!({ "path": path, "content_hash": content_hash(job.weights)? });
    let record = provenance::to_value(&record(job)?)?;
    Ok(SelectionMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        rule: "import".to_owned(),
        settings,
        scores: Some(origin::scores_meta(scores, tokenizer, job.tokenizer)),
        extra: Map::from_iter([("weights".to_owned(), weights), (RECORD_KEY.to_owned(), record)]),
        ..SelectionMeta::default()
    })
}

fn record(job: &ImportJob<'_>) -> Result<Record, CliError> {
    let mut origin = Origin::beside(job.out.parent().unwrap_or(Path::new("")), job.on_change);
    origin.file("weights", job.weights)?;
    origin.tokenizer("tokenizer", job.tokenizer)?;
    origin.data("data", job.data, job.read)?;
    origin.template(&job.tokens)?;
    let WeightColumns { row, chosen, rejected } = job.columns.clone();
    let settings = ImportSettings {
        read: job.read.clone(),
        tokens: provenance::recorded(&job.tokens),
        row,
        chosen_weights: chosen,
        rejected_weights: rejected,
        import: job.config,
        labels: job.labels,
    };
    origin.into_record("weights import", None, &settings)
}

fn out_of_order(path: &Path, file_row: u64, row: u64) -> CliError {
    CliError::new(
        Exit::Data,
        format!(
            "row {file_row} of `{}` is for row {row} of the data, which is not behind the one before it",
            path.display()
        ),
        "sort the weights by their row in the data, each once",
    )
}
