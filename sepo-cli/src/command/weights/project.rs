//! `sepo-cli weights project`

use std::path::PathBuf;

use sepo_data::{
    ContentSource, PairTokenizer, ScoresMeta, SelectedPair, SelectionMeta, SelectionReader, SelectionWriter,
    Span, TokenizedResponse, content_hash,
};
use sepo_select::project::{Coverage, Projected, Projection, WithinText, project};
use serde_json::json;

use super::counts::{Counts, narrow};
use super::origin;
use super::rows::{DataRow, DataRows, Responses};
use crate::args::ProjectArgs;
use crate::command::score_identity::sources;
use crate::console::result;
use crate::exit::{CliError, Exit};
use crate::length::max_length_of_tokenizer;
use crate::model_dir::load_tokenizer;
use crate::provenance::RECORD_KEY;

pub(super) fn run(args: &ProjectArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let tokens = &args.pairs.tokens;
    let length = max_length_of_tokenizer(tokens.max_length, &args.tokenizer);
    let policy = load_tokenizer(&args.tokenizer, &tokens.config(length))?;
    let reader = SelectionReader::open(&args.selection)?;
    let mut spans = origin::spans(reader.meta(), args.scores.as_deref())?;
    check_inputs(args, spans.meta())?;
    let oracle = OracleTexts::new(args, spans.meta(), &policy)?;
    let how: Projection = args.how.into();
    let mut writer = SelectionWriter::create(&args.out, meta(args, reader.meta(), how, &policy)?)?;
    let mut data = DataRows::open(&args.pairs, &policy)?;
    let mut counts = Counts::default();
    let mut row = data.next_row()?;
    for selected in reader {
        let selected = selected?;
        while row.as_ref().is_some_and(|row| row.ids.row < selected.row) {
            row = data.next_row()?;
        }
        let source = spans.of(&selected).map_err(|error| CliError::of(Exit::Data, error))?;
        let Some(found) = row.take_if(|row| row.ids.row == selected.row) else {
            counts.drop_pair("no_pair");
            continue;
        };
        row = data.next_row()?;
        let number = selected.row;
        let (pair, coverage) = projected(selected, source, found, how, &oracle, &policy)
            .map_err(|error| error.during(format!("carry over row {number}")))?;
        if let Some(kept) = counts.keep(pair, coverage) {
            writer.write(&kept)?;
        }
    }
    counts.finish();
    if counts.n_kept == 0 {
        let help = "give the data that the scores were made of; `--how mean` and `--how max` keep most";
        return Err(CliError::new(Exit::Data, "no pair is left of the selection", help));
    }
    let coverage = json!({ "chosen": counts.chosen.coverage, "rejected": counts.rejected.coverage });
    let meta = writer.meta_mut();
    meta.n_dropped.clone_from(&counts.n_dropped);
    meta.extra.insert("coverage".to_owned(), coverage);
    writer.finish()?;
    result(args.machine.form(), &counts, |counts| counts.describe(&args.out))?;
    Ok(Exit::Done)
}

/// Refuses other data than the scores were made of: rows of the same number would be other pairs.
fn check_inputs(args: &ProjectArgs, scores: &ScoresMeta) -> Result<(), CliError> {
    let hashes = |sources: &[ContentSource]| -> Vec<String> {
        sources.iter().map(|source| source.content_hash.clone()).collect()
    };
    let given = sources(&args.pairs.data, &args.pairs.read)?;
    if scores.inputs.is_empty() || hashes(&scores.inputs) == hashes(&given) {
        return Ok(());
    }
    let names: Vec<&str> = scores.inputs.iter().map(|source| source.path.as_str()).collect();
    Err(CliError::usage(
        format!("`--data {}` is not what the scores were made of", args.pairs.data.join(" ")),
        format!("give the same files with the same content: {}", names.join(" ")),
    ))
}

/// What the oracle has read where the policy reads a text in other words.
enum OracleTexts {
    /// Both read the same.
    Same,
    /// The oracle's own template.
    Own(Box<PairTokenizer>),
    /// It is not there; only pairs that need no template can be carried over.
    Unknown { hash: String },
}

impl OracleTexts {
    fn new(args: &ProjectArgs, scores: &ScoresMeta, policy: &PairTokenizer) -> Result<Self, CliError> {
        let template = scores.chat_template.as_ref().map(|template| template.content_hash.clone());
        if template == policy.template_hash() {
            return match &args.oracle {
                None => Ok(Self::Same),
                Some(_) => Err(CliError::usage(
                    "`--oracle` has no meaning here: the scores were made with the policy's chat template",
                    "leave `--oracle` out",
                )),
            };
        }
        let told =
            Some(PathBuf::from(&scores.oracle.path)).filter(|dir| dir.join("tokenizer.json").is_file());
        let Some(dir) = args.oracle.clone().or(told) else {
            return Ok(Self::Unknown { hash: template.unwrap_or_default() });
        };
        let length = scores.max_length.and_then(|length| usize::try_from(length).ok());
        let config = args.pairs.tokens.config(length.unwrap_or_else(crate::length::default_length));
        let oracle = load_tokenizer(
            &dir,
            &sepo_data::TokenizeConfig {
                // A template that was typed is the policy's.
                template: sepo_data::TemplateChoice::Model,
                ..config
            },
        )?;
        if oracle.template_hash() == template {
            return Ok(Self::Own(Box::new(oracle)));
        }
        Err(CliError::usage(
            format!("`{}` has another chat template than the scores were made with", dir.display()),
            "name the oracle's folder with `--oracle DIR`",
        ))
    }

