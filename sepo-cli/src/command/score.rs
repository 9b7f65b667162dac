//! `sepo-cli score`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use sepo_data::{ContentSource, PairTokenizer, Part, ScoresMeta, ShardStore};
use sepo_model::{Dtype, Model};
use sepo_select::{FinishedShards, PairScorer, Scorer, ShardConfig, ShardProgress, ShardedScores};
use sepo_train::{Footprint, TrainBackend};

use super::score_identity::{identity, source_meta, sources};
pub(crate) use super::score_job::ScoreJob;
use super::score_record::record;
pub(crate) use super::score_result::describe;
use super::score_result::{ScoreResult, Seconds};
use crate::args::ScoreArgs;
use crate::console::{grouped, result, say, warn};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::PairStream;
use crate::provenance::{self, RECORD_KEY};

pub(crate) fn run(args: &ScoreArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let pairs = &args.pairs;
    let length = max_length(pairs.tokens.max_length, &[&args.oracle, &args.reference])?;
    let job = ScoreJob {
        oracle: &args.oracle,
        reference: &args.reference,
        data: &pairs.data,
        read: &pairs.read.part(args.held_out, Part::Train),
        tokens: pairs.tokens.config(length),
        shards: ShardConfig {
            tokens_per_batch: args.forward.tokens_per_batch.get(),
            tokens_per_shard: args.shards.tokens_per_shard.get(),
        },
        dtype: args.dtype.into(),
        memory: args.memory.memory(),
        other: args.shards.other_run(),
        on_change: args.change.on_change(),
        out: &args.out,
    };
    let Some(scored) = make(&job, interrupted())? else { return Ok(Exit::Interrupted) };
    result(args.machine.form(), &scored, |scored| describe(scored, &args.out))?;
    Ok(Exit::Done)
}

/// What scoring came to; `None` where `stop` was set before its end, and then there is no file but finished shards.
pub(crate) fn make(job: &ScoreJob<'_>, stop: &AtomicBool) -> Result<Option<ScoreResult>, CliError> {
    let start = Instant::now();
    check_out(job.out)?;
    check_memory(job)?;
    let _lock = crate::claim::file(job.out)?;
    let record = record(job)?;
    let oracle = load_model("oracle", job.oracle)?;
    let reference = load_model("reference", job.reference)?;
    let tokenizer = Arc::new(load_tokenizer(job.oracle, &job.tokens)?);
    check_fit(&oracle, &tokenizer)?;
    check_fit(&reference, &tokenizer)?;
    same_tokenizer(job, &tokenizer)?;
    let judges = Judges { oracle: &oracle, reference: &reference, dtype: job.dtype };
    let mut scorer = on_device(job.dtype, judges)?;
    let mut meta = meta(job, [&oracle, &reference], &tokenizer)?;
    let weights = [&meta.oracle.content_hash, &meta.reference.content_hash].map(String::as_str);
    let identity = identity(job, weights, &tokenizer, &meta.inputs)?;
    let store = ShardStore::open(parts(job.out), identity, job.other)?;
    let _unused = RemovedIfEmpty(parts(job.out));
    let resumed = store.done_report();
    say_resumed(&store, resumed.n_pairs);
    let resumed_pairs = resumed.n_pairs;
    let spill = job.memory.spill(folder(job.out));
    let done = (store.done().to_vec(), resumed);
    let mut stream = PairStream::open_undone((job.data, job.read), &tokenizer, &spill, done)?;
    let loaded = Instant::now();

    let mut scores = ShardedScores::new(&mut *scorer, job.shards, store, meta.clone());
    let bar = bar();
    while !stop.load(Ordering::Relaxed)
        && let Some(pair) = stream.next()
    {
        scores.push(pair?, stream.report())?;
        let ShardProgress { n_pairs, n_tokens, .. } = scores.progress();
        bar.set_position(resumed_pairs + n_pairs);
        bar.set_message(format!("{} tokens", grouped(n_tokens)));
    }
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Ok(stopped(job, scores.progress()));
    }
    let finished: FinishedShards = scores.finish(stream.report())?;
    let scored = Instant::now();
    stream.close()?;
    let rows = stream.counts();
    meta.n_dropped = rows.n_dropped();
    // Not in the shards, each of which would hold it again.
    meta.extra.insert(RECORD_KEY.to_owned(), provenance::to_value(&record)?);
    let made = finished.progress();
    let Some(scores) = finished.write(job.out, meta, || !stop.load(Ordering::Relaxed))? else {
        return Ok(stopped(job, made));
    };
    if scores.agreement().is_some_and(|share| share < 0.5) {
        warn(
            "the oracle prefers the rejected response in most pairs: are `chosen` and `rejected` swapped, or oracle and reference?",
        );
    }
    let seconds = Seconds {
        loading: (loaded - start).as_secs_f64(),
        scoring: (scored - loaded).as_secs_f64(),
        writing: scored.elapsed().as_secs_f64(),
    };
    let rate = |n: u64| n as f64 / seconds.scoring.max(f64::MIN_POSITIVE);
    Ok(Some(ScoreResult {
        max_length: job.tokens.truncation.max_length,
        scores,
        rows,
        resumed_pairs,
        pairs_per_s: rate(made.n_pairs),
        tokens_per_s: rate(made.n_tokens),
        seconds,
    }))
}

