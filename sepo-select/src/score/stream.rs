//! A whole data set through a scorer, in bounded memory.

use sepo_data::{RowPolicy, ScoredPair, ScoresWriter, TokenizedPair};
use serde::{Deserialize, Serialize};

use super::scorer::pack_item;
use super::{PairScorer, ScoreError};

/// How much to hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreConfig {
    /// Tokens of a batch; a pair that is longer makes a batch of its own.
    pub tokens_per_batch: usize,
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self { tokens_per_batch: 8192 }
    }
}

/// What a scoring run saw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScoreReport {
    /// Pairs scored.
    pub n_pairs: u64,
    /// Response tokens scored, both sides.
    pub n_tokens: u64,
    /// Pairs whose chosen response has the higher summed score: how often the oracle, as a reward, agrees with the label.
    pub n_agree: u64,
    /// Mean score of chosen tokens.
    pub mean_chosen_score: f64,
    /// Mean score of rejected tokens.
    pub mean_rejected_score: f64,
    #[serde(skip)]
    sums: [f64; 2],
    #[serde(skip)]
    counts: [u64; 2],
}

impl ScoreReport {
    /// Share of pairs on which the oracle agrees with the label, or `None` without pairs.
    #[must_use]
    pub fn agreement(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts of pairs")]
        let share = self.n_agree as f64 / self.n_pairs as f64;
        (self.n_pairs > 0).then_some(share)
    }

    pub(super) fn add(&mut self, pair: &ScoredPair) {
        let sum = |scores: &[f32]| scores.iter().map(|score| f64::from(*score)).sum::<f64>();
        let sums = [sum(&pair.chosen.scores), sum(&pair.rejected.scores)];
        self.n_pairs += 1;
        self.n_agree += u64::from(sums[0] > sums[1]);
        for (i, response) in [&pair.chosen, &pair.rejected].into_iter().enumerate() {
            self.sums[i] += sums[i];
            self.counts[i] += response.scores.len() as u64;
        }
        self.n_tokens = self.counts[0] + self.counts[1];
        #[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
        let mean = |i: usize| self.sums[i] / (self.counts[i].max(1)) as f64;
        (self.mean_chosen_score, self.mean_rejected_score) = (mean(0), mean(1));
    }
}

/// Scores every pair of a stream and writes them in its order; at most a batch of pairs is held at once.
///
/// `progress` is called after every batch. The caller finishes the writer.
///
/// # Errors
///
/// [`ScoreError`] of the first pair that cannot be scored or written, or `E` of the stream itself.
pub fn score_pairs<E: From<ScoreError>>(
    scorer: &mut dyn PairScorer,
    pairs: impl IntoIterator<Item = Result<TokenizedPair, E>>,
    config: ScoreConfig,
    writer: &mut ScoresWriter,
    mut progress: impl FnMut(&ScoreReport),
) -> Result<ScoreReport, E> {
    let mut report = ScoreReport::default();
    let mut batch: Vec<TokenizedPair> = Vec::new();
    let mut n_tokens = 0;
    let mut flush = |batch: &mut Vec<TokenizedPair>| -> Result<(), ScoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        for pair in scorer.score(batch)? {
            report.add(&pair);
            writer.write(&pair)?;
        }
        batch.clear();
        progress(&report);
        Ok(())
    };
    for pair in pairs {
        let pair = pair?;
        let n = pack_item(&pair).packed_tokens(RowPolicy::AllResponse);
        if n_tokens + n > config.tokens_per_batch {
            flush(&mut batch)?;
            n_tokens = 0;
        }
        n_tokens += n;
        batch.push(pair);
    }
    flush(&mut batch)?;
    Ok(report)
}
