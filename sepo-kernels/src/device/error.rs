//! What can go wrong on the way to a device

use cudarc::driver::DriverError;

/// Why a device cannot be had, or did not do what it was asked for
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// A library is not installed, or not where the loader looks
    #[error("{library} is not there (looked for {looked_for})")]
    LibraryMissing {
        /// what it is
        library: &'static str,
        /// names that the loader was asked for
        looked_for: &'static str,
        /// what to do
        fix: &'static str,
    },
    /// A file that an environment variable names cannot be loaded
    #[error("`{path}`, which {variable} names, cannot be loaded: {reason}")]
    LibraryBroken {
        /// the environment variable
        variable: &'static str,
        /// what it says
        path: String,
        /// what the loader says
        reason: String,
    },
    /// There is a driver, but not that device
    #[error("there is no device {ordinal}: the driver knows {n_devices}")]
    NoSuchDevice {
        /// the device asked for
        ordinal: usize,
        /// devices there are
        n_devices: usize,
    },
    /// The device is older than what the kernels are written for
    #[error("{name} has compute capability {major}.{minor}; 8.0 is the least")]
    TooOld {
        /// what the driver calls it
        name: String,
        /// its compute capability
        major: i32,
        /// the same, after the point
        minor: i32,
    },
    /// A call of the driver failed
    #[error("{call} failed: {reason}")]
    Driver {
        /// what was asked for
        call: &'static str,
        /// what the driver says
        reason: String,
    },
    /// NVRTC refused a kernel
    #[error("the kernels of `{op}` do not compile for {architecture}: {log}")]
    Compile {
        /// the operation
        op: &'static str,
        /// such as `sm_90`
        architecture: String,
        /// what the compiler says
        log: String,
    },
    /// cuBLASLt refused a product
    #[error("cuBLASLt: the product [{m}, {k}] [{k}, {n}] failed: {reason}")]
    Matmul {
        /// rows of the result
        m: usize,
        /// columns of the result
        n: usize,
        /// values that each result sums
        k: usize,
        /// its status
        reason: String,
    },
}

impl DeviceError {
    /// What to do about it, where that is known
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        match self {
            Self::LibraryMissing { fix, .. } => Some(fix),
            Self::LibraryBroken { .. } => Some("let it name the file of the library, or unset it"),
            Self::NoSuchDevice { .. } => {
                Some("`nvidia-smi` lists the devices; CUDA_VISIBLE_DEVICES may hide some")
            }
            Self::TooOld { .. } => Some("use `--device cpu`"),
            Self::Driver { .. } | Self::Compile { .. } | Self::Matmul { .. } => None,
        }
    }
}

/// The error of a call of the driver
pub(super) fn failed(call: &'static str) -> impl FnOnce(DriverError) -> DeviceError {
    move |error| DeviceError::Driver { call, reason: format!("{error:?}") }
}
