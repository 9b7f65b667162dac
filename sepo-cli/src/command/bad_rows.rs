//! Rows that cannot be used, however they are found.

use std::collections::BTreeMap;

/// All counted by reason, the first ones named in the order of the source.
///
/// Reader and tokenizer find them in turns, many rows apart, so the order in which they are found is no order.
#[derive(Debug)]
pub(super) struct BadRows {
    counts: BTreeMap<String, u64>,
    /// By row over all files.
    first: BTreeMap<u64, String>,
    /// Rows that are named at most.
    most: usize,
}

impl BadRows {
    pub(super) fn naming_at_most(most: usize) -> Self {
        Self { counts: BTreeMap::new(), first: BTreeMap::new(), most }
    }

    /// Counts `row` under `reason`; `text` names it, where it is among the first.
    pub(super) fn add(&mut self, row: u64, reason: &str, text: impl FnOnce() -> String) {
        *self.counts.entry(reason.to_owned()).or_default() += 1;
        let is_full = self.first.len() >= self.most;
        if is_full && self.first.last_key_value().is_none_or(|(last, _)| *last < row) {
            return;
        }
        self.first.insert(row, text());
        if is_full {
            self.first.pop_last();
        }
    }

    /// Counts by reason, and the first rows in words.
    pub(super) fn finish(self) -> (BTreeMap<String, u64>, Vec<String>) {
        (self.counts, self.first.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(most: usize, rows: &[u64]) -> Vec<String> {
        let mut bad = BadRows::naming_at_most(most);
        rows.iter().for_each(|row| bad.add(*row, "empty", || row.to_string()));
        let (counts, named) = bad.finish();
        assert_eq!(counts.values().sum::<u64>(), rows.len() as u64);
        named
    }

    #[test]
    fn the_first_rows_are_named_in_whatever_order_they_are_found() {
        assert_eq!(named(3, &[7, 9, 2, 8, 1]), ["1", "2", "7"]);
        assert_eq!(named(9, &[7, 2]), ["2", "7"]);
        assert_eq!(named(0, &[7, 2]), [""; 0]);
    }
}
