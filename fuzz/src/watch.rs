//! Panics that leave a reader, told from those that it catches.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the message of a panic instead of ending the process. Call it before the first input.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info| {
            let trace =
                std::env::var_os("SEPO_FUZZ_BACKTRACE").map(|_| std::backtrace::Backtrace::force_capture());
            LAST.with(|last| {
                let mut last = last.borrow_mut();
                last.clear();
                let _ = write!(last, "{info}");
                if let Some(trace) = trace {
                    let _ = write!(last, "\n{trace}");
                }
            });
        }));
    });
}

/// Runs one input; a panic that comes out of it ends the process, which libFuzzer reports as a crash.
pub fn watched(run: impl FnOnce()) {
    watch();
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        LAST.with(|last| eprintln!("panic: {}", last.borrow()));
        std::process::abort();
    }
}

/// Writes an error and all its causes, as the program would: that must not panic either.
pub fn describe(error: &dyn Error) {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let _ = write!(text, "{error}: {error:?}");
        next = error.source();
    }
    black_box(text);
}
