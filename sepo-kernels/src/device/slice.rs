//! Views of device memory: an address and a length that a launch may touch

use super::{Element, ExecutorId, Pointer};
use std::marker::PhantomData;
use std::ops::Range;

/// `len` values of device memory, to read
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a, T> {
    owner: ExecutorId,
    address: u64,
    len: usize,
    memory: PhantomData<&'a [T]>,
}

/// `len` values of device memory, to write, by nobody else meanwhile
#[derive(Debug)]
pub struct SliceMut<'a, T> {
    owner: ExecutorId,
    address: u64,
    len: usize,
    memory: PhantomData<&'a mut [T]>,
}

impl<'a, T: Element> Slice<'a, T> {
    /// The view of `len` values from `address` on
    ///
    /// # Safety
    /// `address` must be aligned to values of `T`. They must lie in one allocation of the executor `owner`, stay there for
    /// `'a`, and not be written meanwhile by launches that are not ordered with those that read them.
    #[must_use]
    #[expect(unsafe_code, reason = "an address is only as good as its owner's word")]
    pub unsafe fn from_raw(owner: ExecutorId, address: u64, len: usize) -> Self {
        Self { owner, address, len, memory: PhantomData }
    }

    /// Values in view
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the first value lies
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Whose memory it is of
    #[must_use]
    pub fn owner(&self) -> ExecutorId {
        self.owner
    }

    pub(crate) fn pointer(&self) -> Pointer {
        Pointer { owner: Some(self.owner), address: self.address, kind: T::KIND }
    }

    /// A part of the view
    ///
    /// # Panics
    /// Where `range` does not lie within it.
    #[must_use]
    pub fn range(self, range: Range<usize>) -> Self {
        let address = part::<T>(self.address, self.len, &range);
        Self { owner: self.owner, address, len: range.len(), memory: PhantomData }
    }

    /// The same view where its values are of type `U`, in code that does not know which one it was given
    #[must_use]
    pub fn of_type<U: Element>(self) -> Option<Slice<'a, U>> {
        let Self { owner, address, len, .. } = self;
        (T::KIND == U::KIND).then_some(Slice { owner, address, len, memory: PhantomData })
    }
}

impl<'a, T: Element> SliceMut<'a, T> {
    /// The view of `len` values from `address` on
    ///
    /// # Safety
    /// As [`Slice::from_raw`]; and nothing else may name these values for `'a`.
    #[must_use]
    #[expect(unsafe_code, reason = "an address is only as good as its owner's word")]
    pub unsafe fn from_raw(owner: ExecutorId, address: u64, len: usize) -> Self {
        Self { owner, address, len, memory: PhantomData }
    }

    /// Values in view
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the first value lies
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The same view, to read
    #[must_use]
    pub fn as_slice(&self) -> Slice<'_, T> {
        Slice { owner: self.owner, address: self.address, len: self.len, memory: PhantomData }
    }

    /// The same view, for a shorter time
    #[must_use]
    pub fn reborrow(&mut self) -> SliceMut<'_, T> {
        SliceMut { owner: self.owner, address: self.address, len: self.len, memory: PhantomData }
    }

    /// A part of the view
    ///
    /// # Panics
    /// Where `range` does not lie within it.
    #[must_use]
    pub fn range(self, range: Range<usize>) -> Self {
        let address = part::<T>(self.address, self.len, &range);
        Self { owner: self.owner, address, len: range.len(), memory: PhantomData }
    }

    /// The same view where its values are of type `U`, in code that does not know which one it was given
    #[must_use]
    pub fn of_type<U: Element>(self) -> Option<SliceMut<'a, U>> {
        let Self { owner, address, len, .. } = self;
        (T::KIND == U::KIND).then_some(SliceMut { owner, address, len, memory: PhantomData })
    }

    /// The first `at` values and the rest
    ///
    /// # Panics
    /// Where there are fewer.
    #[must_use]
    pub fn split_at(self, at: usize) -> (SliceMut<'a, T>, SliceMut<'a, T>) {
        let address = part::<T>(self.address, self.len, &(at..self.len));
        let Self { owner, address: start, len, .. } = self;
        let first = SliceMut { owner, address: start, len: at, memory: PhantomData };
        (first, SliceMut { owner, address, len: len - at, memory: PhantomData })
    }
}

fn part<T: Element>(address: u64, len: usize, range: &Range<usize>) -> u64 {
    assert!(range.start <= range.end && range.end <= len, "{range:?} of {len} values of device memory");
    address + (range.start * T::KIND.bytes()) as u64
}
