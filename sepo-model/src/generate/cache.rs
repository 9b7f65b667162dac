//! Keys and values of what sequences have seen so far.

use crate::ModelError;
use crate::backend::Backend;
use crate::batch::BatchContext;

/// All sequences in one layer: `[places, n_kv_heads · head_dim]` each.
#[derive(Debug)]
pub(super) struct Cache<B: Backend> {
    pub(super) keys: B::Values,
    pub(super) values: B::Values,
}

impl<B: Backend> Default for Cache<B> {
    fn default() -> Self {
        Self { keys: B::Values::default(), values: B::Values::default() }
    }
}

/// Places of a room as a batch looks at them.
pub(super) type Places<'a, B> = (&'a <B as Backend>::Batch, &'a BatchContext);

impl<B: Backend> Cache<B> {
    /// A cache of so many numbers, with `keys` and `values` at places.
    pub(super) fn fill(
        &mut self,
        on: &B,
        len: usize,
        places: Places<'_, B>,
        (keys, values, width): (&B::Values, &B::Values, usize),
    ) -> Result<(), ModelError> {
        on.zeros(&mut self.keys, len)?;
        on.zeros(&mut self.values, len)?;
        self.put(on, places, (keys, values, width))
    }

    /// Puts keys and values at places where nothing stands yet.
    pub(super) fn put(
        &mut self,
        on: &B,
        (batch, context): Places<'_, B>,
        (keys, values, width): (&B::Values, &B::Values, usize),
    ) -> Result<(), ModelError> {
        // There are zeros.
        on.add_rows(batch, context, keys, width, &mut self.keys)?;
        on.add_rows(batch, context, values, width, &mut self.values)
    }

    /// The same keys and values in a room of another size.
    pub(super) fn moved(
        &mut self,
        on: &B,
        (from, to): (Places<'_, B>, Places<'_, B>),
        (len, width): (usize, usize),
    ) -> Result<(), ModelError> {
        let (mut keys, mut values) = (B::Values::default(), B::Values::default());
        on.gather_rows(from.0, from.1, &self.keys, width, &mut keys)?;
        on.gather_rows(from.0, from.1, &self.values, width, &mut values)?;
        self.fill(on, len, to, (&keys, &values, width))
    }
}
