//! `sepo-cli weights project`

use std::path::{Path, PathBuf};

use sepo_data::{
    ContentSource, PairTokenizer, ScoresMeta, SelectedPair, SelectionMeta, SelectionReader, SelectionWriter,
    Span, TemplateChoice, TokenizeConfig, TokenizedResponse, TruncationConfig, content_hash,
};
use sepo_select::project::{Coverage, Projected, Projection, WithinText, project};
use serde_json::json;

use super::counts::{Counts, narrow};
use super::origin;
use super::rows::{DataRow, DataRows, Responses};
use crate::args::{DataArgs, PairArgs, ProjectArgs};
use crate::command::score_identity::sources;
use crate::console::result;
use crate::exit::{CliError, Exit};
use crate::length::max_length_of_tokenizer;
use crate::model_dir::load_tokenizer;
use crate::provenance::{self, OnChange, Origin, ProjectSettings, RECORD_KEY, Record};

/// Everything that decides the selection.
#[derive(Debug)]
pub(crate) struct ProjectJob<'a> {
    pub(crate) selection: &'a Path,
    /// Its scores, where they lie elsewhere than it says.
    pub(crate) scores: Option<&'a Path>,
    /// The oracle's model folder, where it lies elsewhere than the scores say.
    pub(crate) oracle: Option<&'a Path>,
    /// Model folder with the policy's tokenizer.
    pub(crate) tokenizer: &'a Path,
    pub(crate) how: Projection,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// `selection.parquet` to write.
    pub(crate) out: &'a Path,
}

pub(super) fn run(args: &ProjectArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let PairArgs { data, read, tokens } = &args.pairs;
    let length = max_length_of_tokenizer(tokens.max_length, &args.tokenizer);
    let job = ProjectJob {
        selection: &args.selection,
        scores: args.scores.as_deref(),
        oracle: args.oracle.as_deref(),
        tokenizer: &args.tokenizer,
        how: args.how.into(),
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
pub(crate) fn make(job: &ProjectJob<'_>) -> Result<Counts, CliError> {
    let policy = load_tokenizer(job.tokenizer, &job.tokens)?;
    let reader = SelectionReader::open(job.selection)?;
    let scores = origin::scores(reader.meta(), job.scores)?;
    let mut spans = origin::spans(&scores)?;
    check_inputs(job, spans.meta())?;
    let oracle = OracleTexts::new(job, spans.meta(), &policy)?;
    let how = job.how;
    let record = record(job, &scores, &oracle)?;
    let mut writer = SelectionWriter::create(job.out, meta(job, reader.meta(), &policy, &record)?)?;
    let mut data = DataRows::open(job.data, job.read, &policy)?;
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
    Ok(counts)
}

/// What the selection is made from; the oracle's tokenizer only where texts are read through it.
fn record(job: &ProjectJob<'_>, scores: &Path, oracle: &OracleTexts) -> Result<Record, CliError> {
    let mut origin = Origin::beside(job.out.parent().unwrap_or(Path::new("")), job.on_change);
    origin.file("selection", job.selection)?;
    origin.file("scores", scores)?;
    origin.tokenizer("tokenizer", job.tokenizer)?;
    if let OracleTexts::Own { dir, .. } = oracle {
        origin.tokenizer("oracle", dir)?;
    }
    origin.data("data", job.data, job.read)?;
    origin.template(&job.tokens)?;
    let settings =
        ProjectSettings { read: job.read.clone(), tokens: provenance::recorded(&job.tokens), how: job.how };
    origin.into_record("weights project", None, &settings)
}

/// Refuses other data than the scores were made of: rows of the same number would be other pairs.
fn check_inputs(job: &ProjectJob<'_>, scores: &ScoresMeta) -> Result<(), CliError> {
    let hashes = |sources: &[ContentSource]| -> Vec<String> {
        sources.iter().map(|source| source.content_hash.clone()).collect()
    };
    let given = sources(job.data, job.read)?;
    if scores.inputs.is_empty() || hashes(&scores.inputs) == hashes(&given) {
        return Ok(());
    }
    let names: Vec<&str> = scores.inputs.iter().map(|source| source.path.as_str()).collect();
    Err(CliError::usage(
        format!("`--data {}` is not what the scores were made of", job.data.join(" ")),
        format!("give the same files with the same content: {}", names.join(" ")),
    ))
}

/// What the oracle has read where the policy reads a text in other words.
enum OracleTexts {
    /// Both read the same.
    Same,
    /// The oracle's own template, of its folder.
    Own { tokenizer: Box<PairTokenizer>, dir: PathBuf },
    /// It is not there; only pairs that need no template can be carried over.
    Unknown { hash: String },
}

impl OracleTexts {
    fn new(job: &ProjectJob<'_>, scores: &ScoresMeta, policy: &PairTokenizer) -> Result<Self, CliError> {
        let template = scores.chat_template.as_ref().map(|template| template.content_hash.clone());
        if template == policy.template_hash() {
            return match job.oracle {
                None => Ok(Self::Same),
                Some(_) => Err(CliError::usage(
                    "`--oracle` has no meaning here: the scores were made with the policy's chat template",
                    "leave `--oracle` out",
                )),
            };
        }
        let told =
            Some(PathBuf::from(&scores.oracle.path)).filter(|dir| dir.join("tokenizer.json").is_file());
        let Some(dir) = job.oracle.map(Path::to_owned).or(told) else {
            return Ok(Self::Unknown { hash: template.unwrap_or_default() });
        };
        let length = scores.max_length.and_then(|length| usize::try_from(length).ok());
        let max_length = length.unwrap_or_else(crate::length::default_length);
        let config = TokenizeConfig {
            // A template that was typed is the policy's.
            template: TemplateChoice::Model,
            truncation: TruncationConfig { max_length, ..job.tokens.truncation.clone() },
            ..job.tokens.clone()
        };
        let oracle = load_tokenizer(&dir, &config)?;
        if oracle.template_hash() == template {
            return Ok(Self::Own { tokenizer: Box::new(oracle), dir });
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
            Self::Own { tokenizer, .. } => tokenizer,
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
    job: &ProjectJob<'_>,
    before: &SelectionMeta,
    policy: &PairTokenizer,
    record: &Record,
) -> Result<SelectionMeta, CliError> {
    let scores = before.scores.clone().unwrap_or_default();
    let projection = json!({
        "how": job.how,
        "selection": { "path": job.selection.display().to_string(), "content_hash": content_hash(job.selection)? },
        "tokenizer": scores.tokenizer,
        "chat_template": scores.chat_template,
    });
    let mut after = SelectionMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        // Other tokens: whatever share was kept of the oracle's, it is another of these.
        keep_chosen: None,
        keep_rejected: None,
        scores: Some(origin::scores_meta(scores, policy, job.tokenizer)),
        ..before.clone()
    };
    // In place of that of the oracle's selection, which this one holds as upstream of it.
    after.extra.insert(RECORD_KEY.to_owned(), provenance::to_value(record)?);
    after.extra.insert("projection".to_owned(), projection);
    Ok(after)
}
