//! `sepo-cli score`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use sepo_data::{ContentSource, PairTokenizer, ScoresMeta, ScoresWriter, TokenizeConfig};
use sepo_model::Dtype;
use sepo_select::{ScoreConfig, ScoreReport, Scorer, score_pairs};
use sepo_train::Footprint;
use serde::Serialize;

use crate::args::{DataArgs, ScoreArgs};
use crate::console::{grouped, percent, result, say, warn};
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::memory::Memory;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::{PairStream, RowCounts};

/// Everything that decides scores.
#[derive(Debug)]
pub(crate) struct ScoreJob<'a> {
    /// Oracle's model folder; the tokenizer is taken from it.
    pub(crate) oracle: &'a Path,
    pub(crate) reference: &'a Path,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) tokens_per_batch: usize,
    pub(crate) dtype: Dtype,
    pub(crate) memory: Memory,
    /// `scores.parquet`, which appears only when complete.
    pub(crate) out: &'a Path,
}

#[derive(Debug, Serialize)]
pub(crate) struct ScoreResult {
    /// Tokens of a sequence at most.
    max_length: usize,
    scores: ScoreReport,
    rows: RowCounts,
}

pub(crate) fn run(args: &ScoreArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let pairs = &args.pairs;
    let length = max_length(pairs.tokens.max_length, &[&args.oracle, &args.reference])?;
    let job = ScoreJob {
        oracle: &args.oracle,
        reference: &args.reference,
        data: &pairs.data,
        read: &pairs.read,
        tokens: pairs.tokens.config(length),
        tokens_per_batch: args.forward.tokens_per_batch.get(),
        dtype: args.dtype.into(),
        memory: args.memory.memory(),
        out: &args.out,
    };
    if let Some(scored) = make(&job, &AtomicBool::new(false))? {
        result(args.machine.form(), &scored, |scored| describe(scored, &args.out))?;
    }
    Ok(Exit::Done)
}

/// What scoring came to; `None` where `stop` was set before its end, and then there is no file.
pub(crate) fn make(job: &ScoreJob<'_>, stop: &AtomicBool) -> Result<Option<ScoreResult>, CliError> {
    check_memory(job)?;
    let oracle = load_model("oracle", job.oracle)?;
    let reference = load_model("reference", job.reference)?;
    let tokenizer = Arc::new(load_tokenizer(job.oracle, &job.tokens)?);
    check_fit(&oracle, &tokenizer)?;
    check_fit(&reference, &tokenizer)?;
    same_tokenizer(job, &tokenizer)?;
    let mut scorer = Scorer::new(&oracle, &reference)?.with_dtype(job.dtype);
    let source = |path: &Path, hash: &str| ContentSource {
        path: path.display().to_string(),
        content_hash: hash.to_owned(),
    };
    let meta = ScoresMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        oracle: source(job.oracle, &oracle.parameters.content_hash()),
        reference: source(job.reference, &reference.parameters.content_hash()),
        tokenizer: tokenizer.tokenizer_hash().map(|hash| source(job.oracle, hash)),
        chat_template: tokenizer.template_hash().map(|hash| source(job.oracle, &hash)),
        inputs: crate::pairs::input_sources(job.data)?,
        dtype: job.dtype.name().to_owned(),
        device: "cpu".to_owned(),
        max_length: Some(job.tokens.truncation.max_length as u64),
        eos_token_id: tokenizer.special_tokens().eos.map(|eos| eos.id),
        ..ScoresMeta::default()
    };
    let _lock = crate::claim::file(job.out)?;
    let mut writer = ScoresWriter::create(job.out, meta)?;
    let mut stream = PairStream::open(job.data, job.read, &tokenizer)?;
    let bar = bar();
    let config = ScoreConfig { tokens_per_batch: job.tokens_per_batch };
    let pairs = stream.by_ref().take_while(|_| !stop.load(Ordering::Relaxed));
    let scores = score_pairs(&mut scorer, pairs, config, &mut writer, |report| {
        bar.set_position(report.n_pairs);
        bar.set_message(format!("{} tokens", grouped(report.n_tokens)));
    })?;
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    stream.close()?;
    let rows = stream.counts();
    writer.meta_mut().n_dropped = rows.unusable.clone();
    writer.finish()?;
    if scores.agreement().is_some_and(|share| share < 0.5) {
        warn(
            "the oracle prefers the rejected response in most pairs: are `chosen` and `rejected` swapped, or oracle and reference?",
        );
    }
    Ok(Some(ScoreResult { max_length: job.tokens.truncation.max_length, scores, rows }))
}

/// Refuses models and passes that do not fit into the memory there may be; each model has its own buffers.
fn check_memory(job: &ScoreJob<'_>) -> Result<(), CliError> {
    let longest = 2 * job.tokens.truncation.max_length;
    let footprint = |dir: &Path| -> Result<Footprint, CliError> {
        Ok(Footprint::inference(&read_config(dir)?, job.tokens_per_batch, longest))
    };
    job.memory.check("scoring", &[footprint(job.oracle)?, footprint(job.reference)?])
}

/// Refuses an oracle and a reference that read text differently.
fn same_tokenizer(job: &ScoreJob<'_>, tokenizer: &PairTokenizer) -> Result<(), CliError> {
    let other = load_tokenizer(job.reference, &job.tokens)?;
    if let (Some(a), Some(b)) = (tokenizer.tokenizer_hash(), other.tokenizer_hash())
        && a != b
    {
        return Err(CliError::usage(
            "oracle and reference have different tokenizers, so their ids do not mean the same",
            "the reference must be the model that the oracle was trained from",
        ));
    }
    Ok(())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("score {spinner} {pos} pairs {msg} {per_sec} {elapsed}") {
        bar.set_style(style);
    }
    bar
}

pub(crate) fn describe(result: &ScoreResult, out: &Path) -> String {
    let scores = &result.scores;
    say("");
    format!(
        "{} pairs, {} response tokens scored; scores in `{}`\nmean score: chosen {:+.4}, rejected {:+.4}; the oracle agrees with {} of the labels",
        grouped(scores.n_pairs),
        grouped(scores.n_tokens),
        out.display(),
        scores.mean_chosen_score,
        scores.mean_rejected_score,
        percent(scores.agreement())
    )
}
