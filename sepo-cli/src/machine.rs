//! The device and the threads of a run.

use std::sync::{Arc, OnceLock};

use sepo_kernels::cuda::{Bf16, Device};
use sepo_model::{Cpu, Cuda, Dtype};
use sepo_train::TrainBackend;

use crate::args::MachineArgs;
use crate::console::say;
use crate::exit::{CliError, Exit};

/// What is computed on where nothing else is asked for.
const CPU: &str = "cpu";

/// What to do where a GPU cannot be had.
const USE_CPU: &str = "use `--device cpu`, or leave `--device` out";

/// Threads at most: each takes memory and time to start, and no machine has more cores that share one memory.
const MOST_THREADS: usize = 1024;

/// Where this process computes.
static CHOSEN: OnceLock<Chosen> = OnceLock::new();

/// What a process computes on.
#[derive(Debug)]
enum Place {
    Cpu,
    Gpu(Arc<Device>),
}

/// The same with its name.
#[derive(Debug)]
struct Chosen {
    place: Place,
    /// As records name it.
    name: String,
}

/// The device that [`prepare`] chose, as records name it; the CPU before that.
pub(crate) fn device() -> &'static str {
    CHOSEN.get().map_or(CPU, |chosen| &chosen.name)
}

/// Bytes that are free on the GPU that [`prepare`] chose; `None` for the CPU.
pub(crate) fn free_gpu_bytes() -> Option<u64> {
    match CHOSEN.get() {
        Some(Chosen { place: Place::Gpu(device), .. }) => {
            device.memory_bytes().ok().map(|(free, _)| free as u64)
        }
        _ => None,
    }
}

/// Work that is written once for any device.
pub(crate) trait OnDevice {
    /// What it comes to.
    type Output;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output;
}

/// Does the work on the device that [`prepare`] chose, on a GPU with numbers of type `dtype`; the CPU takes that for its
/// matrix products where the work says so.
pub(crate) fn on_device<W: OnDevice>(dtype: Dtype, work: W) -> W::Output {
    match CHOSEN.get() {
        Some(Chosen { place: Place::Gpu(device), .. }) => match dtype {
            Dtype::F32 => work.run(&Cuda::<_, f32>::new(Arc::clone(device))),
            Dtype::Bf16 => work.run(&Cuda::<_, Bf16>::new(Arc::clone(device))),
        },
        _ => work.run(&Cpu),
    }
}

/// Sets up the device that is asked for and the thread pool, and says what the run uses.
pub(crate) fn prepare(args: &MachineArgs) -> Result<(), CliError> {
    let place = place(args)?;
    let name = match &place {
        Place::Cpu => CPU.to_owned(),
        Place::Gpu(device) => format!("cuda, {} ({})", device.name(), device.architecture()),
    };
    start(args, Chosen { place, name })
}

/// The same for a command that runs on the CPU alone; a GPU is refused.
pub(crate) fn prepare_cpu(args: &MachineArgs) -> Result<(), CliError> {
    if let Place::Gpu(device) = place(args)? {
        let asked = args.device.as_deref().unwrap_or_default();
        return Err(CliError::new(
            Exit::Device,
            format!("device `{asked}`, {}, is there, but this command runs on the CPU only", device.name()),
            USE_CPU,
        ));
    }
    start(args, Chosen { place: Place::Cpu, name: CPU.to_owned() })
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
fn start(args: &MachineArgs, chosen: Chosen) -> Result<(), CliError> {
    let device = &CHOSEN.get_or_init(|| chosen).name;
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
