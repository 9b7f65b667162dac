//! What operations need while they run, and what all batches share.

use std::sync::Arc;

use sepo_kernels::cuda::{DeviceError, EmbeddingPlan, Heap};

use super::DeviceBuffer;

/// Memory that an operation works in, of a backend and its clones.
pub(super) struct Scratch<H: Heap> {
    /// Shares of sums over rows.
    pub(super) partials: DeviceBuffer<H, f32>,
    /// Of the way back through attention, `[n_outputs, n_heads]`.
    pub(super) delta: DeviceBuffer<H, f32>,
    /// For a number of heads, the order in which a map of three by head stands apart.
    apart: Option<(usize, Arc<H::Plan<EmbeddingPlan>>)>,
}

impl<H: Heap> Default for Scratch<H> {
    fn default() -> Self {
        Self { partials: DeviceBuffer::default(), delta: DeviceBuffer::default(), apart: None }
    }
}

impl<H: Heap> Scratch<H> {
    /// The order in which a map of three by head, of so many heads, stands apart.
    pub(super) fn apart(
        &mut self,
        heap: &H,
        n_heads: usize,
    ) -> Result<Arc<H::Plan<EmbeddingPlan>>, DeviceError> {
        if let Some((of, plan)) = &self.apart
            && *of == n_heads
        {
            return Ok(Arc::clone(plan));
        }
        let n_heads_u32 = u32::try_from(n_heads).expect("heads are few");
        let order: Vec<u32> =
            (0..3).flat_map(|part| (0..n_heads_u32).map(move |head| 3 * head + part)).collect();
        let plan = Arc::new(heap.place(EmbeddingPlan::new(&order, 3 * n_heads))?);
        self.apart = Some((n_heads, Arc::clone(&plan)));
        Ok(plan)
    }
}
