//! `sepo-cli classify score`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sepo_data::{ContentSource, PairTokenizer, Part, ScoresMeta, ScoresWriter, TokenizeConfig};
use sepo_model::{Dtype, Model, TokenClassifier};
use sepo_select::{PairScorer, ScoreConfig, ScoreReport, TokenJudge, score_pairs};
use sepo_train::{Footprint, TrainBackend};
use serde::{Deserialize, Serialize};

use crate::args::{ClassifyScoreArgs, DataArgs};
use crate::command::score_identity::{source_meta, sources};
use crate::console::{grouped, percent, result, say};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::{PairStream, RowCounts};
use crate::provenance::{self, Origin, RECORD_KEY, Record};

#[derive(Debug, Serialize)]
struct Judged {
    max_length: usize,
    scores: ScoreReport,
    rows: RowCounts,
}

/// Every setting, as the record keeps them.
#[derive(Debug, Serialize, Deserialize)]
struct JudgeSettings {
    read: DataArgs,
    tokens: TokenizeConfig,
    tokens_per_batch: usize,
    dtype: Dtype,
}

pub(super) fn run(args: &ClassifyScoreArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let read = args.pairs.read.part(args.held_out, Part::Train);
    let max_length = max_length(args.pairs.tokens.max_length, &[&args.model])?;
    let tokens = args.pairs.tokens.config(max_length);
    let tokens_per_batch = args.forward.tokens_per_batch.get();
    let memory = args.memory.memory();
    let footprint = Footprint::inference(&read_config(&args.model)?, tokens_per_batch, 2 * max_length);
    memory.check("scoring", &[footprint])?;
    let _lock = crate::claim::file(&args.out)?;
    let record = record(args, &read, &tokens)?;
    let classifier = TokenClassifier::load(&args.classifier).map_err(|error| {
        CliError::from(error).during(format!("load the classifier from `{}`", args.classifier.display()))
    })?;
    let model = load_model("model", &args.model)?;
    classifier.check(&model)?;
    let tokenizer = Arc::new(load_tokenizer(&args.model, &tokens)?);
    check_fit(&model, &tokenizer)?;
    let judge = Judge { classifier: &classifier, model: &model, dtype: args.dtype.into() };
    let mut judge = on_device(args.dtype.into(), judge)?;
    let spill = memory.spill(args.out.parent().unwrap_or(Path::new("")));
    let mut stream = PairStream::open(&args.pairs.data, &read, &tokenizer, &spill)?;
    let meta = meta(args, &read, (&classifier, &model), &tokenizer, max_length)?;
    let mut writer = ScoresWriter::create(&args.out, meta)?;
    let go_on = || !interrupted().load(Ordering::Relaxed);
    let pairs = stream.by_ref().take_while(|_| go_on());
    let report =
        score_pairs::<CliError>(&mut *judge, pairs, ScoreConfig { tokens_per_batch }, &mut writer, |_| {})?;
    if !go_on() {
        say("stopped; nothing was written, the same command begins anew");
        return Ok(Exit::Interrupted);
    }
    stream.close()?;
    let rows = stream.counts();
    writer.meta_mut().n_dropped = rows.n_dropped();
    writer.meta_mut().extra.insert(RECORD_KEY.to_owned(), provenance::to_value(&record)?);
    writer.finish()?;
    let judged = Judged { max_length, scores: report, rows };
    result(args.machine.form(), &judged, |judged| describe(judged, &args.out))?;
    Ok(Exit::Done)
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

fn record(args: &ClassifyScoreArgs, read: &DataArgs, tokens: &TokenizeConfig) -> Result<Record, CliError> {
    let folder = args.out.parent().unwrap_or(Path::new(""));
    let mut origin = Origin::beside(folder, args.change.on_change());
    origin.model("classifier", &args.classifier)?;
    origin.model("model", &args.model)?;
    origin.data("data", &args.pairs.data, read)?;
    origin.template(tokens)?;
    let settings = JudgeSettings {
        read: read.clone(),
        tokens: provenance::recorded(tokens),
        tokens_per_batch: args.forward.tokens_per_batch.get(),
        dtype: args.dtype.into(),
    };
    origin.into_record("classify", None, &settings)
}

/// The classifier stands in the place of the oracle, and the model that it reads in that of the reference.
fn meta(
    args: &ClassifyScoreArgs,
    read: &DataArgs,
    (classifier, model): (&TokenClassifier, &Model),
    tokenizer: &PairTokenizer,
    max_length: usize,
) -> Result<ScoresMeta, CliError> {
    let source = |path: &Path, hash: &str| ContentSource {
        path: provenance::without_credentials(&path.display().to_string()),
        content_hash: hash.to_owned(),
    };
    let dtype: Dtype = args.dtype.into();
    Ok(ScoresMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        oracle: source(&args.classifier, &classifier.content_hash()),
        reference: source(&args.model, &model.parameters.content_hash()),
        tokenizer: tokenizer.tokenizer_hash().map(|hash| source(&args.model, hash)),
        chat_template: tokenizer.template_hash().map(|hash| source(&args.model, &hash)),
        inputs: sources(&args.pairs.data, read)?,
        dtype: dtype.name().to_owned(),
        device: crate::machine::device().to_owned(),
        max_length: Some(max_length as u64),
        eos_token_id: tokenizer.special_tokens().eos.map(|eos| eos.id),
        extra: source_meta(read),
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
