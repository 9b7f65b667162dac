//! What became of pairs and of weights.

use std::collections::BTreeMap;

use sepo_data::{SelectedPair, Side};
use sepo_select::project::Coverage;
use sepo_select::{DropReason, Selected};
use serde::Serialize;

use crate::console::{grouped, percent};

/// What became of pairs and of weights.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// Pairs written.
    pub(super) n_kept: u64,
    /// Pairs left out, by reason.
    pub(super) n_dropped: BTreeMap<String, u64>,
    pub(super) chosen: SideCounts,
    pub(super) rejected: SideCounts,
}

/// One side of the pairs written.
#[derive(Debug, Default, Serialize)]
pub(super) struct SideCounts {
    pub(super) n_tokens: u64,
    pub(super) n_selected: u64,
    pub(super) weight_sum: f64,
    pub(super) mean_weight: Option<f64>,
    pub(super) coverage: Coverage,
    pub(super) covered_share: Option<f64>,
    pub(super) lost_share: Option<f64>,
}

impl Counts {
    pub(super) fn drop_pair(&mut self, reason: &str) {
        *self.n_dropped.entry(reason.to_owned()).or_default() += 1;
    }

    /// The pair, where both sides have a weight other than 0; counted either way.
    pub(super) fn keep(&mut self, pair: SelectedPair, coverage: [Coverage; 2]) -> Option<SelectedPair> {
        let selected = Selected {
            chosen_weights: pair.chosen_weights.clone(),
            rejected_weights: pair.rejected_weights.clone(),
        };
        if let Some(reason) = selected.drop_reason() {
            self.drop_pair(DropReason::name(reason));
            return None;
        }
        Some(self.keep_any(pair, coverage))
    }

    /// The pair, counted, whatever its weights.
    pub(super) fn keep_any(&mut self, pair: SelectedPair, coverage: [Coverage; 2]) -> SelectedPair {
        self.n_kept += 1;
        for (side, coverage) in [Side::Chosen, Side::Rejected].into_iter().zip(coverage) {
            let (counts, weights) = match side {
                Side::Chosen => (&mut self.chosen, &pair.chosen_weights),
                Side::Rejected => (&mut self.rejected, &pair.rejected_weights),
            };
            counts.n_tokens += weights.len() as u64;
            counts.n_selected += weights.iter().filter(|w| **w != 0.0).count() as u64;
            counts.weight_sum += weights.iter().map(|w| f64::from(*w)).sum::<f64>();
            counts.coverage += coverage;
        }
        pair
    }

    pub(super) fn finish(&mut self) {
        for side in [&mut self.chosen, &mut self.rejected] {
            side.mean_weight = (side.n_tokens > 0).then(|| side.weight_sum / side.n_tokens as f64);
            side.covered_share = side.coverage.covered_share();
            side.lost_share = side.coverage.lost_share();
        }
    }

    pub(super) fn describe(&self, out: &std::path::Path) -> String {
        let mut text = format!("{} pairs written to `{}`", grouped(self.n_kept), out.display());
        for (reason, n) in &self.n_dropped {
            text += &format!("\n  left out, {reason}: {}", grouped(*n));
        }
        for (name, side) in [("chosen", &self.chosen), ("rejected", &self.rejected)] {
            text += &format!(
                "\n{name}: {} of {} tokens with a weight, mean {:.4}; {} of tokens covered, {} the same as before, {} of the weights lost",
                grouped(side.n_selected),
                grouped(side.n_tokens),
                side.mean_weight.unwrap_or(0.0),
                percent(side.covered_share),
                percent(side.coverage.same_share()),
                percent(side.lost_share),
            );
        }
        text
    }
}

/// Weights as they are stored; what overflows is found by the writer.
#[expect(clippy::cast_possible_truncation, reason = "rounded once, to be stored")]
pub(super) fn narrow(weights: &[f64]) -> Vec<f32> {
    weights.iter().map(|weight| *weight as f32).collect()
}
