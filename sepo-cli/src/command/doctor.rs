//! `sepo-cli doctor`

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
    fix: Option<&'static str>,
}

pub(crate) fn run(args: &MachineArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(args)?;
    let findings = vec![
        Finding { what: "version", found: env!("CARGO_PKG_VERSION").to_owned(), fix: None },
        cores(),
        simd(),
        memory(),
        gpu(),
        nvrtc(),
        temporary_files(),
    ];
    result(args.form(), &findings, |findings| {
        let line = |finding: &Finding| {
            let fix = finding.fix.map(|fix| format!("\n    {fix}")).unwrap_or_default();
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
    let fix = slow.then_some("without AVX2 and FMA everything works, at a fraction of the speed");
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

fn gpu() -> Finding {
    let driver = std::fs::read_to_string("/proc/driver/nvidia/version").ok();
    let found = driver.and_then(|text| text.lines().next().map(str::to_owned));
    Finding {
        what: "GPU",
        fix: found.is_none().then_some("no NVIDIA driver; commands run on the CPU"),
        found: found.unwrap_or_else(|| "none".to_owned()),
    }
}

fn nvrtc() -> Finding {
    let folders = ["/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"];
    let found =
        folders.iter().flat_map(std::fs::read_dir).flatten().flatten().map(|entry| entry.path()).find(
            |path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libnvrtc.so")),
        );
    Finding {
        what: "NVRTC",
        fix: found.is_none().then_some("only needed on a GPU, which this build does not use"),
        found: found.map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
    }
}

fn temporary_files() -> Finding {
    let dir = std::env::temp_dir();
    let (found, fix) = match tempfile::tempfile() {
        Ok(_) => (format!("{} can be written", dir.display()), None),
        Err(error) => {
            (format!("{}: {error}", dir.display()), Some("set TMPDIR to a folder that can be written"))
        }
    };
    Finding { what: "temporary files", found, fix }
}
