//! What a pass beside other models makes of rows.

use super::BatchContext;

/// What a pass beside other models makes of every row, in the caller's order, in nats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowValues {
    /// Log-probability of the row's target.
    pub logps: Vec<f64>,
    /// `KL(others ‖ network)`.
    pub forward_kl: Vec<f64>,
    /// `KL(network ‖ others)`.
    pub reverse_kl: Vec<f64>,
}

impl RowValues {
    /// Values of sorted rows, in the caller's order.
    pub(crate) fn in_callers_order(&self, context: &BatchContext) -> Self {
        Self {
            logps: context.in_callers_order(&self.logps),
            forward_kl: context.in_callers_order(&self.forward_kl),
            reverse_kl: context.in_callers_order(&self.reverse_kl),
        }
    }
}
