//! `sepo-cli doctor`

use sepo_kernels::cuda::{Device, DeviceError, probe_cublaslt, probe_driver, probe_nvrtc};
use serde::Serialize;

use crate::args::MachineArgs;
use crate::console::result;
use crate::exit::{CliError, Exit};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    found: String,
    /// What to do, where something is missing.
    fix: Option<String>,
}

pub(crate) fn run(args: &MachineArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(args)?;
    let findings = vec![
        Finding { what: "version", found: env!("CARGO_PKG_VERSION").to_owned(), fix: None },
        cores(),
        simd(),
        memory(),
        gpu(),
        library("NVRTC", probe_nvrtc()),
        library("cuBLASLt", probe_cublaslt()),
        temporary_files(),
    ];
    result(args.form(), &findings, |findings| {
        let line = |finding: &Finding| {
            let fix = finding.fix.as_ref().map(|fix| format!("\n    {fix}")).unwrap_or_default();
            format!("{:<16} {}{fix}", finding.what, finding.found)
        };
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}

fn cores() -> Finding {
    let cores = std::thread::available_parallelism().map_or_else(|e| e.to_string(), |n| n.to_string());
    Finding {
        what: "cores",
        found: format!("{cores}, of which {} are used", rayon::current_num_threads()),
        fix: None,
    }
}

#[cfg(target_arch = "x86_64")]
fn simd() -> Finding {
    let features = [
        ("AVX-512", is_x86_feature_detected!("avx512f")),
        ("AVX-512 BF16", is_x86_feature_detected!("avx512bf16")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
    ];
    let found: Vec<&str> = features.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    let slow = !(features[2].1 && features[3].1);
    let fix = slow.then(|| "without AVX2 and FMA everything works, at a fraction of the speed".to_owned());
    Finding { what: "SIMD", found: if found.is_empty() { "none".to_owned() } else { found.join(", ") }, fix }
}

#[cfg(not(target_arch = "x86_64"))]
fn simd() -> Finding {
    Finding { what: "SIMD", found: format!("as built for {}", std::env::consts::ARCH), fix: None }
}

fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let gib = |kib: u64| format!("{:.1} GiB", kib as f64 / f64::from(1 << 20));
    let found = match (kib("MemAvailable:"), kib("MemTotal:")) {
        (Some(free), Some(total)) => format!("{} free of {}", gib(free), gib(total)),
        _ => "not known on this system".to_owned(),
    };
    Finding { what: "memory", found, fix: None }
}

/// The first GPU, opened, or what is missing on the way to it
fn gpu() -> Finding {
    let found = match probe_driver().and_then(|()| Device::new(0)) {
        Err(error) => return missing("GPU", &error),
        Ok(device) => match device.memory_bytes() {
            Ok((free, total)) => {
                let gib = |bytes: usize| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
                let (name, architecture) = (device.name(), device.architecture());
                format!("{name}, {architecture}, {} free of {}", gib(free), gib(total))
            }
            Err(error) => error.to_string(),
        },
    };
    Finding { what: "GPU", found, fix: None }
}

fn library(what: &'static str, probed: Result<(), DeviceError>) -> Finding {
    match probed {
        Ok(()) => Finding { what, found: "there".to_owned(), fix: None },
        Err(error) => missing(what, &error),
    }
}

fn missing(what: &'static str, error: &DeviceError) -> Finding {
    let fix = error.fix().map(|fix| format!("only needed on a GPU: {fix}"));
    Finding { what, found: error.to_string(), fix }
}

fn temporary_files() -> Finding {
    let dir = std::env::temp_dir();
    let (found, fix) = match tempfile::tempfile() {
        Ok(_) => (format!("{} can be written", dir.display()), None),
        Err(error) => (
            format!("{}: {error}", dir.display()),
            Some("set TMPDIR to a folder that can be written".to_owned()),
        ),
    };
    Finding { what: "temporary files", found, fix }
}
