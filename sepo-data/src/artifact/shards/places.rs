//! Where the pairs lie that are not in any shard yet.

use std::ops::Range;

/// Ranges of source pairs that are done, in order, apart from each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    ranges: Vec<Range<u64>>,
}

impl Done {
    /// Adds a range behind all others.
    pub(super) fn push(&mut self, range: Range<u64>) {
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
    }

    pub(super) fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// The place behind the last of the first `n` source pairs that are not done; 0 for none.
    pub(super) fn behind(&self, n: u64) -> u64 {
        let (mut place, mut left) = (0, n);
        for range in &self.ranges {
            let gap = range.start - place;
            if left <= gap {
                break;
            }
            (place, left) = (range.end, left - gap);
        }
        place + left
    }

    /// The place of the next source pair that is not done, after the first `n` such pairs.
    pub(super) fn next_after(&self, n: u64) -> u64 {
        let place = self.behind(n);
        let blocking = self.ranges.iter().find(|range| range.start == place);
        blocking.map_or(place, |range| range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_counting_what_is_not_done() {
        for ranges in [vec![], vec![0..3], vec![2..5], vec![0..2, 4..5, 9..12], vec![1..2, 3..4]] {
            let mut done = Done::default();
            ranges.iter().for_each(|range| done.push(range.clone()));
            let undone: Vec<u64> =
                (0..30).filter(|place| !ranges.iter().any(|range| range.contains(place))).collect();
            for n in 0..12 {
                let behind = if n == 0 { 0 } else { undone[n - 1] + 1 };
                assert_eq!(done.behind(n as u64), behind, "{ranges:?}, {n}");
                assert_eq!(done.next_after(n as u64), undone[n], "{ranges:?}, {n}");
            }
        }
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let mut done = Done::default();
        [0..3, 3..4, 6..7].into_iter().for_each(|range| done.push(range));
        assert_eq!(done.ranges(), [0..4, 6..7]);
    }
}
