//! How bad something is, so that only what is worse is said again.

use serde::{Deserialize, Serialize};

/// Whole limits that a value has passed and that have been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Level(u32);

impl Level {
    /// Whether `value` is further beyond `limit` than at the last time this was true: at 1, 2, 3, … limits. Below half a
    /// limit it begins anew.
    pub(super) fn rises(&mut self, value: f64, limit: f64) -> bool {
        let share = value / limit;
        if share < 0.5 {
            self.0 = 0;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
        let level = share.max(0.0) as u32;
        let rises = level > self.0;
        self.0 = self.0.max(level);
        rises
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_worse_is_said_until_it_was_good_again() {
        let mut level = Level::default();
        let values = [0.9, 1.1, 1.9, 1.1, 2.1, 0.8, 1.5, 2.5, 0.4, 1.2];
        let said = values.map(|value| level.rises(value * 3.0, 3.0));
        assert_eq!(said, [false, true, false, false, true, false, false, false, false, true]);
    }
}
