//! The piece of an output that stands in registers while it is summed

/// Rows of a tile
pub(super) const MR: usize = 12;

/// Columns of a tile: two AVX-512 registers, so that 24 of the 32 registers sum
pub(super) const NR: usize = 32;

/// Sums of products, row by row
#[repr(align(64))]
pub(super) struct Tile(pub(super) [[f32; NR]; MR]);
