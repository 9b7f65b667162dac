//! Plans on a device: what was checked on the host and the words that say it to a kernel, never apart

use super::{DeviceMemory, Slice};

/// What was checked on the host for a kernel to rely on, such as which rows of a table it reads
pub trait Plan {
    /// What the device is given
    fn words(&self) -> &[u32];
}

/// A plan and its words in the memory of a device, made by [`Device::place`](super::Device::place)
///
/// Holding the value is the proof that the words are the plan's: nobody can write them.
#[derive(Debug)]
pub struct PlanMemory<P> {
    plan: P,
    words: DeviceMemory<u32>,
}

impl<P: Plan> PlanMemory<P> {
    /// `words` hold those of `plan`
    pub(super) fn new(plan: P, words: DeviceMemory<u32>) -> Self {
        Self { plan, words }
    }

    /// The plan
    #[must_use]
    pub fn plan(&self) -> &P {
        &self.plan
    }

    /// What launches take
    #[must_use]
    #[expect(unsafe_code, reason = "the word of who put them there")]
    pub fn view(&self) -> Placed<'_, P> {
        // SAFETY: `place` copied the words of this plan there, which can no more be changed than they.
        unsafe { Placed::from_raw(&self.plan, self.words.slice()) }
    }
}

/// A plan and a view of its words in device memory
///
/// Holding the value is the proof that the words are the plan's. Kernels rely on it: no launch looks at words again.
#[derive(Debug)]
pub struct Placed<'a, P> {
    plan: &'a P,
    words: Slice<'a, u32>,
}

impl<P> Clone for Placed<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Placed<'_, P> {}

impl<'a, P: Plan> Placed<'a, P> {
    /// The view of `plan` and of its words
    ///
    /// # Safety
    /// `words` must hold the words of `plan`, in their order, for `'a`.
    ///
    /// # Panics
    /// Where there are not as many.
    #[must_use]
    #[expect(unsafe_code, reason = "what stands in device memory is only as good as its owner's word")]
    pub unsafe fn from_raw(plan: &'a P, words: Slice<'a, u32>) -> Self {
        assert_eq!(words.len(), plan.words().len(), "the words must be those of the plan");
        Self { plan, words }
    }

    /// The plan
    #[must_use]
    pub fn plan(self) -> &'a P {
        self.plan
    }

    pub(crate) fn words(self) -> Slice<'a, u32> {
        self.words
    }
}

/// Words of a plan which it says are all below `end`: rows of a table that has as many
///
/// Made where a plan is taken apart, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indices<'a> {
    pub(crate) words: Slice<'a, u32>,
    pub(crate) end: usize,
}
