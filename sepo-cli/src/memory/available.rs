//! How much memory the system has to give.

use std::fs::read_to_string;

/// What is assumed where the system does not tell.
const UNTOLD: u64 = 4 << 30;

/// Bytes that this process may still take: what the system has free, or less where its control group has less.
pub(super) fn available_bytes() -> u64 {
    let system = read_to_string("/proc/meminfo").ok().and_then(|text| mem_available(&text));
    let number = |path: &str| read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(most, current)| most.saturating_sub(current));
    [system, group].into_iter().flatten().min().unwrap_or(UNTOLD)
}

fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_read_in_bytes() {
        let text = "MemTotal:  900 kB\nMemFree: 3 kB\nMemAvailable:     42 kB\n";
        assert_eq!(mem_available(text), Some(42 << 10));
        assert_eq!(mem_available("MemTotal: 900 kB\n"), None);
        assert!(available_bytes() > 0);
    }
}
