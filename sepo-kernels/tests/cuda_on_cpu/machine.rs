//! What the tests run on: a CPU, with threads in two orders, and a GPU where there is one

#![expect(clippy::print_stdout, reason = "what is skipped is said")]
#![expect(unsafe_code, reason = "it makes addresses for others to use")]

use crate::process::OnCpu;
use sepo_kernels::cuda::{
    self, Device, DeviceError, DeviceMemory, Element, Executor, ExecutorId, Heap, HeapMemory, HeapPlan,
    Launch, MatrixProduct, Placed, Plan, Slice, SliceMut,
};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// An executor with memory
#[derive(Debug)]
pub(crate) enum Machine {
    Cpu(Rc<OnCpu>),
    Gpu(Rc<Device>),
}

/// All machines there are: without a C++ compiler no CPU, and a GPU where one can be opened, unless a test is for races
///
/// # Panics
/// Where there is no GPU and `SEPO_REQUIRE_CUDA` is set.
pub(crate) fn machines() -> Vec<Machine> {
    let mut machines: Vec<Machine> = [1, 77].into_iter().filter_map(OnCpu::new).map(Machine::cpu).collect();
    match Device::new(0) {
        Ok(device) => machines.push(Machine::Gpu(Rc::new(device))),
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
#[derive(Debug)]
pub(crate) enum Memory<T: Element> {
    Cpu { on: Rc<OnCpu>, address: u64, len: usize },
    Gpu { on: Rc<Device>, memory: DeviceMemory<T> },
}

impl Machine {
    /// A CPU
    pub(crate) fn cpu(on: OnCpu) -> Self {
        Self::Cpu(Rc::new(on))
    }

    /// Memory that holds `values`
    pub(crate) fn memory<T: Element>(&self, values: &[T]) -> Memory<T> {
        let mut memory = self.allocate(values.len()).expect("memory");
        self.upload(values, memory.slice_mut()).expect("as many values");
        memory
    }

    /// Memory that holds not-a-numbers
    pub(crate) fn garbage<T: Element>(&self, n: usize) -> Memory<T> {
        // SAFETY: any bytes are an `Element`, none of which has more than a double.
        self.memory(&vec![unsafe { std::mem::transmute_copy(&u64::MAX) }; n])
    }

    /// The plan, and memory that holds its words
    pub(crate) fn place<P: Plan + Debug>(&self, plan: P) -> PlanMemory<P> {
        Heap::place(self, plan).expect("memory")
    }
}

impl<T: Element> Memory<T> {
    pub(crate) fn slice(&self) -> Slice<'_, T> {
        match self {
            // SAFETY: the process has allocated as many values, as aligned as any, and keeps them as long as `self` lives.
            Self::Cpu { on, address, len } => unsafe { Slice::from_raw(on.id(), *address, *len) },
            Self::Gpu { memory, .. } => memory.slice(),
        }
    }

    pub(crate) fn slice_mut(&mut self) -> SliceMut<'_, T> {
        match self {
            // SAFETY: as above, and `self` is borrowed for as long.
            Self::Cpu { on, address, len } => unsafe { SliceMut::from_raw(on.id(), *address, *len) },
            Self::Gpu { memory, .. } => memory.slice_mut(),
        }
    }

    /// What stands there now
    pub(crate) fn read(&self) -> Vec<T> {
        match self {
            Self::Cpu { on, address, len } => on.read(*address, *len),
            Self::Gpu { on, memory } => on.download(memory.slice()).expect("what was launched has run"),
        }
    }
}

impl<T: Element> HeapMemory<T> for Memory<T> {
    fn slice(&self) -> Slice<'_, T> {
        self.slice()
    }

    fn slice_mut(&mut self) -> SliceMut<'_, T> {
        self.slice_mut()
    }
}

impl<T: Element> Drop for Memory<T> {
    fn drop(&mut self) {
        if let Self::Cpu { on, address, .. } = self {
            on.free(*address);
        }
    }
}

/// A plan and its words in the memory of a [`Machine`]
#[derive(Debug)]
pub(crate) enum PlanMemory<P: Plan> {
    Cpu { plan: P, words: Memory<u32> },
    Gpu(cuda::PlanMemory<P>),
}

impl<P: Plan> PlanMemory<P> {
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

impl<P: Plan + Debug> HeapPlan<P> for PlanMemory<P> {
    fn view(&self) -> Placed<'_, P> {
        self.view()
    }
}

impl Heap for Machine {
    type Memory<T: Element> = Memory<T>;
    type Plan<P: Plan + Debug> = PlanMemory<P>;

    fn allocate<T: Element>(&self, n: usize) -> Result<Memory<T>, DeviceError> {
        Ok(match self {
            Self::Cpu(on) => {
                Memory::Cpu { address: on.allocate(n * T::KIND.bytes()), on: Rc::clone(on), len: n }
            }
            Self::Gpu(device) => Memory::Gpu { on: Rc::clone(device), memory: device.allocate(n)? },
        })
    }

    fn place<P: Plan + Debug>(&self, plan: P) -> Result<PlanMemory<P>, DeviceError> {
        Ok(match self {
            Self::Cpu(_) => PlanMemory::Cpu { words: self.memory(plan.words()), plan },
            Self::Gpu(device) => PlanMemory::Gpu(device.place(plan)?),
        })
    }

    fn upload<T: Element>(&self, values: &[T], to: SliceMut<'_, T>) -> Result<(), DeviceError> {
        match self {
            Self::Cpu(on) => {
                assert_eq!((values.len(), on.id()), (to.len(), to.as_slice().owner()));
                on.write(to.address(), values);
                Ok(())
            }
            Self::Gpu(device) => device.upload(values, to),
        }
    }

    fn download<T: Element>(&self, from: Slice<'_, T>) -> Result<Vec<T>, DeviceError> {
        match self {
            Self::Cpu(on) => {
                assert_eq!(on.id(), from.owner());
                Ok(on.read(from.address(), from.len()))
            }
            Self::Gpu(device) => device.download(from),
        }
    }

    fn copy<T: Element>(&self, from: Slice<'_, T>, to: SliceMut<'_, T>) -> Result<(), DeviceError> {
        match self {
            Self::Cpu(_) => self.upload(&self.download(from)?, to),
            Self::Gpu(device) => device.copy(from, to),
        }
    }

    fn zero<T: Element>(&self, to: SliceMut<'_, T>) -> Result<(), DeviceError> {
        match self {
            Self::Cpu(_) => self.upload(&vec![T::default(); to.len()], to),
            Self::Gpu(device) => device.zero(to),
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
