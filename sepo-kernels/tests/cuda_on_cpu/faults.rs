//! That mistakes of kernels are seen: without this, what passes would mean little

#![expect(unsafe_code, reason = "wrong launches are made on purpose")]

use crate::build::FAULTS;
use crate::process::OnCpu;
use sepo_kernels::cuda::{Arg, Element, ElementKind, Executor, Kernel, Launch, Pointer};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn floats_at(on: &OnCpu, address: u64) -> Pointer {
    Pointer { owner: Some(on.id()), address, kind: f32::KIND }
}

fn launch(on: &OnCpu, name: &'static str, shared_bytes: u32, args: &[Arg]) {
    let kernel = Kernel { source: &FAULTS, name };
    let launch = Launch { kernel, grid: [1, 1, 1], block: 64, shared_bytes, args };
    // SAFETY: no memory of this process is at stake, and a wrong launch is what is looked for.
    unsafe { on.launch(&launch) }.expect("a launch");
}

/// What is said of a launch that must fail
fn said(name: &'static str, shared_bytes: u32, more: &[Arg]) -> Option<String> {
    let on = OnCpu::new(1)?;
    let args = [&[Arg::Write(floats_at(&on, on.allocate(64 * 4)))], more].concat();
    let failed = catch_unwind(AssertUnwindSafe(|| launch(&on, name, shared_bytes, &args)));
    let said = failed.expect_err("the mistake is seen");
    Some(said.downcast_ref::<String>().expect("what the process said").clone())
}

#[test]
fn a_value_beyond_an_array_or_beyond_shared_memory_is_seen() {
    if std::env::var_os("SEPO_TSAN").is_some() {
        return; // another sanitizer's business
    }
    let Some(on) = OnCpu::new(1) else { return };
    let (from, to) = (on.allocate(64 * 4), on.allocate(64 * 4));
    let args = |n| [Arg::Read(floats_at(&on, from)), Arg::Write(floats_at(&on, to)), Arg::U32(n)];
    launch(&on, "reads_beyond", 0, &args(63));
    let failed = catch_unwind(AssertUnwindSafe(|| launch(&on, "reads_beyond", 0, &args(64))));
    let said_of_reading = failed.expect_err("the mistake is seen");
    let said_of_reading = said_of_reading.downcast_ref::<String>().expect("what the process said");
    assert!(said_of_reading.contains("heap-buffer-overflow"), "{said_of_reading}");
    let said = said("shares_beyond", 4 * 63, &[]).expect("there is a compiler");
    assert!(said.contains("use-after-poison"), "{said}");
}

#[test]
fn threads_that_do_not_meet_are_seen() {
    if std::env::var_os("SEPO_TSAN").is_some() {
        return; // threads of the operating system would wait for ever
    }
    for name in ["leaves_early", "shuffles_alone"] {
        let Some(said) = said(name, 0, &[]) else { return };
        assert!(said.contains("threads wait at different barriers"), "{said}");
    }
}

#[test]
fn a_missing_barrier_shows_in_an_order_of_threads_or_to_the_sanitizer() {
    let backwards: Vec<f32> = (0..64_u8).rev().map(f32::from).collect();
    let wrong = [1, 77].into_iter().filter_map(OnCpu::new).any(|on| {
        let y = on.allocate(64 * 4);
        let args = [Arg::Write(floats_at(&on, y))];
        let ran = catch_unwind(AssertUnwindSafe(|| launch(&on, "lacks_a_barrier", 0, &args)));
        ran.is_err() || on.read::<f32>(y, 64) != backwards
    });
    assert!(wrong || OnCpu::new(1).is_none(), "no order shows it");
}

#[test]
fn a_list_of_other_arguments_is_seen() {
    let null = Pointer { owner: None, address: 0, kind: ElementKind::Bf16 };
    for more in [&[Arg::U32(1)][..], &[Arg::Read(null)]] {
        let Some(said) = said("leaves_early", 0, more) else { return };
        assert!(said.contains("takes f*!") && said.contains("was given f*!"), "{said}");
    }
}
