//! An NVIDIA GPU: its memory, and launches in one stream

#![expect(unsafe_code, reason = "memory and launches of a device")]

use super::cublaslt::Products;
use super::memory::DeviceMemory;
use super::{
    DeviceError, Element, Executor, Kernel, Launch, MatrixProduct, Source, compiled, probe_cublaslt,
    probe_driver, probe_nvrtc, sources,
};
use cudarc::driver::sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
use cudarc::driver::sys::CUfunction_attribute_enum::{
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES,
};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaStream, DriverError, LaunchConfig, PushKernelArg, sys,
};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A GPU, with one stream in which all that is asked for runs in its order
///
/// Kernels are compiled when they are first used, or by [`warm_up`](Self::warm_up), and kept on the disk.
#[derive(Debug)]
pub struct Device {
    stream: Arc<CudaStream>,
    products: Products,
    modules: Mutex<HashMap<&'static str, Arc<CudaModule>>>,
    /// by operation and name
    functions: Mutex<HashMap<(&'static str, &'static str), CudaFunction>>,
    name: String,
    /// such as `sm_90`
    architecture: String,
    /// version of the driver
    driver: String,
    /// bytes of shared memory that a block may ask for
    most_shared: i32,
}

/// The error of a call of the driver
pub(super) fn failed(call: &'static str) -> impl FnOnce(DriverError) -> DeviceError {
    move |error| DeviceError::Driver { call, reason: format!("{error:?}") }
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
        // SAFETY: there is one stream, in which everything runs in its order; nothing needs an event to wait for.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(failed("making a stream"))?;
        let most_shared = context
            .attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
            .map_err(failed("asking for shared memory"))?;
        Ok(Self {
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
        let mut memory = DeviceMemory::unset(&self.stream, values.len())?;
        memory.write(values)?;
        Ok(memory)
    }

    /// Memory that holds `n` zeros
    ///
    /// # Errors
    /// As [`memory`](Self::memory).
    pub fn zeros<T: Element>(&self, n: usize) -> Result<DeviceMemory<T>, DeviceError> {
        let mut memory = DeviceMemory::unset(&self.stream, n)?;
        memory.fill_zero()?;
        Ok(memory)
    }

    /// Waits until all that was asked for has run
    ///
    /// # Errors
    /// [`DeviceError::Driver`] where something of it failed.
    pub fn synchronize(&self) -> Result<(), DeviceError> {
        self.stream.synchronize().map_err(failed("waiting for the device"))
    }

    fn function(&self, kernel: Kernel) -> Result<CudaFunction, DeviceError> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(&(kernel.source.op, kernel.name)) {
            return Ok(function.clone());
        }
        let function =
            self.module(kernel.source)?.load_function(kernel.name).map_err(failed("loading a kernel"))?;
        // More than 48 KiB of shared memory must be asked for; what the kernel's text has counts, too.
        let own = function
            .get_attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
            .map_err(failed("reading a kernel"))?;
        function
            .set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, self.most_shared - own)
            .map_err(failed("asking for shared memory"))?;
        functions.insert((kernel.source.op, kernel.name), function.clone());
        Ok(function)
    }

    fn module(&self, source: &'static Source) -> Result<Arc<CudaModule>, DeviceError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(source.op) {
            return Ok(module.clone());
        }
        let code = compiled(source, &self.architecture, &self.driver)?;
        let module = self.stream.context().load_module(Ptx::from_binary(code));
        let module = module.map_err(failed("loading kernels"))?;
        modules.insert(source.op, module.clone());
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
    unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), DeviceError> {
        let function = self.function(launch.kernel)?;
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
        // SAFETY: the caller's: the arguments are the kernel's, and memory of this device that may be touched.
        unsafe { builder.launch(config) }.map_err(failed("launching a kernel"))?;
        Ok(())
    }

    unsafe fn matmul(&self, product: &MatrixProduct) -> Result<(), DeviceError> {
        // SAFETY: the caller's.
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
