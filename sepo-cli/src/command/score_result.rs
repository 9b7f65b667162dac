//! What scoring came to.

use std::path::Path;

use sepo_select::ScoreReport;
use serde::Serialize;

use crate::console::{grouped, percent, say};
use crate::pairs::RowCounts;

#[derive(Debug, Serialize)]
pub(crate) struct ScoreResult {
    /// Tokens of a sequence at most.
    pub(super) max_length: usize,
    pub(super) scores: ScoreReport,
    pub(super) rows: RowCounts,
    /// Pairs that an earlier run had scored.
    pub(super) resumed_pairs: u64,
    /// Pairs that this run scored, in a second of scoring.
    pub(super) pairs_per_s: f64,
    /// Tokens of prompts and responses that this run put through both models, in a second of scoring.
    pub(super) tokens_per_s: f64,
    pub(super) seconds: Seconds,
}

#[derive(Debug, Serialize)]
pub(super) struct Seconds {
    /// Models, tokenizer, hashes of the inputs, shards of an earlier run.
    pub(super) loading: f64,
    /// Reading, tokenizing, both models, writing shards.
    pub(super) scoring: f64,
    /// Making the shards one file.
    pub(super) writing: f64,
}

pub(crate) fn describe(result: &ScoreResult, out: &Path) -> String {
    let ScoreResult { scores, seconds, .. } = result;
    say("");
    format!(
        "{} pairs, {} response tokens scored; scores in `{}`\n{:.1} s of scoring: {:.1} pairs/s, {:.0} tokens/s; {:.1} s of loading, {:.1} s of writing\nmean score: chosen {:+.4}, rejected {:+.4}; the oracle agrees with {} of the labels",
        grouped(scores.n_pairs),
        grouped(scores.n_tokens),
        out.display(),
        seconds.scoring,
        result.pairs_per_s,
        result.tokens_per_s,
        seconds.loading,
        seconds.writing,
        scores.mean_chosen_score,
        scores.mean_rejected_score,
        percent(scores.agreement())
    )
}
