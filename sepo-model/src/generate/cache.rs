//! Keys and values of what a sequence has seen so far.

/// One sequence in one layer: `[n, n_kv_heads · head_dim]` each.
#[derive(Debug, Clone, Default)]
pub(super) struct Cache {
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

impl Cache {
    pub(super) fn extend(&mut self, keys: &[f32], values: &[f32]) {
        self.keys.extend_from_slice(keys);
        self.values.extend_from_slice(values);
    }
}
