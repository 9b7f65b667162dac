//! A mean that is reduced once.

/// A weighted sum and the sum of its weights, so that parts of different size may be added in any grouping.
///
/// The mean of the means of micro-batches is not the mean of the batch; this is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    /// Adds one value of weight 1.
    pub(crate) fn push(&mut self, value: f64) {
        self.push_sum(value, 1.0);
    }

    /// Adds a sum over `weight` units.
    pub(crate) fn push_sum(&mut self, sum: f64, weight: f64) {
        self.sum += sum;
        self.weight += weight;
    }

    /// The mean, or `None` of nothing.
    pub(crate) fn get(self) -> Option<f64> {
        (self.weight != 0.0).then(|| self.sum / self.weight)
    }

    /// Sum of the weights.
    pub(crate) fn weight(self) -> f64 {
        self.weight
    }
}

/// 1 where it holds, else 0: a share is the mean of these.
pub(crate) fn indicator(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
