//! One order of an epoch: in memory, or on disk where even its numbers are many.

use std::ops::Range;
use std::path::PathBuf;

use crate::TrainError;
use crate::order_file::OrderFile;
use crate::permutation::permutation_of_u32;

/// How much of an order may lie in memory, and where a larger one goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderPlace {
    /// Bytes in memory at most; an order on disk is made with so many, too.
    pub(crate) bytes_in_memory: usize,
    /// Folder of a nameless file.
    pub(crate) dir: PathBuf,
}

impl OrderPlace {
    /// 16 million examples in memory, more in `dir`.
    pub(crate) fn in_dir(dir: PathBuf) -> Self {
        Self { bytes_in_memory: 64 << 20, dir }
    }
}

/// The numbers `0..n` as [`permutation`](crate::permutation()) orders them, wherever they lie.
#[derive(Debug)]
pub(crate) enum Order {
    Memory(Vec<u32>),
    File(OrderFile),
}

impl Order {
    pub(crate) fn draw(n: usize, seed: u64, epoch: u64, place: &OrderPlace) -> Result<Self, TrainError> {
        match u32::try_from(n) {
            Ok(n_numbers) if n <= place.bytes_in_memory / size_of::<u32>() => {
                Ok(Self::Memory(permutation_of_u32(n_numbers, seed, epoch)))
            }
            _ => OrderFile::draw(n, seed, epoch, &place.dir, place.bytes_in_memory)
                .map(Self::File)
                .map_err(TrainError::io(&place.dir)),
        }
    }

    /// The numbers at these places of the order.
    pub(crate) fn numbers(&self, places: Range<usize>) -> Result<Vec<usize>, TrainError> {
        match self {
            Self::Memory(order) => Ok(order[places].iter().map(|number| *number as usize).collect()),
            Self::File(order) => order.numbers(places).map_err(TrainError::io(order.dir())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permutation;

    #[test]
    fn one_order_results_whatever_fits_into_memory() {
        let dir = tempfile::tempdir().unwrap();
        for (n, seed, epoch) in [(0, 0, 0), (1, 2, 3), (2, 1, 1), (100, 7, 0), (1021, 9, 4), (5000, 1, 1)] {
            let expected = permutation(n, seed, epoch);
            for bytes_in_memory in [0, 1, 90, 400, 3999, 20_000, 1 << 20] {
                let place = OrderPlace { bytes_in_memory, dir: dir.path().to_owned() };
                let order = Order::draw(n, seed, epoch, &place).unwrap();
                assert_eq!(matches!(order, Order::Memory(_)), 4 * n <= bytes_in_memory);
                assert_eq!(order.numbers(0..n).unwrap(), expected, "{n} in {bytes_in_memory} bytes");
                assert_eq!(order.numbers(n / 3..n / 2).unwrap(), expected[n / 3..n / 2]);
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the files have no names");
    }
}
