//! The rows of a source without the pairs that an earlier run has dealt with.

use std::ops::Range;

use sepo_data::{DataError, PairRow};

/// Rows as they come, but for pairs at places that are done: those are read, and not handed on.
///
/// A place counts the pairs of the source, whatever their rows are called; rows that are no pairs have none.
#[derive(Debug)]
pub(crate) struct Undone<I> {
    rows: I,
    done: std::vec::IntoIter<Range<u64>>,
    current: Range<u64>,
    place: u64,
}

impl<I> Undone<I> {
    /// `done` is in order.
    pub(crate) fn new(rows: I, done: Vec<Range<u64>>) -> Self {
        Self { rows, done: done.into_iter(), current: 0..0, place: 0 }
    }

    fn is_done(&mut self, place: u64) -> bool {
        while self.current.end <= place {
            let Some(next) = self.done.next() else { return false };
            self.current = next;
        }
        self.current.contains(&place)
    }
}

impl<I: Iterator<Item = Result<PairRow, DataError>>> Iterator for Undone<I> {
    type Item = Result<PairRow, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = self.rows.next()?;
            if matches!(row, Ok(PairRow::Pair(_))) {
                self.place += 1;
                if self.is_done(self.place - 1) {
                    continue;
                }
            }
            return Some(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use sepo_data::{BadReason, BadRow, PairContent, PreferencePair};

    use super::*;

    fn pair(row: u64) -> Result<PairRow, DataError> {
        let content = PairContent::Tokens { prompt_ids: vec![1], chosen_ids: vec![2], rejected_ids: vec![3] };
        Ok(PairRow::Pair(PreferencePair { row, file: std::sync::Arc::default(), file_row: row, content }))
    }

    fn bad(row: u64) -> Result<PairRow, DataError> {
        Ok(PairRow::Bad(BadRow { file: std::path::PathBuf::new(), row, reason: BadReason::IdenticalSides }))
    }

    #[test]
    fn pairs_at_places_that_are_done_are_left_out_and_bad_rows_stay() {
        // Every third row is no pair: the pairs 0 to 5 stand in the rows 0, 1, 3, 4, 6 and 7.
        let rows = || (0..9).map(|row| if row % 3 == 2 { bad(row) } else { pair(row) });
        for (done, expected) in [
            (vec![], vec![0, 1, 3, 4, 6, 7]),
            (vec![0..2], vec![3, 4, 6, 7]),
            (vec![1..3, 5..6], vec![0, 4, 6]),
            (vec![0..6], vec![]),
        ] {
            let left: Vec<_> = Undone::new(rows(), done.clone()).map(Result::unwrap).collect();
            let n_bad = left.iter().filter(|row| matches!(row, PairRow::Bad(_))).count();
            let pairs: Vec<u64> = left
                .iter()
                .filter_map(|row| match row {
                    PairRow::Pair(pair) => Some(pair.row),
                    PairRow::Bad(_) => None,
                })
                .collect();
            assert_eq!((pairs, n_bad), (expected, 3), "{done:?}");
        }
    }
}
