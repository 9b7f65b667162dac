//! How loops are cut into parallel tasks: by sizes alone, so that no result depends on the number of threads

/// Values that an element-wise task handles
pub(crate) const TASK_LEN: usize = 16 * 1024;

/// Rows of `d` values that a row-wise task handles
///
/// At least 16, so that the per-task sums of weight gradients stay a small share of the rows they come from.
pub(crate) fn rows_per_task(d: usize) -> usize {
    (TASK_LEN / d.max(1)).max(16)
}

/// Adds per-task sums to `total`, in task order
pub(crate) fn sum_partials(partials: &[Vec<f32>], total: &mut [f32]) {
    for partial in partials {
        for (total, value) in total.iter_mut().zip(partial) {
            *total += value;
        }
    }
}

/// Asserts that `x` is whole rows of `d` values; returns how many
pub(crate) fn assert_rows(x: &[f32], d: usize) -> usize {
    if d == 0 {
        assert!(x.is_empty(), "{} values are not rows of no values", x.len());
        return 0;
    }
    assert!(x.len().is_multiple_of(d), "{} values are not rows of {d}", x.len());
    x.len() / d
}
