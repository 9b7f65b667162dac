//! A batch on the CPU: where its tokens stand.

use std::sync::Arc;

use sepo_kernels::{RotaryConfig, RotaryTable};

use crate::batch::{BatchContext, Extent};

/// Where each token stands, with the cosines and sines of its turn.
#[derive(Debug)]
pub struct Rotation {
    pub(super) positions: Vec<u32>,
    pub(super) table: Arc<RotaryTable>,
}

/// Cosines and sines for as many positions as any batch has needed so far.
#[derive(Debug)]
pub struct RotaryCache {
    config: RotaryConfig,
    n_positions: usize,
    table: Arc<RotaryTable>,
}

impl RotaryCache {
    pub(super) fn new(config: &RotaryConfig) -> Self {
        Self { n_positions: 0, table: Arc::new(RotaryTable::new(config, 0)), config: config.clone() }
    }

    fn rotation(&mut self, positions: Vec<u32>) -> Rotation {
        let n_positions = positions.iter().max().map_or(0, |last| *last as usize + 1);
        if n_positions > self.n_positions {
            self.n_positions = n_positions.next_power_of_two();
            self.table = Arc::new(RotaryTable::new(&self.config, self.n_positions));
        }
        Rotation { positions, table: Arc::clone(&self.table) }
    }
}

/// What the CPU needs of a batch: the turns of all tokens, and of those that the head looks at.
#[derive(Debug)]
pub struct CpuBatch {
    all: Rotation,
    needed: Rotation,
}

impl CpuBatch {
    pub(super) fn new(tables: &mut RotaryCache, context: &BatchContext) -> Self {
        // The longer list first, so that the table is made once.
        let all = tables.rotation(context.positions.clone());
        let needed = tables.rotation(context.needed_positions.clone());
        Self { all, needed }
    }

    pub(super) fn rotation(&self, extent: Extent) -> &Rotation {
        if extent == Extent::All { &self.all } else { &self.needed }
    }
}
