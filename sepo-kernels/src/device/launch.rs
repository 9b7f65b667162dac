//! A launch as a form to fill in

use super::{Element, ElementKind, ExecutorId, Slice, SliceMut, Source};

/// A symbol of a source
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// the text that it is in
    pub source: &'static Source,
    /// what it is called there
    pub name: &'static str,
}

/// Where an argument points to
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// whose memory it points into; nobody's where it is null
    pub owner: Option<ExecutorId>,
    /// where the first value lies
    pub address: u64,
    /// type of the values
    pub kind: ElementKind,
}

impl Pointer {
    fn null<T: Element>() -> Self {
        Self { owner: None, address: 0, kind: T::KIND }
    }
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
    Read(Pointer),
    /// `T *`
    Write(Pointer),
}

impl Arg {
    /// What a kernel reads
    pub(crate) fn read<T: Element>(slice: Slice<'_, T>) -> Self {
        Self::Read(slice.pointer())
    }

    /// What a kernel writes
    pub(crate) fn write<T: Element>(slice: &mut SliceMut<'_, T>) -> Self {
        Self::Write(slice.as_slice().pointer())
    }

    /// What it writes, or null
    pub(crate) fn write_or_null<T: Element>(slice: Option<&mut SliceMut<'_, T>>) -> Self {
        slice.map_or(Self::Write(Pointer::null::<T>()), Self::write)
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
            Self::Read(pointer) | Self::Write(pointer) => pointer.address,
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

impl Launch<'_> {
    /// What every executor looks at before it runs a kernel
    ///
    /// # Panics
    /// Where the source has no such kernel, or an argument points into memory of another executor than `on`.
    pub fn check(&self, on: ExecutorId) {
        let Kernel { source, name } = self.kernel;
        assert!(source.kernels.contains(&name), "`{}` has no kernel `{name}`", source.op);
        for (i, arg) in self.args.iter().enumerate() {
            let &(Arg::Read(Pointer { owner, .. }) | Arg::Write(Pointer { owner, .. })) = arg else {
                continue;
            };
            assert!(
                owner.is_none_or(|owner| owner == on),
                "argument {i} of `{name}` points into memory of another executor"
            );
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    static SOURCE: Source = Source { op: "op", text: "", kernels: &["kernel"] };

    #[test]
    fn a_kernel_is_one_of_its_source_and_gets_memory_of_the_executor() {
        let (on, other) = (ExecutorId::unique(), ExecutorId::unique());
        let check = |name: &'static str, owner: Option<ExecutorId>| {
            let args = [Arg::U32(1), Arg::Write(Pointer { owner, address: 256, kind: ElementKind::F32 })];
            let kernel = Kernel { source: &SOURCE, name };
            let launch = Launch { kernel, grid: [1; 3], block: 32, shared_bytes: 0, args: &args };
            catch_unwind(|| launch.check(on)).is_ok()
        };
        assert!(check("kernel", Some(on)) && check("kernel", None));
        assert!(!check("kernel", Some(other)) && !check("other", Some(on)));
    }
}
