//! Ctrl-C and SIGTERM: the first asks, the second insists.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Set once a signal has come. The run finishes its step, saves and returns; a second signal ends the process at once.
pub(crate) fn interrupted() -> &'static AtomicBool {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, so only the second ends the process.
            let shutdown = flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked));
            let ask = flag::register(signal, Arc::clone(&asked));
            if let Err(error) = shutdown.and(ask) {
                tracing::warn!(%error, signal, "cannot catch this signal; it will end the run without saving");
            }
        }
        asked
    })
}
