//! Attention with a full matrix of weights, in `f64`

use sepo_kernels::{AttentionShape, Segments};

/// Flat indices of the tokens that token `t` sees, by the definition: walk up the parents
fn seen(segments: &Segments, t: usize, window: Option<usize>) -> Vec<usize> {
    let positions = segments.positions();
    let own = (0..segments.n_segments()).find(|&i| segments.range(i).contains(&t)).expect("a segment");
    let mut tokens: Vec<usize> = (segments.range(own).start..=t).collect();
    let mut parent = segments.parent(own);
    while let Some(segment) = parent {
        tokens.extend(segments.range(segment));
        parent = segments.parent(segment);
    }
    let distance = |&key: &usize| (positions[t] - positions[key]) as usize;
    tokens.retain(|key| window.is_none_or(|window| distance(key) < window));
    tokens
}

/// Calls `f(token, head, key head, seen tokens, their weights, log-sum-exp)`
fn for_each_query(
    q: &[f64],
    k: &[f64],
    segments: &Segments,
    shape: AttentionShape,
    mut f: impl FnMut(usize, usize, usize, &[usize], &[f64], f64),
) {
    let AttentionShape { n_heads, n_kv_heads, head_dim, window } = shape;
    for t in 0..segments.n_tokens() {
        let tokens = seen(segments, t, window);
        for head in 0..n_heads {
            let kv_head = head / (n_heads / n_kv_heads);
            let q = &q[(t * n_heads + head) * head_dim..][..head_dim];
            let scores: Vec<f64> = tokens
                .iter()
                .map(|&key| {
                    super::dot(q, &k[(key * n_kv_heads + kv_head) * head_dim..]) / (head_dim as f64).sqrt()
                })
                .collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let lse = max + scores.iter().map(|score| (score - max).exp()).sum::<f64>().ln();
            let weights: Vec<f64> = scores.iter().map(|score| (score - lse).exp()).collect();
            f(t, head, kv_head, &tokens, &weights, lse);
        }
    }
}

/// `(out, lse)`
pub(crate) fn forward(
    q: &[f64],
    k: &[f64],
    v: &[f64],
    segments: &Segments,
    shape: AttentionShape,
) -> (Vec<f64>, Vec<f64>) {
    let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = shape;
    let mut out = vec![0.0; q.len()];
    let mut lses = vec![0.0; segments.n_tokens() * n_heads];
    for_each_query(q, k, segments, shape, |t, head, kv_head, tokens, weights, lse| {
        lses[t * n_heads + head] = lse;
        for (&key, weight) in tokens.iter().zip(weights) {
            for i in 0..head_dim {
                out[(t * n_heads + head) * head_dim + i] +=
                    weight * v[(key * n_kv_heads + kv_head) * head_dim + i];
            }
        }
    });
    (out, lses)
}

/// `(dq, dk, dv)`
pub(crate) fn backward(
    [q, k, v]: [&[f64]; 3],
    dout: &[f64],
    segments: &Segments,
    shape: AttentionShape,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = shape;
    let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
    let scale = 1.0 / (head_dim as f64).sqrt();
    for_each_query(q, k, segments, shape, |t, head, kv_head, tokens, weights, _| {
        let at_q = (t * n_heads + head) * head_dim;
        let at_kv = |key: usize| (key * n_kv_heads + kv_head) * head_dim;
        let dout = &dout[at_q..at_q + head_dim];
        let dweights: Vec<f64> = tokens.iter().map(|&key| super::dot(dout, &v[at_kv(key)..])).collect();
        let mean = super::dot(&dweights, weights);
        for ((&key, weight), dweight) in tokens.iter().zip(weights).zip(dweights) {
            let dscore = weight * (dweight - mean) * scale;
            for i in 0..head_dim {
                dv[at_kv(key) + i] += weight * dout[i];
                dq[at_q + i] += dscore * k[at_kv(key) + i];
                dk[at_kv(key) + i] += dscore * q[at_q + i];
            }
        }
    });
    (dq, dk, dv)
}
