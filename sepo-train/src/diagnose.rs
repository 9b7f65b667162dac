//! Which rows make a step diverge, and the batch as a file to look at.

use std::borrow::BorrowMut;
use std::fmt;
use std::path::{Path, PathBuf};

use sepo_data::AtomicFile;
use serde::{Deserialize, Serialize};

use crate::backend::TrainBackend;
use crate::gradient::{GradientContext, accumulate};
use crate::optimizer::zero;
use crate::{TrainError, TrainExample};

/// A number that has to be finite for a run to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Quantity {
    /// A log-prob or the loss.
    Loss,
    /// The norm of the gradient.
    Gradient,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loss => "loss",
            Self::Gradient => "gradient",
        })
    }
}

/// Rows whose own gradient is not finite; all rows where only the sum of them is not. `scratch` is overwritten.
pub(crate) fn rows_at_fault<B: TrainBackend>(
    on: &B,
    context: &mut GradientContext<'_, '_, B>,
    examples: &[&TrainExample],
    scratch: &mut B::Singles,
) -> Result<Vec<u64>, TrainError> {
    let mut rows = Vec::new();
    for example in examples {
        zero(on, scratch)?;
        let scratch = scratch.borrow_mut();
        let alone = accumulate(context, &[*example], scratch)?;
        if !alone.not_finite.is_empty() || !on.gradient_norm(scratch)?.is_finite() {
            rows.push(example.row);
        }
    }
    if rows.is_empty() {
        rows = examples.iter().map(|example| example.row).collect();
    }
    Ok(rows)
}

/// What is saved of a step that could not be made.
#[derive(Serialize)]
pub(crate) struct FailedBatch<'a> {
    pub(crate) step: u64,
    pub(crate) quantity: Quantity,
    pub(crate) learning_rate: f64,
    /// Rows at fault.
    pub(crate) rows: &'a [u64],
    /// The whole batch: ids, weights and reference log-probs.
    pub(crate) examples: &'a [&'a TrainExample],
}

impl FailedBatch<'_> {
    /// Writes `RUN/failed-step-00000012.json` and returns its path.
    pub(crate) fn save(&self, run_dir: &Path) -> Result<PathBuf, TrainError> {
        let path = run_dir.join(format!("failed-step-{:08}.json", self.step));
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| TrainError::Json { path: path.clone(), source })?;
        AtomicFile::replace(&path, text).map_err(TrainError::io(&path))?;
        Ok(path)
    }
}
