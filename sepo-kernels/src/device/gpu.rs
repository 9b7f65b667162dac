//! An NVIDIA GPU: its memory, and launches in one stream

#![expect(unsafe_code, reason = "memory and launches of a device")]

use super::cublaslt::Products;
use super::error::failed;
use super::memory::DeviceMemory;
use super::placed::PlanMemory;
use super::pool::keep_freed;
use super::{
    DeviceError, Element, Executor, ExecutorId, Heap, Kernel, Launch, MatrixProduct, Plan, Source, compiled,
    probe_cublaslt, probe_driver, probe_nvrtc, sources,
};
use cudarc::driver::sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
use cudarc::driver::sys::CUfunction_attribute_enum::{
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES,
};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaStream, LaunchConfig, PushKernelArg, sys};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A GPU, with one stream in which all that is asked for runs in its order
///
/// Kernels are compiled when they are first used, or by [`warm_up`](Self::warm_up), and kept on the disk.
#[derive(Debug)]
pub struct Device {
    id: ExecutorId,
    pub(super) stream: Arc<CudaStream>,
    products: Products,
    /// by the address of their source: operations of other crates may have the names of ours
    modules: Mutex<HashMap<usize, Arc<CudaModule>>>,
    /// by the address of their source, and name
    functions: Mutex<HashMap<(usize, &'static str), Loaded>>,
    name: String,
    /// such as `sm_90`
    architecture: String,
    /// version of the driver
    driver: String,
    /// bytes of shared memory that a block may ask for
    most_shared: i32,
}

/// A kernel that can be launched
#[derive(Clone, Debug)]
struct Loaded {
    function: CudaFunction,
    /// as its text declares them
    n_parameters: usize,
}

impl Device {
    /// The device with this number, as the driver counts
    ///
    /// # Errors
    /// [`DeviceError::LibraryMissing`] or [`DeviceError::LibraryBroken`] where the driver, NVRTC or cuBLASLt cannot be loaded,
    /// [`DeviceError::NoSuchDevice`] or [`DeviceError::TooOld`] for the device, [`DeviceError::Driver`] where the driver
    /// fails, for example since its kernel module is not loaded.
    pub fn new(ordinal: usize) -> Result<Self, DeviceError> {
        // cudarc panics on a library that is missing: all three are asked for before it is.
        probe_driver()?;
        probe_nvrtc()?;
        probe_cublaslt()?;
        let n_devices = CudaContext::device_count().map_err(failed("counting devices"))?;
        let n_devices = usize::try_from(n_devices).unwrap_or(0);
        if ordinal >= n_devices {
            return Err(DeviceError::NoSuchDevice { ordinal, n_devices });
        }
        let context = CudaContext::new(ordinal).map_err(failed("opening the device"))?;
        let name = context.name().map_err(failed("asking for the device's name"))?;
        let (major, minor) = context.compute_capability().map_err(failed("asking for the architecture"))?;
        if major < 8 {
            return Err(DeviceError::TooOld { name, major, minor });
        }
        // SAFETY: a `Device` has one stream, in which all that is done with its memory runs in the order of the calls; no
        // other `Device` gets to that memory, as it is not its owner. So nothing needs an event to wait for.
        unsafe { context.disable_event_tracking() };
        keep_freed(&context);
        let stream = context.new_stream().map_err(failed("making a stream"))?;
        let most_shared = context
            .attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
            .map_err(failed("asking for shared memory"))?;
        Ok(Self {
            id: ExecutorId::unique(),
            products: Products::new(&stream)?,
            stream,
            modules: Mutex::default(),
            functions: Mutex::default(),
            name,
            architecture: format!("sm_{major}{minor}"),
            driver: driver_version()?,
            most_shared,
        })
    }

    /// What the driver calls it
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its architecture, such as `sm_90`
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Bytes of its memory that are free, and all
    ///
    /// # Errors
    /// [`DeviceError::Driver`] where the driver fails.
    pub fn memory_bytes(&self) -> Result<(usize, usize), DeviceError> {
        self.stream.context().mem_get_info().map_err(failed("asking for free memory"))
    }

    /// Compiles and loads every kernel, so that no step waits for a compiler
    ///
    /// # Errors
    /// [`DeviceError::Compile`] or [`DeviceError::Driver`].
    pub fn warm_up(&self) -> Result<(), DeviceError> {
        for source in sources() {
            for name in source.kernels {
                self.function(Kernel { source, name })?;
            }
        }
        Ok(())
    }

    /// Memory that holds `values`
    ///
    /// # Errors
    /// [`DeviceError::Driver`] where there is not enough, or the driver fails.
    pub fn memory<T: Element>(&self, values: &[T]) -> Result<DeviceMemory<T>, DeviceError> {
        let mut memory = self.allocate(values.len())?;
        self.upload(values, memory.slice_mut())?;
        Ok(memory)
    }

