//! Values of tokens carried over to other tokens.

use sepo_data::Span;
use serde::{Deserialize, Serialize};

use super::overlap::{Shared, shared};
use super::{Coverage, ProjectError};

/// How the value of a token reaches the tokens of another tokenizer that share bytes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Projection {
    /// Undivided, to the token that shares most bytes with it, of equals the first in the text; what reaches a token is summed. The
    /// total is kept. For counts, and for scores where a difference of log-probabilities must stay in one piece; where the other tokens
    /// are finer, all pieces of a word but one then have 0, so that a selection is found less well there.
    Sum,
    /// As the mean of all that share a byte with a token, each by the bytes it shares. A mask becomes the share of a
    /// token's covered bytes that is selected. The total is not kept; uniform weights stay uniform.
    Mean,
    /// As the value of largest magnitude of all that share a byte with a token, the first of equals. A mask stays a mask,
    /// and grows.
    Max,
    /// Divided among the tokens that share bytes with it, in proportion to the bytes; what reaches a token is summed. The
    /// total is kept. For scores: a word's score is spread over its pieces.
    Proportional,
}

impl Projection {
    /// The name, as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Proportional => "proportional",
        }
    }
}

/// What [`project`] gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projected {
    /// One value a target token.
    pub values: Vec<f64>,
    /// What arrived.
    pub coverage: Coverage,
}

/// A value for every target token, from the values of source tokens of the same text.
///
/// Equal to this slow code, with `shared(s, t)` the number of bytes that both stand for:
///
/// | how | value of `t` |
/// |---|---|
/// | `Sum` | `Σ_s v_s · [t shares most bytes with s]` |
/// | `Mean` | `Σ_s v_s · shared(s, t) / Σ_s shared(s, t)` |
/// | `Max` | the `v_s` of largest magnitude with `shared(s, t) > 0` |
/// | `Proportional` | `Σ_s v_s · shared(s, t) / Σ_t' shared(s, t')` |
///
/// Tokens without text, such as a closing end-of-sequence token, are matched with each other in order where they stand at
/// the same place, as if they shared one byte. Where both lists of spans are equal, all four give back the values as they
/// are, to the bit.
///
/// # Which token an index names
///
/// `values[i]` belongs to the token that stands for `source[i]`; so do the values that come back to `target`.
///
/// # Errors
///
/// * [`ProjectError::Length`]: there are more or fewer values than source tokens.
/// * [`ProjectError::NotFinite`]: a value is infinite or not a number.
/// * [`ProjectError::Backwards`]: a span ends before it begins.
///
/// # Examples
///
/// ```
/// use sepo_select::{Span, project::{Projection, project}};
/// let span = |start, end| Span { start, end };
/// // `great` `!` by the oracle, `gr` `eat!` by the policy.
/// let (oracle, policy) = ([span(0, 5), span(5, 6)], [span(0, 2), span(2, 6)]);
/// let by = |how| project(&oracle, &[1.0, 0.5], &policy, how).map(|projected| projected.values);
/// assert_eq!(by(Projection::Sum)?, [0.0, 1.5]);
/// assert_eq!(by(Projection::Mean)?, [1.0, 0.875]);
/// assert_eq!(by(Projection::Max)?, [1.0, 1.0]);
/// assert_eq!(by(Projection::Proportional)?, [0.4, 0.6 + 0.5]);
/// # Ok::<(), sepo_select::project::ProjectError>(())
/// ```
pub fn project(
    source: &[Span],
    values: &[f64],
    target: &[Span],
    how: Projection,
) -> Result<Projected, ProjectError> {
    check(source, target, values)?;
    let mass = |values: &[f64]| values.iter().map(|v| v.abs()).sum::<f64>();
    let mut coverage = Coverage {
        n_source: source.len() as u64,
        n_target: target.len() as u64,
        source_mass: mass(values),
        ..Coverage::default()
    };
    if source == target {
        coverage.n_same = coverage.n_target;
        coverage.target_mass = coverage.source_mass;
        return Ok(Projected { values: values.to_vec(), coverage });
    }
    let shared = shared(source, target);
    let mut is_covered = vec![false; target.len()];
    let mut is_same = vec![false; target.len()];
    let mut is_lost = vec![true; source.len()];
    for Shared { source: s, target: t, .. } in &shared {
        is_covered[*t] = true;
        is_same[*t] |= source[*s] == target[*t];
        is_lost[*s] = false;
    }
    let count = |flags: &[bool], wanted| flags.iter().filter(|flag| **flag == wanted).count() as u64;
    coverage.n_same = count(&is_same, true);
    coverage.n_uncovered = count(&is_covered, false);
    coverage.n_lost = count(&is_lost, true);
    coverage.lost_mass = values.iter().zip(&is_lost).filter(|(_, lost)| **lost).map(|(v, _)| v.abs()).sum();
    let values = match how {
        Projection::Sum => sum(&shared, values, target.len()),
        Projection::Mean => mean(&shared, values, target.len()),
        Projection::Max => max(&shared, values, target.len()),
        Projection::Proportional => proportional(&shared, values, target.len()),
    };
    coverage.target_mass = mass(&values);
    Ok(Projected { values, coverage })
}

fn check(source: &[Span], target: &[Span], values: &[f64]) -> Result<(), ProjectError> {
    let (n_values, n_tokens) = (values.len(), source.len());
    if n_values != n_tokens {
        return Err(ProjectError::Length { n_values, n_tokens });
    }
    if let Some(token) = values.iter().position(|value| !value.is_finite()) {
        return Err(ProjectError::NotFinite { token, value: values[token] });
    }
    for spans in [source, target] {
        if let Some(token) = spans.iter().position(|span| span.end < span.start) {
            let Span { start, end } = spans[token];
            return Err(ProjectError::Backwards { token, start, end });
        }
    }
    Ok(())
}

fn sum(shared: &[Shared], values: &[f64], n_target: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n_target];
    for of_source in shared.chunk_by(|a, b| a.source == b.source) {
        let mut most = of_source[0];
        for next in of_source {
            if next.n_bytes > most.n_bytes {
                most = *next;
            }
        }
        sums[most.target] += values[most.source];
    }
    sums
}

fn proportional(shared: &[Shared], values: &[f64], n_target: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n_target];
    for of_source in shared.chunk_by(|a, b| a.source == b.source) {
        let all: f64 = of_source.iter().map(|s| f64::from(s.n_bytes)).sum();
        for Shared { source, target, n_bytes } in of_source {
            sums[*target] += values[*source] * (f64::from(*n_bytes) / all);
        }
    }
    sums
}

fn mean(shared: &[Shared], values: &[f64], n_target: usize) -> Vec<f64> {
    let mut all = vec![0.0; n_target];
    shared.iter().for_each(|s| all[s.target] += f64::from(s.n_bytes));
    let mut means = vec![0.0; n_target];
    for Shared { source, target, n_bytes } in shared {
        means[*target] += values[*source] * (f64::from(*n_bytes) / all[*target]);
    }
    means
}

fn max(shared: &[Shared], values: &[f64], n_target: usize) -> Vec<f64> {
    let mut largest = vec![0.0_f64; n_target];
    for Shared { source, target, .. } in shared {
        if values[*source].abs() > largest[*target].abs() {
            largest[*target] = values[*source];
        }
    }
    largest
}
