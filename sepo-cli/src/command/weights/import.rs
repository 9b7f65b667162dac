//! `sepo-cli weights import`

use std::path::Path;

use sepo_data::{
    ContentSource, GivenRow, GivenWeightsReader, PairTokenizer, ScoresMeta, SelectedPair, SelectionMeta,
    SelectionWriter, Side, WeightColumns, content_hash,
};
use sepo_select::project::Projected;
use sepo_select::{ImportConfig, import_response};
use serde_json::{Map, Value, json};

use super::counts::{Counts, narrow};
use super::origin;
use super::rows::{DataRow, DataRows, Responses};
use crate::args::ImportArgs;
use crate::command::score_identity::sources;
use crate::console::result;
use crate::exit::{CliError, Exit};
use crate::length::max_length_of_tokenizer;
use crate::model_dir::load_tokenizer;

pub(super) fn run(args: &ImportArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let tokens = &args.pairs.tokens;
    let length = max_length_of_tokenizer(tokens.max_length, &args.tokenizer);
    let tokenizer = load_tokenizer(&args.tokenizer, &tokens.config(length))?;
    let columns = WeightColumns {
        row: args.row.clone(),
        chosen: args.chosen_weights.clone(),
        rejected: args.rejected_weights.clone(),
    };
    let config =
        ImportConfig { unit: args.unit.into(), how: args.how.into(), rejected: args.rejected.into() };
    let mut given = GivenWeightsReader::open(&args.weights, columns)?;
    let mut data = DataRows::open(&args.pairs, &tokenizer)?;
    let mut writer = SelectionWriter::create(&args.out, meta(args, &config, &tokenizer)?)?;
    let mut counts = Counts::default();
    let mut row = data.next_row()?;
    let mut previous = None;
    while let Some(next) = given.next().transpose()? {
        let wanted = next.row.unwrap_or(next.file_row);
        if previous.is_some_and(|previous| wanted <= previous) {
            return Err(out_of_order(&args.weights, next.file_row, wanted));
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
        let (pair, coverage) = imported(&next, found, &tokenizer, &config).map_err(|error| {
            error.during(format!("take row {} of `{}`", next.file_row, args.weights.display()))
        })?;
        let kept =
            if args.labels { Some(counts.keep_any(pair, coverage)) } else { counts.keep(pair, coverage) };
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
    finish(args, writer, counts)
}

fn finish(args: &ImportArgs, mut writer: SelectionWriter, mut counts: Counts) -> Result<Exit, CliError> {
    counts.finish();
    if counts.n_kept == 0 {
        return Err(CliError::new(
            Exit::Data,
            format!("no pair is left of `{}`", args.weights.display()),
            "the weights belong to other rows (see `--row`), or are 0 on one side of every pair",
        ));
    }
    writer.meta_mut().n_dropped.clone_from(&counts.n_dropped);
    writer.finish()?;
    result(args.machine.form(), &counts, |counts| counts.describe(&args.out))?;
    Ok(Exit::Done)
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

fn meta(
    args: &ImportArgs,
    config: &ImportConfig,
    tokenizer: &PairTokenizer,
) -> Result<SelectionMeta, CliError> {
    let scores = ScoresMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        inputs: sources(&args.pairs.data, &args.pairs.read)?,
        ..ScoresMeta::default()
    };
    let settings = match serde_json::to_value(config).map_err(|error| CliError::of(Exit::Bug, error))? {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    let weights = ContentSource {
        path: args.weights.display().to_string(),
        content_hash: content_hash(&args.weights)?,
    };
    let weights = json!({ "path": weights.path, "content_hash": weights.content_hash });
    Ok(SelectionMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        rule: "import".to_owned(),
        settings,
        scores: Some(origin::scores_meta(scores, tokenizer, &args.tokenizer)),
        extra: Map::from_iter([("weights".to_owned(), weights)]),
        ..SelectionMeta::default()
    })
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
