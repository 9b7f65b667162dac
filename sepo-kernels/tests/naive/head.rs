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

/// `(dhidden, dlm_head)`
pub(crate) fn backward(
    hidden: &[f64],
    lm_head: &[f64],
    rows: &Rows,
    dlogps: &[f64],
    shape: HeadShape,
) -> (Vec<f64>, Vec<f64>) {
    let HeadShape { d_model, vocab, .. } = shape;
    let all = log_softmax(hidden, lm_head, shape);
    let (mut dhidden, mut dlm_head) = (vec![0.0; hidden.len()], vec![0.0; lm_head.len()]);
    for ((&h, &target), dlogp) in rows.hidden_rows().iter().zip(rows.targets()).zip(dlogps) {
        let h = h as usize;
        for v in 0..vocab {
            let dlogit = dlogp * (f64::from(u8::from(v == target as usize)) - all[h * vocab + v].exp());
            for i in 0..d_model {
                dhidden[h * d_model + i] += dlogit * lm_head[v * d_model + i];
                dlm_head[v * d_model + i] += dlogit * hidden[h * d_model + i];
            }
        }
    }
    (dhidden, dlm_head)
}
