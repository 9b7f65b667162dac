//! Which items share a batch.

use std::ops::Range;

/// Ranges of consecutive items, each within both limits, that together cover all items in order.
///
/// Greedy: an item joins the current batch while the batch's tokens stay within `tokens_per_batch` and its items
/// within `max_items`. Nothing is dropped or reordered: an item longer than the budget makes a batch of its own, and a
/// limit of 0 acts as 1 item a batch. Items of length 0 (pairs without rows) cost nothing but count as items.
///
/// # Examples
///
/// ```
/// use sepo_data::plan_batches;
/// assert_eq!(plan_batches(&[4, 3, 9, 1, 1, 1], 8, 2), [0..2, 2..3, 3..5, 5..6]);
/// assert!(plan_batches(&[], 8, 2).is_empty());
/// ```
#[must_use]
pub fn plan_batches(lengths: &[usize], tokens_per_batch: usize, max_items: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut start = 0;
    let mut n_tokens = 0usize;
    for (i, &length) in lengths.iter().enumerate() {
        let is_full = i - start >= max_items || n_tokens.saturating_add(length) > tokens_per_batch;
        if i > start && is_full {
            batches.push(start..i);
            start = i;
            n_tokens = 0;
        }
        n_tokens = n_tokens.saturating_add(length);
    }
    if start < lengths.len() {
        batches.push(start..lengths.len());
    }
    batches
}
