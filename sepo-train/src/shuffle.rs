//! The order of the examples: a permutation for every epoch, and a place in it.

use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::order::{Order, OrderPlace};

/// A place in the data: `index` examples of epoch `epoch` have been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Examples taken in this epoch; less than the number of examples.
    pub index: usize,
}

impl Cursor {
    /// Epochs passed, as a fraction.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn epochs(self, n_examples: usize) -> f64 {
        self.epoch as f64 + self.index as f64 / n_examples.max(1) as f64
    }
}

/// Batches of example numbers in shuffled order. A batch never reaches over the end of an epoch: the last one of an
/// epoch may be smaller.
#[derive(Debug)]
pub(crate) struct Shuffler {
    n_examples: usize,
    seed: u64,
    place: OrderPlace,
    cursor: Cursor,
    /// Of one epoch; made when it is needed, since the one after the last epoch never is.
    order: Option<(u64, Order)>,
}

impl Shuffler {
    pub(crate) fn new(n_examples: usize, seed: u64, cursor: Cursor, place: OrderPlace) -> Self {
        Self { n_examples, seed, place, cursor, order: None }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor
    }

    pub(crate) fn next_batch(&mut self, batch_size: usize) -> Result<Vec<usize>, TrainError> {
        let Cursor { epoch, index } = self.cursor;
        if self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            // The old one first: both may be large.
            self.order = None;
        }
        let order = match &mut self.order {
            Some((_, order)) => order,
            none => &mut none.insert((epoch, Order::draw(self.n_examples, self.seed, epoch, &self.place)?)).1,
        };
        let end = index.saturating_add(batch_size).min(self.n_examples);
        let batch = order.numbers(index.min(end)..end)?;
        self.cursor = if end == self.n_examples {
            Cursor { epoch: epoch + 1, index: 0 }
        } else {
            Cursor { epoch, index: end }
        };
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffler(cursor: Cursor) -> Shuffler {
        Shuffler::new(7, 9, cursor, OrderPlace::in_dir(std::env::temp_dir()))
    }

    #[test]
    fn an_epoch_takes_every_example_once_and_a_resumed_one_goes_on() {
        let mut whole = shuffler(Cursor::default());
        let batches: Vec<Vec<usize>> = (0..6).map(|_| whole.next_batch(3).unwrap()).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1, 3, 3, 1]);
        for epoch in batches.chunks(3) {
            let mut seen = epoch.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..7).collect::<Vec<_>>());
        }
        let mut first = shuffler(Cursor::default());
        for taken in 0..6 {
            let mut resumed = shuffler(first.cursor());
            for batch in &batches[taken..] {
                assert_eq!(&resumed.next_batch(3).unwrap(), batch);
            }
            first.next_batch(3).unwrap();
        }
    }
}
