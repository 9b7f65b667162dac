//! The objectives by hand: plain loops, hand-derived slopes, f64. The crate is held against this, in tests and benches.

use std::ops::Range;

use sepo_loss::{IpoReduction, LossBatch, Normalizer, Objective};

/// The loss of every pair and the gradient of their sum with respect to every row.
pub(crate) fn evaluate(objective: &Objective, batch: &LossBatch<'_>) -> (Vec<f64>, Vec<f64>) {
    let mut dlogps = vec![0.0; batch.logps.len()];
    let losses = batch
        .pairs
        .iter()
        .map(|pair| {
            let chosen = side(objective, batch, &pair.chosen, pair.chosen_nominal);
            let rejected = side(objective, batch, &pair.rejected, pair.rejected_nominal);
            if matches!(objective, Objective::Sft) {
                add(&mut dlogps, batch, &pair.chosen, -1.0);
                return -chosen.sum;
            }
            if chosen.weight == 0.0 || rejected.weight == 0.0 {
                return 0.0;
            }
            let (z_slope, z) =
                margin(objective, chosen.sum / chosen.divisor - rejected.sum / rejected.divisor);
            let (loss, slope) = link(objective, z);
            add(&mut dlogps, batch, &pair.chosen, slope * z_slope / chosen.divisor);
            add(&mut dlogps, batch, &pair.rejected, -slope * z_slope / rejected.divisor);
            loss
        })
        .collect();
    (losses, dlogps)
}

struct Side {
    sum: f64,
    weight: f64,
    divisor: f64,
}

fn side(objective: &Objective, batch: &LossBatch<'_>, rows: &Range<usize>, nominal: f64) -> Side {
    let has_reference =
        matches!(objective, Objective::Dpo { .. } | Objective::Ipo { .. } | Objective::Hinge { .. });
    let (mut sum, mut weight) = (0.0, 0.0);
    for row in rows.clone() {
        if batch.weights[row] != 0.0 {
            let reference = batch.reference_logps.filter(|_| has_reference).map_or(0.0, |logps| logps[row]);
            sum += batch.weights[row] * (batch.logps[row] - reference);
            weight += batch.weights[row];
        }
    }
    let divisor = match objective {
        Objective::Ipo { reduction: IpoReduction::Mean, .. }
        | Objective::SimPo { .. }
        | Objective::SePo { normalizer: Normalizer::Count, .. } => weight,
        Objective::SePo { normalizer: Normalizer::Nominal, .. } => nominal,
        _ => 1.0,
    };
    Side { sum, weight, divisor }
}

/// `dz/dU` and `z`.
fn margin(objective: &Objective, difference: f64) -> (f64, f64) {
    match *objective {
        Objective::Dpo { beta, .. } | Objective::Hinge { beta } => (beta, beta * difference),
        Objective::SimPo { beta, gamma, .. } => (beta, beta * difference - gamma),
        Objective::SePo { gamma, lambda, .. } => (gamma, gamma * difference - lambda),
        _ => (1.0, difference),
    }
}

/// Loss and its slope at `z`.
fn link(objective: &Objective, z: f64) -> (f64, f64) {
    match *objective {
        Objective::Hinge { .. } => ((1.0 - z).max(0.0), if z < 1.0 { -1.0 } else { 0.0 }),
        Objective::Ipo { beta, .. } => {
            let off = z - 1.0 / (2.0 * beta);
            (off * off, 2.0 * off)
        }
        Objective::Dpo { label_smoothing, .. } | Objective::SimPo { label_smoothing, .. } => {
            (softplus(-z) + label_smoothing * z, label_smoothing - sigmoid(-z))
        }
        _ => (softplus(-z), -sigmoid(-z)),
    }
}

/// `log(1 + exp(x))`.
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `1 / (1 + exp(−x))`.
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

fn add(dlogps: &mut [f64], batch: &LossBatch<'_>, rows: &Range<usize>, scale: f64) {
    for row in rows.clone() {
        dlogps[row] += batch.weights[row] * scale;
    }
}
