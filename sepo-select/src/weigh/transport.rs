//! OTPO's weights.

use serde::{Deserialize, Serialize};

use super::WeighError;
use super::error::{check, check_finite, check_len};

/// Hidden states: one row a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct States<'a> {
    values: &'a [f64],
    width: usize,
}

impl<'a> States<'a> {
    /// Rows of `width` numbers.
    ///
    /// # Errors
    ///
    /// * [`WeighError::Setting`]: the width is 0.
    /// * [`WeighError::Length`]: the last row is not full.
    pub fn new(values: &'a [f64], width: usize) -> Result<Self, WeighError> {
        check("width", width as f64, width > 0, "it must be above 0")?;
        let n_full = values.len() / width * width;
        check_len(("numbers", values.len()), ("in full rows", n_full))?;
        Ok(Self { values, width })
    }

    /// How many rows.
    #[must_use]
    pub fn n_tokens(self) -> usize {
        self.values.len() / self.width
    }

    pub(super) fn values(self) -> &'a [f64] {
        self.values
    }

    pub(super) fn rows(self) -> std::slice::ChunksExact<'a, f64> {
        self.values.chunks_exact(self.width)
    }
}

/// Settings of [`transport_weights`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transport {
    /// Weight of the entropy; at least 0.002. The costs are at most 1.
    pub reg: f64,
    /// Price of mass that is made or lost at a token; above 0.
    pub reg_m: f64,
    /// Iterations at most; above 0.
    pub max_iterations: usize,
    /// Relative change of the scaling vectors at which to stop.
    pub tolerance: f64,
}

impl Default for Transport {
    /// The released code's `reg` 1 and `reg_m` 0.2 with the 1000 iterations and the tolerance 1e-6 of the library under it.
    fn default() -> Self {
        Self { reg: 1.0, reg_m: 0.2, max_iterations: 1000, tolerance: 1e-6 }
    }
}

impl Transport {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: one is out of its range.
    pub fn check(&self) -> Result<(), WeighError> {
        // exp(-1 / 0.002) is still a number with full precision.
        check("reg", self.reg, self.reg >= 0.002, "it must be at least 0.002")?;
        check("reg_m", self.reg_m, self.reg_m > 0.0, "it must be above 0")?;
        let n = self.max_iterations;
        check("max_iterations", n as f64, n > 0, "it must be above 0")?;
        check("tolerance", self.tolerance, self.tolerance >= 0.0, "it must not be below 0")
    }
}

/// What [`transport_weights`] gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransportWeights {
    /// One weight a chosen token.
    pub chosen: Vec<f64>,
    /// One weight a rejected token.
    pub rejected: Vec<f64>,
    /// Iterations made.
    pub n_iterations: usize,
}

