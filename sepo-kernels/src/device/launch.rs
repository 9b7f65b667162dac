//! A launch as a form to fill in

use super::{Element, ElementKind, Slice, SliceMut, Source};

/// A symbol of a source
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// the text that it is in
    pub source: &'static Source,
    /// what it is called there
    pub name: &'static str,
}

/// An argument of a kernel
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// `float`
    F32(f32),
    /// `double`
    F64(f64),
    /// `u32`
    U32(u32),
    /// `u64`
    U64(u64),
    /// `const T *`
    Read(u64, ElementKind),
    /// `T *`
    Write(u64, ElementKind),
}

impl Arg {
    /// What a kernel reads
    pub(crate) fn read<T: Element>(slice: Slice<'_, T>) -> Self {
        Self::Read(slice.address(), T::KIND)
    }

    /// What a kernel writes
    pub(crate) fn write<T: Element>(slice: &mut SliceMut<'_, T>) -> Self {
        Self::Write(slice.address(), T::KIND)
    }

    /// What it reads, or null
    pub(crate) fn read_or_null<T: Element>(slice: Option<Slice<'_, T>>) -> Self {
        Self::Read(slice.map_or(0, |slice| slice.address()), T::KIND)
    }

    /// What it writes, or null
    pub(crate) fn write_or_null<T: Element>(slice: Option<&mut SliceMut<'_, T>>) -> Self {
        Self::Write(slice.map_or(0, |slice| slice.address()), T::KIND)
    }

    /// A count, as kernels take it
    ///
    /// # Panics
    /// Where it does not fit: shapes were checked before.
    pub(crate) fn count(n: usize) -> Self {
        Self::U32(u32::try_from(n).expect("counts of kernels are below 2^32"))
    }

    /// The argument's bytes at the low end of a word
    #[must_use]
    pub fn word(&self) -> u64 {
        match *self {
            Self::F32(x) => u64::from(x.to_bits()),
            Self::F64(x) => x.to_bits(),
            Self::U32(x) => u64::from(x),
            Self::U64(x) => x,
            Self::Read(address, _) | Self::Write(address, _) => address,
        }
    }
}

/// A kernel, its grid and its arguments
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// what runs
    pub kernel: Kernel,
    /// blocks in each dimension, all at least 1
    pub grid: [u32; 3],
    /// threads of a block, a multiple of 32
    pub block: u32,
    /// shared memory of a block beside that in the kernel's text
    pub shared_bytes: u32,
    /// in the order of the kernel's parameters
    pub args: &'a [Arg],
}

/// Threads for a row of `d` values, each taking `width` at a time: whole warps, at most `most`
pub(crate) fn threads_for(d: usize, width: usize, most: u32) -> u32 {
    let wanted = u32::try_from(d.div_ceil(width).next_multiple_of(32)).unwrap_or(u32::MAX);
    wanted.clamp(32, most)
}

/// Blocks of `threads` threads that cover `n` pieces of work
///
/// # Panics
/// Where there would be more than a grid may have.
pub(crate) fn blocks_of(n: usize, threads: u32) -> u32 {
    let blocks = n.div_ceil(threads as usize);
    assert!(i32::try_from(blocks).is_ok(), "{n} pieces of work are more than a grid can have");
    u32::try_from(blocks).expect("checked above")
}
