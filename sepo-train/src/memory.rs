//! How much memory the process has needed.

/// Largest resident size so far, or `None` where the system does not tell (`/proc/self/status` is Linux's).
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    parse_peak(&status)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t    42 kB\nVmRSS:\t 40 kB\n";
        assert_eq!(parse_peak(status), Some(42 * 1024));
        assert_eq!(parse_peak("Name:\tx\n"), None);
    }
}
