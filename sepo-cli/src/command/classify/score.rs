//! `sepo-cli classify score`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sepo_data::{ContentSource, PairTokenizer, Part, ScoresMeta, ScoresWriter, TokenizeConfig};
use sepo_model::{Dtype, Model, TokenClassifier};
use sepo_select::{PairScorer, ScoreConfig, ScoreReport, TokenJudge, score_pairs};
use sepo_train::{Footprint, TrainBackend};
use serde::Serialize;

use crate::args::{ClassifyScoreArgs, DataArgs};
use crate::command::score_identity::{source_meta, sources};
use crate::console::{grouped, percent, result, say};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::memory::Memory;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::{PairStream, RowCounts};
use crate::provenance::{self, JudgeSettings, OnChange, Origin, RECORD_KEY, Record};

/// What scoring came to.
#[derive(Debug, Serialize)]
pub(crate) struct Judged {
    max_length: usize,
    scores: ScoreReport,
    rows: RowCounts,
}

/// Everything that decides the scores.
#[derive(Debug)]
pub(crate) struct JudgeJob<'a> {
    /// Folder of the classifier.
    pub(crate) classifier: &'a Path,
    /// Folder of the model that it was trained on.
    pub(crate) model: &'a Path,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) tokens_per_batch: usize,
    pub(crate) dtype: Dtype,
    pub(crate) memory: Memory,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// `scores.parquet` to write.
    pub(crate) out: &'a Path,
}

pub(super) fn run(args: &ClassifyScoreArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let max_length = max_length(args.pairs.tokens.max_length, &[&args.model])?;
    let _lock = crate::claim::file(&args.out)?;
    let made = make(&JudgeJob {
        classifier: &args.classifier,
        model: &args.model,
        data: &args.pairs.data,
        read: &args.pairs.read.part(args.held_out, Part::Train),
        tokens: args.pairs.tokens.config(max_length),
        tokens_per_batch: args.forward.tokens_per_batch.get(),
        dtype: args.dtype.into(),
        memory: args.memory.memory(),
        on_change: args.change.on_change(),
        out: &args.out,
    })?;
    match made {
        Ok(judged) => {
            result(args.machine.form(), &judged, |judged| describe(judged, &args.out))?;
            Ok(Exit::Done)
        }
        Err(exit) => Ok(exit),
    }
}

/// Writes the scores; an exit code where it was stopped.
pub(crate) fn make(job: &JudgeJob<'_>) -> Result<Result<Judged, Exit>, CliError> {
    let max_length = job.tokens.truncation.max_length;
    let tokens_per_batch = job.tokens_per_batch;
    let footprint = Footprint::inference(&read_config(job.model)?, tokens_per_batch, 2 * max_length);
    job.memory.check("scoring", &[footprint])?;
    let record = record(job)?;
    let classifier = TokenClassifier::load(job.classifier).map_err(|error| {
        CliError::from(error).during(format!("load the classifier from `{}`", job.classifier.display()))
    })?;
    let model = load_model("model", job.model)?;
    classifier.check(&model)?;
    let tokenizer = Arc::new(load_tokenizer(job.model, &job.tokens)?);
    check_fit(&model, &tokenizer)?;
    let judge = Judge { classifier: &classifier, model: &model, dtype: job.dtype };
    let mut judge = on_device(job.dtype, judge)?;
    let spill = job.memory.spill(job.out.parent().unwrap_or(Path::new("")));
    let mut stream = PairStream::open(job.data, job.read, &tokenizer, &spill)?;
    let mut writer = ScoresWriter::create(job.out, meta(job, (&classifier, &model), &tokenizer)?)?;
    let go_on = || !interrupted().load(Ordering::Relaxed);
    let pairs = stream.by_ref().take_while(|_| go_on());
    let report =
        score_pairs::<CliError>(&mut *judge, pairs, ScoreConfig { tokens_per_batch }, &mut writer, |_| {})?;
    if !go_on() {
        say("stopped; nothing was written, the same command begins anew");
        return Ok(Err(Exit::Interrupted));
    }
    stream.close()?;
    let rows = stream.counts();
    writer.meta_mut().n_dropped = rows.n_dropped();
    writer.meta_mut().extra.insert(RECORD_KEY.to_owned(), provenance::to_value(&record)?);
    writer.finish()?;
    Ok(Ok(Judged { max_length, scores: report, rows }))
}

/// A classifier with the model that it reads.
struct Judge<'m> {
    classifier: &'m TokenClassifier,
    model: &'m Model,
    dtype: Dtype,
}

impl<'m> OnDevice for Judge<'m> {
    type Output = Result<Box<dyn PairScorer + 'm>, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        Ok(Box::new(TokenJudge::on(on, self.classifier, self.model)?.with_dtype(self.dtype)))
    }
}

fn record(job: &JudgeJob<'_>) -> Result<Record, CliError> {
    let mut origin = Origin::beside(job.out.parent().unwrap_or(Path::new("")), job.on_change);
    origin.model("classifier", job.classifier)?;
    origin.model("model", job.model)?;
    origin.data("data", job.data, job.read)?;
    origin.template(&job.tokens)?;
    let settings = JudgeSettings {
        read: job.read.clone(),
        tokens: provenance::recorded(&job.tokens),
        tokens_per_batch: job.tokens_per_batch,
        dtype: job.dtype,
    };
    origin.into_record("classify score", None, &settings)
}

/// The classifier stands in the place of the oracle, and the model that it reads in that of the reference.
fn meta(
    job: &JudgeJob<'_>,
    (classifier, model): (&TokenClassifier, &Model),
    tokenizer: &PairTokenizer,
) -> Result<ScoresMeta, CliError> {
    let source = |path: &Path, hash: &str| ContentSource {
        path: provenance::without_credentials(&path.display().to_string()),
        content_hash: hash.to_owned(),
    };
    Ok(ScoresMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        oracle: source(job.classifier, &classifier.content_hash()),
        reference: source(job.model, &model.parameters.content_hash()),
        tokenizer: tokenizer.tokenizer_hash().map(|hash| source(job.model, hash)),
        chat_template: tokenizer.template_hash().map(|hash| source(job.model, &hash)),
        inputs: sources(job.data, job.read)?,
        dtype: job.dtype.name().to_owned(),
        device: crate::machine::device().to_owned(),
        max_length: Some(job.tokens.truncation.max_length as u64),
        eos_token_id: tokenizer.special_tokens().eos.map(|eos| eos.id),
        extra: source_meta(job.read),
        ..ScoresMeta::default()
    })
}

fn describe(judged: &Judged, out: &Path) -> String {
    let scores = &judged.scores;
    format!(
        "{} pairs, {} response tokens scored; scores in `{}`\nmean log-odds: chosen {:+.4}, rejected {:+.4}; summed, they agree with {} of the labels of pairs",
        grouped(scores.n_pairs),
        grouped(scores.n_tokens),
        out.display(),
        scores.mean_chosen_score,
        scores.mean_rejected_score,
        percent(scores.agreement())
    )
}
