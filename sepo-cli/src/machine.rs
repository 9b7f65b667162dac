//! The device and the threads of a run.

use std::sync::OnceLock;

use sepo_kernels::cuda::Device;

use crate::args::MachineArgs;
use crate::console::say;
use crate::exit::{CliError, Exit};

/// What is computed on where nothing else is asked for.
const CPU: &str = "cpu";

/// Threads at most: each takes memory and time to start, and no machine has more cores that share one memory.
const MOST_THREADS: usize = 1024;

/// Where this process computes.
static DEVICE: OnceLock<&'static str> = OnceLock::new();

/// The device that [`prepare`] chose, as records name it; the CPU before that.
pub(crate) fn device() -> &'static str {
    DEVICE.get().copied().unwrap_or(CPU)
}

/// Sets up the device and the thread pool, and says what the run uses.
pub(crate) fn prepare(args: &MachineArgs) -> Result<(), CliError> {
    let device = match args.device.as_deref() {
        None | Some(CPU) => CPU,
        Some(device) if ordinal(device).is_some() => {
            return Err(not_on(device, ordinal(device).unwrap_or_default()));
        }
        Some(other) => {
            return Err(CliError::usage(
                format!("`{other}` is no device"),
                "use `cpu`, or `cuda` with an optional number, such as `cuda:0`",
            ));
        }
    };
    DEVICE.get_or_init(|| device);
    if let Some(threads) = args.threads {
        if threads.get() > MOST_THREADS {
            return Err(CliError::usage(
                format!(
                    "`--threads {threads}` is more than the {MOST_THREADS} threads that make sense anywhere"
                ),
                "leave `--threads` out for one a core",
            ));
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()
            .map_err(|error| CliError::of(Exit::Usage, error))?;
    }
    let chosen = if args.device.is_some() { "as asked" } else { "the only device of this build" };
    say(format!("device: {device} ({chosen}), {} threads", rayon::current_num_threads()));
    Ok(())
}

/// The number of a GPU: `cuda` is the first
fn ordinal(device: &str) -> Option<usize> {
    match device.strip_prefix("cuda")? {
        "" => Some(0),
        number => number.strip_prefix(':')?.parse().ok(),
    }
}

/// Why a command does not run on a GPU: what is missing here, or, where nothing is, that no command does yet
fn not_on(device: &str, ordinal: usize) -> CliError {
    let cpu = "use `--device cpu`, or leave `--device` out";
    match Device::new(ordinal) {
        Ok(there) => CliError::new(
            Exit::Device,
            format!("device `{device}`, {}, is there, but commands run on the CPU only so far", there.name()),
            cpu,
        ),
        Err(error) => {
            let fix = error.fix().map_or_else(|| cpu.to_owned(), |fix| format!("{fix}; or {cpu}"));
            CliError::new(Exit::Device, format!("device `{device}` asked for, but {error}"), fix)
        }
    }
}
