//! Rows that cannot be used, whoever found them.

use std::collections::BTreeMap;

/// All counted by reason, the first ones named, in the order of the source.
#[derive(Debug)]
pub(super) struct BadRows {
    counts: BTreeMap<String, u64>,
    first: Vec<String>,
    /// Rows that are named at most.
    most: usize,
}

impl BadRows {
    pub(super) fn naming_at_most(most: usize) -> Self {
        Self { counts: BTreeMap::new(), first: Vec::new(), most }
    }

    /// Counts the next such row under `reason`; `text` names it, where it is among the first.
    pub(super) fn add(&mut self, reason: &str, text: impl FnOnce() -> String) {
        *self.counts.entry(reason.to_owned()).or_default() += 1;
        if self.first.len() < self.most {
            self.first.push(text());
        }
    }

    /// Counts by reason, and the first rows in words.
    pub(super) fn finish(self) -> (BTreeMap<String, u64>, Vec<String>) {
        (self.counts, self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_named() {
        for most in [0, 2, 9] {
            let mut bad = BadRows::naming_at_most(most);
            for row in 0..5 {
                bad.add(if row == 3 { "json" } else { "empty" }, || row.to_string());
            }
            let (counts, named) = bad.finish();
            assert_eq!((counts["empty"], counts["json"]), (4, 1));
            assert_eq!(named, ["0", "1", "2", "3", "4"][..most.min(5)]);
        }
    }
}
