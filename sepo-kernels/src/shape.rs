//! Sizes of arrays, multiplied without wrapping: what is checked here, products and kernels touch without looking again

/// Values of an array of this shape, or `None` where there are more than a `usize` counts
fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size))
}

/// Values of an array of this shape
///
/// # Panics
/// Where there are more than a `usize` counts.
#[track_caller]
pub(crate) fn n_values<const N: usize>(shape: [usize; N]) -> usize {
    product(&shape).unwrap_or_else(|| panic!("no memory holds an array {shape:?}"))
}

/// Asserts that `what`, of `len` values, has this shape
#[track_caller]
pub(crate) fn assert_shape<const N: usize>(what: &str, len: usize, shape: [usize; N]) {
    assert!(product(&shape) == Some(len), "{what} must be {shape:?}, and has {len} values");
}

/// Where the last of `n_rows` by `n_cols` elements stands, both at least 1; `None` where no `usize` says it
pub(crate) fn last_index(
    [n_rows, n_cols]: [usize; 2],
    [row_stride, col_stride]: [usize; 2],
) -> Option<usize> {
    (n_rows - 1).checked_mul(row_stride)?.checked_add((n_cols - 1).checked_mul(col_stride)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_that_wraps_to_the_length_is_not_the_length() {
        let wraps = [4, (1 << 31) - (1 << 16) + 1, (1 << 31) + (1 << 16) + 1];
        assert_eq!(wraps.iter().fold(1_usize, |n, &size| n.wrapping_mul(size)), 4);
        assert_eq!(product(&wraps), None);
        assert_eq!(n_values([3, 4]), 12);
        assert_shape("`x`", 12, [3, 4]);
        assert!(std::panic::catch_unwind(|| assert_shape("`x`", 4, wraps)).is_err());
    }
}
