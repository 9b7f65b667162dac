//! The device and the threads of a run.

use std::sync::{Arc, OnceLock};

use sepo_kernels::cuda::Device;

use crate::args::MachineArgs;
use crate::console::say;
use crate::exit::{CliError, Exit};

/// What is computed on where nothing else is asked for.
const CPU: &str = "cpu";

/// What to do where a GPU cannot be had.
const USE_CPU: &str = "use `--device cpu`, or leave `--device` out";

/// Threads at most: each takes memory and time to start, and no machine has more cores that share one memory.
const MOST_THREADS: usize = 1024;

/// Where this process computes, as records name it.
static DEVICE: OnceLock<String> = OnceLock::new();

/// The device that [`prepare`] chose, as records name it; the CPU before that.
pub(crate) fn device() -> &'static str {
    DEVICE.get().map_or(CPU, String::as_str)
}

/// What a command computes on.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Cpu,
    Gpu(Arc<Device>),
}

/// Sets up the CPU and the thread pool, and says what the run uses; a GPU is refused.
pub(crate) fn prepare(args: &MachineArgs) -> Result<(), CliError> {
    if let Place::Gpu(device) = place(args)? {
        let asked = args.device.as_deref().unwrap_or_default();
        return Err(CliError::new(
            Exit::Device,
            format!(
                "device `{asked}`, {}, is there, but this command runs on the CPU only so far",
                device.name()
            ),
            USE_CPU,
        ));
    }
    start(args, CPU.to_owned())
}

/// The same for a command that runs on a GPU, too, where one is asked for.
pub(crate) fn prepare_any(args: &MachineArgs) -> Result<Place, CliError> {
    let place = place(args)?;
    let device = match &place {
        Place::Cpu => CPU.to_owned(),
        Place::Gpu(device) => format!("cuda, {} ({})", device.name(), device.architecture()),
    };
    start(args, device)?;
    Ok(place)
}

/// The device that is asked for; the CPU where none is.
fn place(args: &MachineArgs) -> Result<Place, CliError> {
    match args.device.as_deref() {
        None | Some(CPU) => Ok(Place::Cpu),
        Some(device) => match ordinal(device) {
            Some(number) => gpu(device, number).map(|device| Place::Gpu(Arc::new(device))),
            None => Err(CliError::usage(
                format!("`{device}` is no device"),
                "use `cpu`, or `cuda` with an optional number, such as `cuda:0`",
            )),
        },
    }
}

/// Starts threads and says on what the run computes.
fn start(args: &MachineArgs, device: String) -> Result<(), CliError> {
    let device = DEVICE.get_or_init(|| device);
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
    let chosen = if args.device.is_some() { "as asked" } else { "the default" };
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

/// The GPU of this number, or what is missing here.
fn gpu(asked: &str, ordinal: usize) -> Result<Device, CliError> {
    Device::new(ordinal).map_err(|error| {
        let fix = error.fix().map_or_else(|| USE_CPU.to_owned(), |fix| format!("{fix}; or {USE_CPU}"));
        CliError::new(Exit::Device, format!("device `{asked}` asked for, but {error}"), fix)
    })
}
