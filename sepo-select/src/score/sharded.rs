//! A whole data set through a scorer, in shards that survive whatever ends the process.

use std::mem::take;
use std::path::Path;

use sepo_data::{RowPolicy, ScoredPair, ScoresMeta, ScoresWriter, ShardStore, TokenizeReport, TokenizedPair};

use super::scorer::pack_item;
use super::{PairScorer, ScoreError, ScoreReport};

/// How pairs are grouped. Both bounds decide the order of sums, and so the last bits of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardConfig {
    /// Tokens of a forward pass; a pair that is longer runs alone.
    pub tokens_per_batch: usize,
    /// Tokens at which a shard ends: after the pair with which it has that many.
    pub tokens_per_shard: usize,
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self { tokens_per_batch: 8192, tokens_per_shard: 1 << 18 }
    }
}

/// Scoring that goes on where it was stopped, and ends with the same bytes.
///
/// Pairs are pushed in the order of their source; those that lie in [`ShardStore::done`] are left out by the caller. A
/// batch never crosses the border of a shard, and where shards end depends on the pairs alone, so a shard holds the same
/// bytes whether it was made in one run or in many. At most a batch of pairs and a row group of scores are held.
///
/// # Examples
///
/// ```no_run
/// use sepo_data::{OtherRun, PairTokenizer, PreferencePair, ScoresMeta, ShardStore};
/// use sepo_model::Model;
/// use sepo_select::{Scorer, ShardConfig, ShardedScores};
///
/// # fn score(
/// #     (oracle, reference): (Model, Model),
/// #     tokenizer: PairTokenizer,
/// #     pairs: Vec<PreferencePair>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let identity = serde_json::Map::from_iter([("oracle".to_owned(), oracle.parameters.content_hash().into())]);
/// let store = ShardStore::open("scores.parquet.parts", identity, OtherRun::Refuse)?;
/// let undone = (0..).zip(pairs).filter(|(place, _)| !store.done().iter().any(|done| done.contains(place)));
/// let mut stream = tokenizer.encode_stream(undone.map(|(_, pair)| pair).collect::<Vec<_>>());
///
/// let mut scorer = Scorer::new(&oracle, &reference)?;
/// let mut scores = ShardedScores::new(&mut scorer, ShardConfig::default(), store, ScoresMeta::default());
/// while let Some(pair) = stream.next() {
///     scores.push(pair?, stream.report())?;
/// }
/// let written = scores.finish(stream.report())?.write("scores.parquet", ScoresMeta::default(), || true)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ShardedScores<'s> {
    scorer: &'s mut dyn PairScorer,
    config: ShardConfig,
    store: ShardStore<ScoredPair>,
    meta: ScoresMeta,
    shard: Option<OpenShard>,
    batch: Vec<TokenizedPair>,
    batch_tokens: usize,
    /// What tokenization had done at the end of the last shard.
    counted: TokenizeReport,
    progress: ShardProgress,
}

/// What one run has scored, without what was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardProgress {
    /// Pairs scored.
    pub n_pairs: u64,
    /// Tokens run through the models: of each pair the prompt once, and both responses.
    pub n_tokens: u64,
    /// Shards finished.
    pub n_shards: u64,
}

#[derive(Debug)]
struct OpenShard {
    writer: ScoresWriter,
    start: u64,
    n_tokens: usize,
}

impl<'s> ShardedScores<'s> {
    /// Scoring into `store`, with `meta` as the metadata of each shard.
    pub fn new(
        scorer: &'s mut dyn PairScorer,
        config: ShardConfig,
        store: ShardStore<ScoredPair>,
        meta: ScoresMeta,
    ) -> Self {
        Self {
            scorer,
            config,
            store,
            meta,
            shard: None,
            batch: Vec::new(),
            batch_tokens: 0,
            counted: TokenizeReport::default(),
            progress: ShardProgress::default(),
        }
    }

