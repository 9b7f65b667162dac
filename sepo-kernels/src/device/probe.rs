//! Whether CUDA's libraries are there, asked before cudarc is: it panics on one that is missing

#![expect(unsafe_code, reason = "loading a library runs its initialisers")]

use super::DeviceError;
use cudarc::{cublaslt, driver, nvrtc};
use std::sync::OnceLock;

/// Whether there is a driver
///
/// # Errors
/// [`DeviceError::LibraryMissing`] where there is not.
pub fn probe_driver() -> Result<(), DeviceError> {
    static THERE: OnceLock<bool> = OnceLock::new();
    // SAFETY: the driver's library may be loaded at any time.
    if *THERE.get_or_init(|| unsafe { driver::sys::is_culib_present() }) {
        return Ok(());
    }
    Err(DeviceError::LibraryMissing {
        library: "the NVIDIA driver",
        looked_for: "libcuda.so.1",
        fix: "install the driver, or start the container with its GPUs (`--gpus all`)",
    })
}

/// Whether there is a compiler for kernels: the library that `SEPO_NVRTC` names, or one that the loader finds
///
/// # Errors
/// [`DeviceError::LibraryMissing`] where there is none, [`DeviceError::LibraryBroken`] where `SEPO_NVRTC` names a file that
/// cannot be loaded.
pub fn probe_nvrtc() -> Result<(), DeviceError> {
    static THERE: OnceLock<Result<(), DeviceError>> = OnceLock::new();
    THERE.get_or_init(|| probe_named("SEPO_NVRTC").and_then(|()| find_nvrtc())).clone()
}

fn find_nvrtc() -> Result<(), DeviceError> {
    // SAFETY: NVRTC may be loaded at any time.
    if unsafe { nvrtc::sys::is_culib_present() } {
        return Ok(());
    }
    Err(DeviceError::LibraryMissing {
        library: "NVRTC, which compiles the kernels,",
        looked_for: "libnvrtc.so, libnvrtc.so.13, libnvrtc.so.12",
        fix: "`pip install nvidia-cuda-nvrtc`, and let SEPO_NVRTC name its libnvrtc.so.13 or LD_LIBRARY_PATH the folder",
    })
}

/// Whether there is a library of matrix products: the one that `SEPO_CUBLASLT` names, or one that the loader finds
///
/// # Errors
/// [`DeviceError::LibraryMissing`] where there is none, [`DeviceError::LibraryBroken`] where `SEPO_CUBLASLT` names a file
/// that cannot be loaded.
pub fn probe_cublaslt() -> Result<(), DeviceError> {
    static THERE: OnceLock<Result<(), DeviceError>> = OnceLock::new();
    THERE.get_or_init(|| probe_named("SEPO_CUBLASLT").and_then(|()| find_cublaslt())).clone()
}

fn find_cublaslt() -> Result<(), DeviceError> {
    // SAFETY: cuBLASLt may be loaded at any time.
    if unsafe { cublaslt::sys::is_culib_present() } {
        return Ok(());
    }
    Err(DeviceError::LibraryMissing {
        library: "cuBLASLt, which multiplies matrices,",
        looked_for: "libcublasLt.so, libcublasLt.so.13, libcublasLt.so.12",
        fix: "`pip install nvidia-cublas`, and let SEPO_CUBLASLT name its libcublasLt.so.13 or LD_LIBRARY_PATH the folder",
    })
}

/// Loads the file that `variable` names, for good: who asks for the library by name then gets this one
fn probe_named(variable: &'static str) -> Result<(), DeviceError> {
    let Some(path) = std::env::var_os(variable) else {
        return Ok(());
    };
    load(&path).map_err(|reason| {
        let path = path.to_string_lossy().into_owned();
        DeviceError::LibraryBroken { variable, path, reason }
    })
}

#[cfg(unix)]
fn load(path: &std::ffi::OsStr) -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: whoever set the variable vouches for the library; its initialisers are those of the one found by name.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    std::mem::forget(library.map_err(|error| error.to_string())?);
    Ok(())
}

#[cfg(not(unix))]
fn load(path: &std::ffi::OsStr) -> Result<(), String> {
    // SAFETY: whoever set the variable vouches for the library; its initialisers are those of the one found by name.
    let library = unsafe { libloading::Library::new(path) };
    std::mem::forget(library.map_err(|error| error.to_string())?);
    Ok(())
}
