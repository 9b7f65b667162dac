//! What can be wrong with a batch, an objective or a layout.

use std::fmt;

use dfdx::tensor::CpuError;

/// One of the two responses of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The preferred response.
    Chosen,
    /// The dispreferred response.
    Rejected,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
        })
    }
}

/// One of the arrays of a [`LossBatch`](crate::LossBatch), each with one entry a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Input {
    /// `logps`: the policy's log-probabilities.
    PolicyLogps,
    /// `reference_logps`: the reference's.
    ReferenceLogps,
    /// `forward_kls`: `KL(π_ref ‖ π)` of each position.
    ForwardKls,
    /// `reverse_kls`: `KL(π ‖ π_ref)` of each position.
    ReverseKls,
    /// `token_rewards`: a reward of each token, not a weight.
    TokenRewards,
    /// `log_collisions`: `log Σ_v π(v)²` of each position.
    LogCollisions,
    /// `extrapolations`: how far a teacher's logits are moved on.
    Extrapolations,
    /// `segments`: which segment of its response a token belongs to.
    Segments,
    /// `weights`.
    Weights,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PolicyLogps => "policy log-prob",
            Self::ReferenceLogps => "reference log-prob",
            Self::ForwardKls => "forward KL",
            Self::ReverseKls => "reverse KL",
            Self::TokenRewards => "token reward",
            Self::LogCollisions => "log collision probability",
            Self::Extrapolations => "extrapolation",
            Self::Segments => "segment",
            Self::Weights => "weight",
        })
    }
}

/// Why no loss came back.
///
/// `pair` indexes `LossBatch::pairs`; `row` indexes its flat arrays; `sequence`
/// indexes the sequences of a `TokenGrid`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A setting of the objective has no meaning at this value.
    #[error("set `{setting}` of `{objective}` to {value}: not in {accepted}")]
    SettingOutOfRange {
        /// Name of the objective.
        objective: &'static str,
        /// Name of the setting.
        setting: &'static str,
        /// Key of the [`CompositionForm`](crate::CompositionForm) that it stands in; the setting's own name where that is a key, or a
        /// preset's.
        part: &'static str,
        /// The refused value.
        value: f64,
        /// The accepted interval.
        accepted: &'static str,
    },
    /// A preset has no setting of that name.
    #[error("set `{setting}` of `{objective}`, which has {}", listed(known))]
    UnknownSetting {
        /// Name of the preset.
        objective: &'static str,
        /// The setting that was given.
        setting: String,
        /// Settings that there are.
        known: Vec<&'static str>,
    },
    /// The objective reads an array that the batch has not.
    #[error("evaluate `{objective}` without one {input} a row")]
    InputMissing {
        /// Name of the objective.
        objective: &'static str,
        /// What it reads.
        input: Input,
    },
    /// An array is not as long as `logps`.
    #[error("pair {n_entries} {input}s with {n_rows} rows")]
    InputLength {
        /// The array at fault.
        input: Input,
        /// Length of `logps`.
        n_rows: usize,
        /// Length of the array.
        n_entries: usize,
    },
    /// A range of rows is inverted or ends beyond the batch.
    #[error("take rows {start}..{end} for the {side} side of pair {pair} out of {n_rows} rows")]
    PairRowsOutOfRange {
        /// The pair at fault.
        pair: usize,
        /// Its side.
        side: Side,
        /// First row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
        /// Rows in the batch.
        n_rows: usize,
    },
    /// A weight is infinite or not a number.
    #[error("weigh row {row} of the {side} side of pair {pair} by {weight}")]
    WeightNotFinite {
        /// The pair at fault.
        pair: usize,
        /// Its side.
        side: Side,
        /// Flat index of the row.
        row: usize,
        /// The refused weight.
        weight: f64,
    },
    /// A number that takes part in the loss is infinite or not a number.
    #[error("use the {input} {value} at row {row} of the {side} side of pair {pair}")]
    InputNotFinite {
        /// The array that the value stands in.
        input: Input,
        /// The pair at fault.
        pair: usize,
        /// Its side.
        side: Side,
        /// Flat index of the row.
        row: usize,
        /// The refused value.
        value: f64,
    },
    /// The objective divides by how far the teacher is moved on, and that is not above 0.
    #[error("divide by the extrapolation {value} at row {row} of the {side} side of pair {pair}")]
    ExtrapolationNotPositive {
        /// The pair at fault.
        pair: usize,
        /// Its side.
        side: Side,
        /// Flat index of the row.
        row: usize,
        /// The refused value.
        value: f64,
    },
    /// The objective divides by the sum of the weights, and it is negative: the preference would turn around.
    #[error("divide by the weight sum {sum} of the {side} side of pair {pair}")]
    WeightSumNegative {
        /// The pair at fault.
        pair: usize,
        /// Its side.
        side: Side,
        /// The refused sum.
        sum: f64,
    },
    /// Two parts of a composition do not go together.
    #[error("compose `{objective}`: {reason}")]
    Composition {
        /// Name of the objective.
        objective: &'static str,
        /// Key of the [`CompositionForm`](crate::CompositionForm) that holds one of the two.
        part: &'static str,
        /// Which parts, and why.
        reason: &'static str,
    },
    /// The nominal token count is not a finite number above zero, and the objective divides by it.
    #[error("divide by the nominal token count {nominal} of the {side} side of pair {pair}")]
    NominalOutOfRange {
        /// The pair at fault.
        pair: usize,
        /// Its side.
        side: Side,
        /// The refused count.
        nominal: f64,
    },
    /// The loss of a pair overflowed although its inputs are finite.
    #[error("keep the loss {loss} of pair {pair}")]
    LossNotFinite {
        /// The pair at fault.
        pair: usize,
        /// Its loss.
        loss: f64,
    },
    /// Offsets do not start at 0, decrease, or do not end at the number of weights.
    #[error("read offset {offset} at position {position}: expected {least}..={most}")]
    OffsetOutOfRange {
        /// Position in `offsets`.
        position: usize,
        /// The refused offset.
        offset: usize,
        /// Least offset accepted there.
        least: usize,
        /// Greatest offset accepted there.
        most: usize,
    },
    /// A sequence of a grid takes rows that are not there.
    #[error("take rows {start}..{end} for sequence {sequence} out of {n_rows} rows")]
    SequenceRowsOutOfRange {
        /// The sequence at fault.
        sequence: usize,
        /// First row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
        /// Rows that there are.
        n_rows: usize,
    },
    /// A weight of a grid is infinite or not a number.
    #[error("weigh row {row} of sequence {sequence} by {weight}")]
    SequenceWeightNotFinite {
        /// The sequence at fault.
        sequence: usize,
        /// Flat index of the row.
        row: usize,
        /// The refused weight.
        weight: f64,
    },
    /// dfdx could not run an operation.
    #[error("run the loss on the tape")]
    Tape(#[source] CpuError),
}

impl From<CpuError> for LossError {
    fn from(source: CpuError) -> Self {
        Self::Tape(source)
    }
}

fn listed(known: &[&str]) -> String {
    match known {
        [] => "none".to_owned(),
        known => known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