    /// Takes the next pair that is not done. `tokenized` is what tokenization has done in this run, up to this pair.
    ///
    /// # Errors
    ///
    /// [`ScoreError`] of the first pair that cannot be scored, or of a shard that cannot be written.
    pub fn push(&mut self, pair: TokenizedPair, tokenized: &TokenizeReport) -> Result<(), ScoreError> {
        let n = pack_item(&pair).packed_tokens(RowPolicy::AllResponse);
        if self.batch_tokens + n > self.config.tokens_per_batch {
            self.score_batch()?;
        }
        let mut shard = match self.shard.take() {
            Some(shard) => shard,
            None => self.begin_shard()?,
        };
        shard.n_tokens += n;
        let is_full = shard.n_tokens >= self.config.tokens_per_shard;
        self.shard = Some(shard);
        self.batch_tokens += n;
        self.batch.push(pair);
        if is_full { self.end_shard(tokenized) } else { Ok(()) }
    }

    /// What this run has done so far.
    #[must_use]
    pub fn progress(&self) -> ShardProgress {
        self.progress
    }

    /// Ends the last shard. `tokenized` is what tokenization has done in this run.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push), and where a damaged shard has not been made again.
    pub fn finish(mut self, tokenized: &TokenizeReport) -> Result<FinishedShards, ScoreError> {
        if self.shard.is_some() {
            self.end_shard(tokenized)?;
        }
        self.store.check_whole()?;
        Ok(FinishedShards { store: self.store, progress: self.progress })
    }

    fn begin_shard(&self) -> Result<OpenShard, ScoreError> {
        let start = self.store.next_place(self.counted.n_read());
        let writer = self.store.writer(start, self.meta.clone())?;
        Ok(OpenShard { writer, start, n_tokens: 0 })
    }

    fn end_shard(&mut self, tokenized: &TokenizeReport) -> Result<(), ScoreError> {
        self.score_batch()?;
        let Some(shard) = self.shard.take() else { return Ok(()) };
        let end = self.store.place_behind(tokenized.n_read());
        self.store.commit(shard.writer, shard.start..end, tokenized.since(&self.counted))?;
        self.counted.clone_from(tokenized);
        self.progress.n_shards += 1;
        Ok(())
    }

    fn score_batch(&mut self) -> Result<(), ScoreError> {
        let (batch, n_tokens) = (take(&mut self.batch), take(&mut self.batch_tokens));
        let (false, Some(shard)) = (batch.is_empty(), &mut self.shard) else { return Ok(()) };
        for pair in self.scorer.score(&batch)? {
            shard.writer.write(&pair)?;
        }
        self.progress.n_pairs += batch.len() as u64;
        self.progress.n_tokens += n_tokens as u64;
        Ok(())
    }
}

/// All scores, in shards.
#[derive(Debug)]
pub struct FinishedShards {
    store: ShardStore<ScoredPair>,
    progress: ShardProgress,
}

impl FinishedShards {
    /// What the last run has done.
    #[must_use]
    pub fn progress(&self) -> ShardProgress {
        self.progress
    }

    /// Makes the shards one file, which appears under its name only when complete, and removes them.
    ///
    /// The rows are read, compared with their checksums and written again, so row groups are those of a file that was
    /// written at once. `go_on` is asked before every pair; where it says no, there is no file, the shards stay, and
    /// nothing comes back.
    ///
    /// # Errors
    ///
    /// * [`ScoreError::Artifact`]: a shard cannot be read, or the file not be written. The shards stay.
    /// * [`ScoreError::Shards`]: the shards cannot be removed. The file is there.
    pub fn write(
        self,
        out: impl AsRef<Path>,
        meta: ScoresMeta,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Option<ScoreReport>, ScoreError> {
        let mut writer = ScoresWriter::create(out, meta)?;
        let mut report = ScoreReport::default();
        for pair in self.store.rows() {
            if !go_on() {
                return Ok(None);
            }
            let pair = pair?;
            report.add(&pair);
            writer.write(&pair)?;
        }
        writer.finish()?;
        self.store.remove()?;
        Ok(Some(report))
    }
}
