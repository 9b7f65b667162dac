//! Every kernel compiles for every architecture that the crate is for, down to machine code; no GPU is needed

#![cfg(feature = "cuda")]
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

use sepo_kernels::cuda::{DeviceError, Source, compile, probe_nvrtc, sources};

/// Whether there is NVRTC; says so where there is not, and fails with `SEPO_REQUIRE_NVRTC=1`
fn nvrtc() -> bool {
    let Err(reason) = probe_nvrtc() else {
        return true;
    };
    assert!(std::env::var_os("SEPO_REQUIRE_NVRTC").is_none(), "SEPO_REQUIRE_NVRTC is set, but {reason}");
    println!("skipped: {reason}; {}", reason.fix().expect("there is something to do"));
    false
}

fn has_its_kernels(source: &Source, architecture: &str) {
    let code = compile(source, architecture).unwrap_or_else(|error| panic!("{error}"));
    for kernel in source.kernels {
        let there = code.windows(kernel.len()).any(|name| name == kernel.as_bytes());
        assert!(there, "no {kernel} in {} for {architecture}", source.op);
    }
}

#[test]
fn every_kernel_compiles_for_every_architecture() {
    if !nvrtc() {
        return;
    }
    std::thread::scope(|scope| {
        for architecture in ["sm_80", "sm_90", "sm_100", "sm_120"] {
            scope.spawn(move || {
                sources().into_iter().for_each(|source| has_its_kernels(source, architecture))
            });
        }
    });
}

#[test]
fn a_text_with_a_mistake_is_an_error_with_its_line() {
    if !nvrtc() {
        return;
    }
    static WRONG: Source =
        Source { op: "wrong", text: "__global__ void wrong() { nothing(); }", kernels: &[] };
    let error = compile(&WRONG, "sm_90").expect_err("no such function");
    assert!(matches!(&error, DeviceError::Compile { log, .. } if log.contains("nothing")), "{error}");
    let error = compile(sources()[0], "sm_1").expect_err("no such architecture");
    assert!(matches!(&error, DeviceError::Compile { log, .. } if log.contains("architecture")), "{error}");
}
