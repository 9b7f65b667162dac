//! The language-model head with all logits, in `f64`

use sepo_kernels::{HeadShape, Rows};

/// Log-softmax of every hidden row, `[n_hidden, vocab]`
fn log_softmax(hidden: &[f64], lm_head: &[f64], shape: HeadShape) -> Vec<f64> {
    let HeadShape { n_hidden, d_model, vocab } = shape;
    let mut all = Vec::with_capacity(n_hidden * vocab);
    for h in 0..n_hidden {
        let hidden = &hidden[h * d_model..(h + 1) * d_model];
        let logits: Vec<f64> = (0..vocab).map(|v| super::dot(hidden, &lm_head[v * d_model..])).collect();
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lse = max + logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
        all.extend(logits.iter().map(|logit| logit - lse));
    }
    all
}

/// Log-probability of every row's target
pub(crate) fn forward(hidden: &[f64], lm_head: &[f64], rows: &Rows, shape: HeadShape) -> Vec<f64> {
    let all = log_softmax(hidden, lm_head, shape);
    let indices = rows.hidden_rows().iter().zip(rows.targets());
    indices.map(|(&h, &target)| all[h as usize * shape.vocab + target as usize]).collect()
}

/// Gradients, and for each of their values the sum of the absolute terms: what rounding errors are relative to
pub(crate) struct Gradients {
    pub(crate) dhidden: Vec<f64>,
    pub(crate) dlm_head: Vec<f64>,
    pub(crate) dhidden_terms: Vec<f64>,
    pub(crate) dlm_head_terms: Vec<f64>,
}

/// The gradients of `Σ dlogps[i] logps[i]`
pub(crate) fn backward(
    hidden: &[f64],
    lm_head: &[f64],
    rows: &Rows,
    dlogps: &[f64],
    shape: HeadShape,
) -> Gradients {
    let HeadShape { d_model, vocab, .. } = shape;
    let all = log_softmax(hidden, lm_head, shape);
    let zeros = |like: &[f64]| vec![0.0; like.len()];
    let mut gradients = Gradients {
        dhidden: zeros(hidden),
        dlm_head: zeros(lm_head),
        dhidden_terms: zeros(hidden),
        dlm_head_terms: zeros(lm_head),
    };
    for ((&h, &target), dlogp) in rows.hidden_rows().iter().zip(rows.targets()).zip(dlogps) {
        let h = h as usize;
        for v in 0..vocab {
            let (hit, p) = (f64::from(u8::from(v == target as usize)), all[h * vocab + v].exp());
            let (dlogit, terms) = (dlogp * (hit - p), dlogp.abs() * (hit + p));
            for (at_hidden, at_head) in (h * d_model..).zip(v * d_model..).take(d_model) {
                gradients.dhidden[at_hidden] += dlogit * lm_head[at_head];
                gradients.dhidden_terms[at_hidden] += terms * lm_head[at_head].abs();
                gradients.dlm_head[at_head] += dlogit * hidden[at_hidden];
                gradients.dlm_head_terms[at_head] += terms * hidden[at_hidden].abs();
            }
        }
    }
    gradients
}
