//! What the tests run on: a CPU, with threads in two orders, and a GPU where there is one

#![expect(clippy::print_stdout, reason = "what is skipped is said")]
#![expect(unsafe_code, reason = "it makes addresses for others to use")]

use crate::process::{Bytes, OnCpu};
use sepo_kernels::cuda::{
    self, Device, DeviceError, DeviceMemory, Element, Executor, ExecutorId, Launch, MatrixProduct, Placed,
    Plan, Slice, SliceMut,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An executor with memory
pub(crate) enum Machine {
    Cpu(OnCpu),
    Gpu(Box<Device>),
}

/// All machines there are: without a C++ compiler no CPU, and a GPU where one can be opened, unless a test is for races
///
/// # Panics
/// Where there is no GPU and `SEPO_REQUIRE_CUDA` is set.
pub(crate) fn machines() -> Vec<Machine> {
    let mut machines: Vec<Machine> = [1, 77].into_iter().filter_map(OnCpu::new).map(Machine::Cpu).collect();
    match Device::new(0) {
        Ok(device) => machines.push(Machine::Gpu(Box::new(device))),
        Err(reason) => {
            assert!(
                std::env::var_os("SEPO_REQUIRE_CUDA").is_none(),
                "SEPO_REQUIRE_CUDA is set, but {reason}"
            );
            println!("skipped on a GPU: {reason}");
        }
    }
    machines
}

/// What is said of a call that must be refused
pub(crate) fn said_by(call: impl FnOnce() -> Result<(), DeviceError>) -> String {
    let refused = catch_unwind(AssertUnwindSafe(call)).expect_err("a refusal");
    refused.downcast_ref::<String>().expect("a message").clone()
}

/// Values in the memory of a [`Machine`]
pub(crate) enum Memory<'a, T: Element + Bytes> {
    Cpu { on: &'a OnCpu, address: u64, len: usize },
    Gpu(DeviceMemory<T>),
}

impl Machine {
    /// Memory that holds `values`
    pub(crate) fn memory<T: Element + Bytes>(&self, values: &[T]) -> Memory<'_, T> {
        match self {
            Self::Cpu(on) => {
                let address = on.allocate(std::mem::size_of_val(values));
                on.write(address, values);
                Memory::Cpu { on, address, len: values.len() }
            }
            Self::Gpu(device) => Memory::Gpu(device.memory(values).expect("memory")),
        }
    }

    /// Memory that holds not-a-numbers
    pub(crate) fn garbage<T: Element + Bytes>(&self, n: usize) -> Memory<'_, T> {
        let bytes = vec![0xff; T::KIND.bytes()];
        self.memory(&vec![T::get(&bytes); n])
    }
}

impl<T: Element + Bytes> Memory<'_, T> {
    pub(crate) fn slice(&self) -> Slice<'_, T> {
        match self {
            // SAFETY: the process has allocated as many values, as aligned as any, and keeps them as long as `self` lives.
            &Self::Cpu { on, address, len } => unsafe { Slice::from_raw(on.id(), address, len) },
            Self::Gpu(memory) => memory.slice(),
        }
    }

    pub(crate) fn slice_mut(&mut self) -> SliceMut<'_, T> {
        match self {
            // SAFETY: as above, and `self` is borrowed for as long.
            &mut Self::Cpu { on, address, len } => unsafe { SliceMut::from_raw(on.id(), address, len) },
            Self::Gpu(memory) => memory.slice_mut(),
        }
    }

    /// What stands there now
    pub(crate) fn read(&self) -> Vec<T> {
        match self {
            &Self::Cpu { on, address, len } => on.read(address, len),
            Self::Gpu(memory) => memory.read().expect("what was launched has run"),
        }
    }
}

/// A plan and its words in the memory of a [`Machine`]
pub(crate) enum PlanMemory<'a, P: Plan> {
    Cpu { plan: P, words: Memory<'a, u32> },
    Gpu(cuda::PlanMemory<P>),
}

impl Machine {
    /// The plan, and memory that holds its words
    pub(crate) fn place<P: Plan>(&self, plan: P) -> PlanMemory<'_, P> {
        match self {
            Self::Cpu(_) => PlanMemory::Cpu { words: self.memory(plan.words()), plan },
            Self::Gpu(device) => PlanMemory::Gpu(device.place(plan).expect("memory")),
        }
    }
}

impl<P: Plan> PlanMemory<'_, P> {
    pub(crate) fn plan(&self) -> &P {
        match self {
            Self::Cpu { plan, .. } => plan,
            Self::Gpu(memory) => memory.plan(),
        }
    }

    pub(crate) fn view(&self) -> Placed<'_, P> {
        match self {
            // SAFETY: `place` has written the words of the plan there, and nobody can write others.
            Self::Cpu { plan, words } => unsafe { Placed::from_raw(plan, words.slice()) },
            Self::Gpu(memory) => memory.view(),
        }
    }
}

impl<T: Element + Bytes> Drop for Memory<'_, T> {
    fn drop(&mut self) {
        if let &mut Self::Cpu { on, address, .. } = self {
            on.free(address);
        }
    }
}

impl Executor for Machine {
    fn id(&self) -> ExecutorId {
        match self {
            Self::Cpu(on) => on.id(),
            Self::Gpu(device) => device.id(),
        }
    }

    unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), DeviceError> {
        match self {
            // SAFETY: the caller's.
            Self::Cpu(on) => unsafe { on.launch(launch) },
            // SAFETY: the caller's.
            Self::Gpu(device) => unsafe { device.launch(launch) },
        }
    }

    unsafe fn matmul(&self, product: &MatrixProduct) -> Result<(), DeviceError> {
        match self {
            // SAFETY: the caller's.
            Self::Cpu(on) => unsafe { on.matmul(product) },
            // SAFETY: the caller's.
            Self::Gpu(device) => unsafe { device.matmul(product) },
        }
    }
}