/// How much of each token an optimal transport moves between two responses: OTPO (2505.18720), from the policy's last
/// hidden states.
///
/// The cost of a pair of tokens is the Euclidean distance of their states plus 1e-6, divided by the greatest where that
/// is above 1. Every token has mass 1. The plan `G` minimises
/// `Σ G·C + reg · Σ G (ln G − 1) + reg_m · ( KL(G1 ‖ 1) + KL(Gᵀ1 ‖ 1) )`, found by Sinkhorn's scaling in f64. Weights are
/// the sums of its rows and columns, scaled so that both sides sum to the number of tokens of the shorter response.
///
/// Two empty responses, or one, have the weight 0 everywhere.
///
/// # Shapes
///
/// `chosen` is `[n_chosen, width]`, `rejected` `[n_rejected, width]`. Memory: `n_chosen · n_rejected` numbers.
///
/// # Errors
///
/// * [`WeighError::Length`]: the widths differ.
/// * [`WeighError::NotFinite`]: a state is infinite or not a number.
/// * [`WeighError::Setting`]: a setting is out of its range.
/// * [`WeighError::Diverged`]: the scaling left the range of numbers.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{States, Transport, transport_weights};
/// // The second chosen token has no counterpart: less of it is moved.
/// let weights =
///     transport_weights(States::new(&[0.0, 9.0], 1)?, States::new(&[0.0], 1)?, &Transport::default())?;
/// assert!(weights.chosen[0] > weights.chosen[1]);
/// assert!((weights.chosen.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// assert!((weights.rejected[0] - 1.0).abs() < 1e-12);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
pub fn transport_weights(
    chosen: States<'_>,
    rejected: States<'_>,
    config: &Transport,
) -> Result<TransportWeights, WeighError> {
    config.check()?;
    check_len(("numbers a rejected token", rejected.width), ("a chosen one", chosen.width))?;
    check_finite("chosen state", chosen.values)?;
    check_finite("rejected state", rejected.values)?;
    let (n, m) = (chosen.n_tokens(), rejected.n_tokens());
    if n == 0 || m == 0 {
        return Ok(TransportWeights { chosen: vec![0.0; n], rejected: vec![0.0; m], n_iterations: 0 });
    }
    let kernel = kernel(chosen, rejected, config.reg);
    let scaling = sinkhorn(&kernel, (n, m), config)?;
    let (u, v) = (&scaling.rows, &scaling.columns);
    let mut rows = vec![0.0; n];
    let mut columns = vec![0.0; m];
    for (i, row) in kernel.chunks_exact(m).enumerate() {
        for (j, k) in row.iter().enumerate() {
            let moved = u[i] * k * v[j];
            rows[i] += moved;
            columns[j] += moved;
        }
    }
    let scale = rows.iter().sum::<f64>() / n.min(m) as f64;
    if !(scale.is_finite() && scale > 0.0) {
        return Err(WeighError::Diverged { n_iterations: scaling.n_iterations });
    }
    rows.iter_mut().chain(&mut columns).for_each(|weight| *weight /= scale);
    Ok(TransportWeights { chosen: rows, rejected: columns, n_iterations: scaling.n_iterations })
}

/// `exp(−C / reg)`, row by row.
fn kernel(chosen: States<'_>, rejected: States<'_>, reg: f64) -> Vec<f64> {
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let mut costs: Vec<f64> =
        chosen.rows().flat_map(|a| rejected.rows().map(move |b| distance(a, b) + 1e-6)).collect();
    let greatest = costs.iter().copied().fold(1.0, f64::max);
    // Infinite where squares overflow: such tokens are as far apart as any.
    costs.iter_mut().for_each(|cost| {
        let relative = if cost.is_finite() { *cost / greatest } else { 1.0 };
        *cost = (-relative / reg).exp();
    });
    costs
}

struct Scaling {
    rows: Vec<f64>,
    columns: Vec<f64>,
    n_iterations: usize,
}

/// `u = (1 / Kv)^f`, `v = (1 / Kᵀu)^f` with `f = reg_m / (reg_m + reg)`, until both change little.
fn sinkhorn(kernel: &[f64], (n, m): (usize, usize), config: &Transport) -> Result<Scaling, WeighError> {
    let power = config.reg_m / (config.reg_m + config.reg);
    let (mut u, mut v) = (vec![1.0; n], vec![1.0; m]);
    let mut n_iterations = 0;
    while n_iterations < config.max_iterations {
        n_iterations += 1;
        let dot = |row: &[f64]| row.iter().zip(&v).map(|(k, v)| k * v).sum::<f64>();
        let next_u: Vec<f64> = kernel.chunks_exact(m).map(|row| dot(row).recip().powf(power)).collect();
        let mut sums = vec![0.0; m];
        for (row, u) in kernel.chunks_exact(m).zip(&next_u) {
            sums.iter_mut().zip(row).for_each(|(sum, k)| *sum += k * u);
        }
        let next_v: Vec<f64> = sums.iter().map(|sum| sum.recip().powf(power)).collect();
        if next_u.iter().chain(&next_v).any(|x| !x.is_finite()) {
            return Err(WeighError::Diverged { n_iterations });
        }
        let change = f64::midpoint(change(&u, &next_u), change(&v, &next_v));
        (u, v) = (next_u, next_v);
        if change < config.tolerance {
            break;
        }
    }
    Ok(Scaling { rows: u, columns: v, n_iterations })
}

/// The greatest difference, beside the greatest entry or 1.
fn change(before: &[f64], after: &[f64]) -> f64 {
    let greatest = before.iter().chain(after).copied().fold(1.0, f64::max);
    before.iter().zip(after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / greatest
}
