//! A batch on a device: what was checked and planned on the host, once.

use std::fmt;
use std::sync::Arc;

use sepo_kernels::cuda::{
    AttentionPlan, DeviceError, EmbeddingPlan, Heap, HeapPlan, Placed, RotaryAngles, RotaryPlan,
};
use sepo_kernels::{RotaryConfig, RotaryTable};

use super::DeviceBuffer;
use crate::batch::{BatchContext, Extent};

/// Cosines and sines on a device.
struct Angles<H: Heap> {
    cos: DeviceBuffer<H, f32>,
    sin: DeviceBuffer<H, f32>,
    rotary_dim: usize,
}

/// Cosines and sines for as many positions as any batch has needed so far.
pub struct CudaTables<H: Heap> {
    config: RotaryConfig,
    n_positions: usize,
    angles: Option<Arc<Angles<H>>>,
}

impl<H: Heap> fmt::Debug for CudaTables<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaTables").field("n_positions", &self.n_positions).finish_non_exhaustive()
    }
}

impl<H: Heap> CudaTables<H> {
    pub(super) fn new(config: &RotaryConfig) -> Self {
        Self { config: config.clone(), n_positions: 0, angles: None }
    }

    fn rotation(&mut self, heap: &H, positions: &[u32]) -> Result<CudaRotation<H>, DeviceError> {
        let plan = RotaryPlan::new(positions.to_vec());
        let angles = match &self.angles {
            Some(angles) if plan.n_positions() <= self.n_positions => Arc::clone(angles),
            _ => {
                self.n_positions = plan.n_positions().next_power_of_two();
                let table = RotaryTable::new(&self.config, self.n_positions);
                let [cos, sin] = table.all().map(|values| DeviceBuffer::of(heap, values));
                let angles = Angles { cos: cos?, sin: sin?, rotary_dim: table.rotary_dim() };
                Arc::clone(self.angles.insert(Arc::new(angles)))
            }
        };
        Ok(CudaRotation { plan: heap.place(plan)?, angles })
    }
}

/// Where tokens stand, with the cosines and sines of their turn.
pub struct CudaRotation<H: Heap> {
    plan: H::Plan<RotaryPlan>,
    angles: Arc<Angles<H>>,
}

impl<H: Heap> fmt::Debug for CudaRotation<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaRotation").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl<H: Heap> CudaRotation<H> {
    pub(super) fn angles(&self) -> RotaryAngles<'_> {
        let Angles { cos, sin, rotary_dim } = &*self.angles;
        let positions = self.plan.view();
        RotaryAngles { cos: cos.slice(), sin: sin.slice(), rotary_dim: *rotary_dim, positions }
    }
}

/// Plans of a batch on a device.
pub struct CudaBatch<H: Heap> {
    tokens: H::Plan<EmbeddingPlan>,
    /// Rows of all tokens that the head looks at.
    needed: H::Plan<EmbeddingPlan>,
    rotations: Vec<(Extent, CudaRotation<H>)>,
    /// One for each extent and window that a block has.
    attention: Vec<(Extent, Option<usize>, H::Plan<AttentionPlan>)>,
}

impl<H: Heap> fmt::Debug for CudaBatch<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaBatch").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl<H: Heap> CudaBatch<H> {
    /// What does not depend on where there are outputs.
    pub(super) fn new(heap: &H, tokens: EmbeddingPlan, context: &BatchContext) -> Result<Self, DeviceError> {
        let needed = EmbeddingPlan::new(&context.needed, context.n_tokens());
        let (tokens, needed) = (heap.place(tokens)?, heap.place(needed)?);
        Ok(Self { tokens, needed, rotations: Vec::new(), attention: Vec::new() })
    }

    /// With turns and attention of blocks of these extents, the last block's last.
    pub(super) fn with_extents(
        mut self,
        heap: &H,
        tables: &mut CudaTables<H>,
        context: &BatchContext,
        windows: &[Option<usize>],
        extents: &[Extent],
    ) -> Result<Self, DeviceError> {
        // The longest list of positions first, so that the tables are made once.
        for (i, extent) in extents.iter().enumerate() {
            if extents[..i].contains(extent) {
                continue;
            }
            self.rotations.push((*extent, tables.rotation(heap, extent.positions(context))?));
            // Of two extents the second is that of the last block alone.
            let windows = if i == 0 { windows } else { windows.last().map_or(&[][..], std::slice::from_ref) };
            for window in windows {
                if !self.attention.iter().any(|(e, w, _)| (*e, *w) == (*extent, *window)) {
                    let plan = heap.place(AttentionPlan::new(extent.attention_layout(context), *window))?;
                    self.attention.push((*extent, *window, plan));
                }
            }
        }
        Ok(self)
    }

    pub(super) fn rotation(&self, extent: Extent) -> &CudaRotation<H> {
        let found = self.rotations.iter().find(|(e, _)| *e == extent);
        &found.expect("every extent was planned").1
    }

    pub(super) fn tokens(&self) -> Placed<'_, EmbeddingPlan> {
        self.tokens.view()
    }

    pub(super) fn needed(&self) -> Placed<'_, EmbeddingPlan> {
        self.needed.view()
    }

    /// The tiles of a block.
    pub(super) fn attention(&self, extent: Extent, window: Option<usize>) -> Placed<'_, AttentionPlan> {
        let plan = self.attention.iter().find(|(e, w, _)| (*e, *w) == (extent, window));
        plan.expect("every block's extent and window was planned").2.view()
    }
}