/// Two models to make a scorer of.
struct Judges<'m> {
    oracle: &'m Model,
    reference: &'m Model,
    dtype: Dtype,
}

impl<'m> OnDevice for Judges<'m> {
    type Output = Result<Box<dyn PairScorer + 'm>, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        Ok(Box::new(Scorer::on(on, self.oracle, self.reference)?.with_dtype(self.dtype)))
    }
}

/// The folder that a file lies in.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// A folder that goes with the job if nothing has come into it, as where the data cannot be used.
struct RemovedIfEmpty(PathBuf);

impl Drop for RemovedIfEmpty {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Where the shards lie until they are one file.
fn parts(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    out.with_file_name(name)
}

/// Refuses what is no name of a file, before hours of work.
fn check_out(out: &Path) -> Result<(), CliError> {
    if out.is_dir() || out.file_name().is_none() {
        return Err(CliError::usage(
            format!("`{}` is a folder, and scores are one file", out.display()),
            "name a file, such as `--out scores.parquet`",
        ));
    }
    Ok(())
}

fn meta(
    job: &ScoreJob<'_>,
    [oracle, reference]: [&Model; 2],
    tokenizer: &PairTokenizer,
) -> Result<ScoresMeta, CliError> {
    let source = |path: &Path, hash: &str| ContentSource {
        path: provenance::without_credentials(&path.display().to_string()),
        content_hash: hash.to_owned(),
    };
    Ok(ScoresMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        oracle: source(job.oracle, &oracle.parameters.content_hash()),
        reference: source(job.reference, &reference.parameters.content_hash()),
        tokenizer: tokenizer.tokenizer_hash().map(|hash| source(job.oracle, hash)),
        chat_template: tokenizer.template_hash().map(|hash| source(job.oracle, &hash)),
        inputs: sources(job.data, job.read)?,
        dtype: job.dtype.name().to_owned(),
        device: crate::machine::device().to_owned(),
        max_length: Some(job.tokens.truncation.max_length as u64),
        eos_token_id: tokenizer.special_tokens().eos.map(|eos| eos.id),
        extra: source_meta(job.read),
        ..ScoresMeta::default()
    })
}

/// Refuses models and passes that do not fit into the memory there may be; each model has its own buffers.
fn check_memory(job: &ScoreJob<'_>) -> Result<(), CliError> {
    let longest = 2 * job.tokens.truncation.max_length;
    let footprint = |dir: &Path| -> Result<Footprint, CliError> {
        Ok(Footprint::inference(&read_config(dir)?, job.shards.tokens_per_batch, longest))
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

fn say_resumed(store: &ShardStore<sepo_data::ScoredPair>, n_pairs: u64) {
    if n_pairs > 0 {
        say(format!("score: {} pairs are in `{}` already", grouped(n_pairs), store.dir().display()));
    }
    if store.n_damaged() > 0 {
        warn(format!("{} damaged shards are made again", grouped(store.n_damaged() as u64)));
    }
}

/// Nothing, after saying how to go on.
fn stopped(job: &ScoreJob<'_>, made: ShardProgress) -> Option<ScoreResult> {
    say(format!(
        "stopped after {} pairs and {} finished shards; they are in `{}`, the same command goes on from there",
        grouped(made.n_pairs),
        grouped(made.n_shards),
        parts(job.out).display()
    ));
    None
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("score {spinner} {pos} pairs {msg} {per_sec} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
