//! Who has memory for what it runs

use super::{DeviceError, Element, Executor, Placed, Plan, Slice, SliceMut};
use std::fmt::Debug;

/// Memory of a [`Heap`]
pub trait HeapMemory<T: Element>: Debug {
    /// All of it, to read
    fn slice(&self) -> Slice<'_, T>;

    /// All of it, to write
    fn slice_mut(&mut self) -> SliceMut<'_, T>;
}

/// A plan and its words in memory of a [`Heap`]
pub trait HeapPlan<P: Plan>: Debug {
    /// What launches take
    fn view(&self) -> Placed<'_, P>;
}

/// An executor that allocates memory and copies from, to and within it, all in the order of the calls
///
/// There are two: a [`Device`](super::Device), and, in the tests, a CPU.
pub trait Heap: Executor + Debug {
    /// Numbers in its memory
    type Memory<T: Element>: HeapMemory<T>;
    /// A plan in its memory
    type Plan<P: Plan + Debug>: HeapPlan<P>;

    /// Memory for `n` numbers, whose content is nobody's
    ///
    /// # Errors
    /// Where there is not enough.
    fn allocate<T: Element>(&self, n: usize) -> Result<Self::Memory<T>, DeviceError>;

    /// `plan`, with its words in memory
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    fn place<P: Plan + Debug>(&self, plan: P) -> Result<Self::Plan<P>, DeviceError>;

    /// Copies `values` there; they may be changed when it returns
    ///
    /// # Errors
    /// Where the copy fails.
    ///
    /// # Panics
    /// Where there are not as many, or the memory is another executor's.
    fn upload<T: Element>(&self, values: &[T], to: SliceMut<'_, T>) -> Result<(), DeviceError>;

    /// What stands there when all that was asked for before has run; waits for it
    ///
    /// # Errors
    /// Where the copy or something before it fails.
    ///
    /// # Panics
    /// Where the memory is another executor's.
    fn download<T: Element>(&self, from: Slice<'_, T>) -> Result<Vec<T>, DeviceError>;

    /// Copies within its memory
    ///
    /// # Errors
    /// Where the copy fails.
    ///
    /// # Panics
    /// Where lengths differ, or memory is another executor's.
    fn copy<T: Element>(&self, from: Slice<'_, T>, to: SliceMut<'_, T>) -> Result<(), DeviceError>;

    /// Writes zeros
    ///
    /// # Errors
    /// Where that fails.
    ///
    /// # Panics
    /// Where the memory is another executor's.
    fn zero<T: Element>(&self, to: SliceMut<'_, T>) -> Result<(), DeviceError>;
}
