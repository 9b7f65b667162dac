//! The device and the threads of a run.

use crate::args::MachineArgs;
use crate::console::say;
use crate::exit::{CliError, Exit};

/// Threads at most: each takes memory and time to start, and no machine has more cores that share one memory.
const MOST_THREADS: usize = 1024;

/// Sets up the thread pool and says what the run uses.
pub(crate) fn prepare(args: &MachineArgs) -> Result<(), CliError> {
    match args.device.as_deref() {
        None | Some("cpu") => {}
        Some(cuda)
            if cuda == "cuda" || cuda.strip_prefix("cuda:").is_some_and(|n| n.parse::<u32>().is_ok()) =>
        {
            return Err(CliError::new(
                Exit::Device,
                format!("device `{cuda}` asked for, but this program runs on the CPU only"),
                "use `--device cpu`, or leave `--device` out",
            ));
        }
        Some(other) => {
            return Err(CliError::usage(
                format!("`{other}` is no device"),
                "use `cpu`, or `cuda` with an optional number, such as `cuda:0`",
            ));
        }
    }
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
    say(format!("device: cpu ({chosen}), {} threads", rayon::current_num_threads()));
    Ok(())
}
