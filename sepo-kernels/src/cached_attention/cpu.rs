//! Two passes over the keys: scores with their maximum, then the weighted sum of the values.

use super::KeyValues;
use crate::AttentionShape;

pub(super) fn cached_attention(q: &[f32], seen: KeyValues<'_>, shape: AttentionShape, out: &mut [f32]) {
    let AttentionShape { n_heads, n_kv_heads, head_dim, window } = shape;
    let width = n_kv_heads * head_dim;
    let n_keys = seen.keys.len() / width;
    let first = window.map_or(0, |window| n_keys.saturating_sub(window));
    #[expect(clippy::cast_precision_loss, reason = "head_dim is small")]
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut scores = vec![0.0f32; n_keys - first];
    for (head, (q, out)) in q.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)).enumerate() {
        let at = head / (n_heads / n_kv_heads) * head_dim;
        let part = |rows: &'_ [f32], key: usize| -> std::ops::Range<usize> {
            debug_assert!(rows.len() >= (key + 1) * width, "key within the cache");
            key * width + at..key * width + at + head_dim
        };
        for (score, key) in scores.iter_mut().zip(first..) {
            let k = &seen.keys[part(seen.keys, key)];
            *score = scale * q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>();
        }
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0.0;
        for score in &mut scores {
            *score = (*score - max).exp();
            total += *score;
        }
        out.fill(0.0);
        for (weight, key) in scores.iter().zip(first..) {
            let v = &seen.values[part(seen.values, key)];
            out.iter_mut().zip(v).for_each(|(out, v)| *out += weight / total * v);
        }
    }
}
