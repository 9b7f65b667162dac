//! What is asked of a command from outside while it runs: by signals, and by the clock.
//!
//! Ctrl-C and SIGTERM: the first asks, the second insists. SIGUSR1 asks a training run for a checkpoint. A deadline stops
//! what is going on in time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// When everything must be on the disk.
static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// Takes signals whose default would end the process although they mean something else; to be called first of all.
pub(crate) fn listen() {
    let _ = save_flag();
    // Of a file that grows beyond `ulimit -f`: with the signal taken, the write fails, and that can be told.
    #[cfg(unix)]
    if let Err(error) = flag::register(signal_hook::consts::SIGXFSZ, Arc::default()) {
        tracing::warn!(%error, "cannot catch SIGXFSZ; a file that grows too large will end the process");
    }
}

/// What Ctrl-C and SIGTERM have come to.
struct Stop {
    asked: Arc<AtomicBool>,
    /// Nobody looks at `asked`: a signal ends the process, as it would have without us.
    is_unheard: Arc<AtomicBool>,
}

impl Stop {
    /// Takes the signals, once.
    fn get() -> &'static Self {
        static STOP: OnceLock<Stop> = OnceLock::new();
        STOP.get_or_init(|| {
            let (asked, is_unheard) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
            for signal in [SIGINT, SIGTERM] {
                // In this order: the first signal finds the flag unset, so only the second ends the process.
                let shutdown = flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked));
                let default = flag::register_conditional_default(signal, Arc::clone(&is_unheard));
                let ask = flag::register(signal, Arc::clone(&asked));
                if let Err(error) = shutdown.and(default).and(ask) {
                    tracing::warn!(%error, signal, "cannot catch this signal; it will end the run without saving");
                }
            }
            Self { asked, is_unheard }
        })
    }
}

/// Whether anybody has asked for [`interrupted`], and so looks at it to the end.
static IS_HEARD: AtomicBool = AtomicBool::new(false);

/// Set once a signal has come or the deadline has passed. The run finishes its step, saves and returns; a second signal
/// ends the process at once.
pub(crate) fn interrupted() -> &'static AtomicBool {
    let stop = Stop::get();
    IS_HEARD.store(true, Ordering::Relaxed);
    stop.is_unheard.store(false, Ordering::Relaxed);
    &stop.asked
}

/// What `work` returns, which looks at the flag that [`interrupted`] gives. Whether anybody does afterwards is not known: until
/// then, signals do what they did before.
pub(crate) fn stoppable<T>(work: impl FnOnce(&AtomicBool) -> T) -> T {
    let stop = Stop::get();
    stop.is_unheard.store(false, Ordering::Relaxed);
    let done = work(&stop.asked);
    stop.is_unheard.store(!IS_HEARD.load(Ordering::Relaxed), Ordering::Relaxed);
    done
}

/// Whether SIGUSR1 has come since the last call.
pub(crate) fn save_requested() -> bool {
    save_flag().swap(false, Ordering::Relaxed)
}

fn save_flag() -> &'static AtomicBool {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let asked = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        if let Err(error) = flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&asked)) {
            tracing::warn!(%error, "cannot catch SIGUSR1; it will end the run without saving");
        }
        asked
    })
}

/// Everything is to be on the disk when `budget` has passed from now. Training stops before, by its own measure of steps
/// and checkpoints; whatever else goes on then is interrupted.
pub(crate) fn save_by(budget: Option<Duration>) {
    let Some(deadline) = budget.and_then(|budget| Instant::now().checked_add(budget)) else { return };
    if DEADLINE.set(deadline).is_err() {
        return;
    }
    let interrupted = interrupted();
    std::thread::spawn(move || {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        interrupted.store(true, Ordering::Relaxed);
    });
}

/// The deadline of this process, where it has one.
pub(crate) fn deadline() -> Option<Instant> {
    DEADLINE.get().copied()
}