    /// Memory that holds `n` zeros
    ///
    /// # Errors
    /// As [`memory`](Self::memory).
    pub fn zeros<T: Element>(&self, n: usize) -> Result<DeviceMemory<T>, DeviceError> {
        let mut memory = self.allocate(n)?;
        self.zero(memory.slice_mut())?;
        Ok(memory)
    }

    /// `plan`, with its words in memory of the device
    ///
    /// # Errors
    /// As [`memory`](Self::memory).
    pub fn place<P: Plan>(&self, plan: P) -> Result<PlanMemory<P>, DeviceError> {
        let words = self.memory(plan.words())?;
        Ok(PlanMemory::new(plan, words))
    }

    /// Waits until all that was asked for has run
    ///
    /// # Errors
    /// [`DeviceError::Driver`] where something of it failed.
    pub fn synchronize(&self) -> Result<(), DeviceError> {
        self.stream.synchronize().map_err(failed("waiting for the device"))
    }

    fn function(&self, kernel: Kernel) -> Result<Loaded, DeviceError> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (std::ptr::from_ref(kernel.source).addr(), kernel.name);
        if let Some(loaded) = functions.get(&key) {
            return Ok(loaded.clone());
        }
        let n_parameters = kernel.source.n_parameters(kernel.name).expect("the text declares its kernels");
        let function =
            self.module(kernel.source)?.load_function(kernel.name).map_err(failed("loading a kernel"))?;
        // More than 48 KiB of shared memory must be asked for; what the kernel's text has counts, too.
        let own = function
            .get_attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
            .map_err(failed("reading a kernel"))?;
        function
            .set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, self.most_shared - own)
            .map_err(failed("asking for shared memory"))?;
        let loaded = Loaded { function, n_parameters };
        functions.insert(key, loaded.clone());
        Ok(loaded)
    }

    fn module(&self, source: &'static Source) -> Result<Arc<CudaModule>, DeviceError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let key = std::ptr::from_ref(source).addr();
        if let Some(module) = modules.get(&key) {
            return Ok(module.clone());
        }
        let code = compiled(source, &self.architecture, &self.driver)?;
        let module = self.stream.context().load_module(Ptx::from_binary(code));
        let module = module.map_err(failed("loading kernels"))?;
        modules.insert(key, module.clone());
        Ok(module)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Kernels may still run, of modules that are about to be unloaded. Who waits for an error synchronizes before.
        self.synchronize().ok();
    }
}

impl Executor for Device {
    fn id(&self) -> ExecutorId {
        self.id
    }

    unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), DeviceError> {
        launch.check(self.id);
        let Loaded { function, n_parameters } = self.function(launch.kernel)?;
        assert_eq!(launch.args.len(), n_parameters, "arguments of `{}`", launch.kernel.name);
        let words: Vec<u64> = launch.args.iter().map(super::Arg::word).collect();
        let mut builder = self.stream.launch_builder(&function);
        for word in &words {
            // The driver reads as many bytes as the parameter has: those at the low end.
            builder.arg(word);
        }
        let [x, y, z] = launch.grid;
        let config = LaunchConfig {
            grid_dim: (x, y, z),
            block_dim: (launch.block, 1, 1),
            shared_mem_bytes: launch.shared_bytes,
        };
        // SAFETY: the caller's: the arguments are the kernel's, as many as the driver reads, and memory that may be touched;
        // that it is this device's was checked above.
        unsafe { builder.launch(config) }.map_err(failed("launching a kernel"))?;
        Ok(())
    }

    unsafe fn matmul(&self, product: &MatrixProduct) -> Result<(), DeviceError> {
        product.check(self.id);
        // SAFETY: the caller's; that memory is this device's and ends behind the matrices was checked above.
        unsafe { self.products.run(product, &self.stream) }
    }
}

fn driver_version() -> Result<String, DeviceError> {
    let mut version = 0;
    // SAFETY: a number to write to.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }
        .result()
        .map_err(failed("asking for its version"))?;
    Ok(version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_device_says_what_is_missing_and_what_to_do() {
        match Device::new(0) {
            Ok(device) => println!("skipped: there is {}", device.name()),
            Err(error) => {
                assert!(
                    std::env::var_os("SEPO_REQUIRE_CUDA").is_none(),
                    "SEPO_REQUIRE_CUDA is set, but {error}"
                );
                if let DeviceError::LibraryMissing { fix, .. } = &error {
                    assert!(error.to_string().contains("is not there") && !fix.is_empty());
                }
                println!("{error}; {:?}", error.fix());
            }
        }
    }
}