    /// The spans of the oracle's and of the policy's tokens in the text that both have read: chosen, then rejected.
    fn common(
        &self,
        row: &DataRow,
        source: [Vec<Span>; 2],
        target: [&[Span]; 2],
        policy: &PairTokenizer,
    ) -> Result<[[Vec<Span>; 2]; 2], CliError> {
        let both = |side: usize| [source[side].clone(), target[side].to_vec()];
        let is_template = matches!(row.pair.content, sepo_data::PairContent::Chat { .. })
            || policy.config().text == sepo_data::TextHandling::AsChat;
        let oracle = match self {
            _ if !is_template => return Ok([both(0), both(1)]),
            Self::Same => return Ok([both(0), both(1)]),
            Self::Own(oracle) => oracle,
            Self::Unknown { hash } => {
                return Err(CliError::usage(
                    format!(
                        "the oracle's chat template (blake3 {hash}) is another than the policy's, and is not there"
                    ),
                    "name the oracle's folder with `--oracle DIR`",
                ));
            }
        };
        let texts = [Responses::of(&row.pair, oracle)?, Responses::of(&row.pair, policy)?];
        let [Some(ours), Some(theirs)] = &texts else { return Ok([both(0), both(1)]) };
        if !ours.are_single_turns() {
            return Err(CliError::new(
                Exit::Data,
                "the response has several turns, and the templates of oracle and policy write them in other ways",
                "render both with the same `--chat-template`",
            ));
        }
        let within = |responses: &Responses<'_>, side: usize| -> Result<WithinText, CliError> {
            responses.text(side).within().map_err(|error| CliError::of(Exit::Data, error))
        };
        let of = |side: usize| -> Result<[Vec<Span>; 2], CliError> {
            Ok([within(ours, side)?.spans(&source[side]), within(theirs, side)?.spans(target[side])])
        };
        Ok([of(0)?, of(1)?])
    }
}

/// The pair with the policy's ids and weights.
fn projected(
    selected: SelectedPair,
    source: [Vec<Span>; 2],
    row: DataRow,
    how: Projection,
    oracle: &OracleTexts,
    policy: &PairTokenizer,
) -> Result<(SelectedPair, [Coverage; 2]), CliError> {
    fn spans(response: &TokenizedResponse) -> Result<&[Span], CliError> {
        response.spans.as_deref().ok_or_else(|| {
            CliError::new(
                Exit::Data,
                "the data holds token ids only, which another tokenizer cannot read",
                "give the pairs as text",
            )
        })
    }
    let target = [spans(&row.ids.chosen)?, spans(&row.ids.rejected)?];
    let [chosen, rejected] = oracle.common(&row, source, target, policy)?;
    let carry = |[source, target]: [Vec<Span>; 2], weights: &[f32]| -> Result<Projected, CliError> {
        let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        project(&source, &weights, &target, how).map_err(|error| CliError::of(Exit::Data, error))
    };
    let chosen = carry(chosen, &selected.chosen_weights)?;
    let rejected = carry(rejected, &selected.rejected_weights)?;
    let pair = SelectedPair {
        row: selected.row,
        prompt_ids: row.ids.prompt_ids,
        chosen_ids: row.ids.chosen.ids,
        rejected_ids: row.ids.rejected.ids,
        chosen_weights: narrow(&chosen.values),
        rejected_weights: narrow(&rejected.values),
    };
    Ok((pair, [chosen.coverage, rejected.coverage]))
}

fn meta(
    args: &ProjectArgs,
    before: &SelectionMeta,
    how: Projection,
    policy: &PairTokenizer,
) -> Result<SelectionMeta, CliError> {
    let scores = before.scores.clone().unwrap_or_default();
    let projection = json!({
        "how": how,
        "selection": { "path": args.selection.display().to_string(), "content_hash": content_hash(&args.selection)? },
        "tokenizer": scores.tokenizer,
        "chat_template": scores.chat_template,
    });
    let mut after = SelectionMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        // Other tokens: whatever share was kept of the oracle's, it is another of these.
        keep_chosen: None,
        keep_rejected: None,
        scores: Some(origin::scores_meta(scores, policy, &args.tokenizer)),
        ..before.clone()
    };
    // What the oracle's selection was made from says nothing of this one.
    after.extra.remove(RECORD_KEY);
    after.extra.insert("projection".to_owned(), projection);
    Ok(after)
}
