//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes, written as `1GiB`, `1.5 GB`, `512M` or `1048576`.
///
/// `K`, `M`, `G` and `T` are powers of 1024, with or without `iB`; with `B` alone they are powers of 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(pub(crate) u64);

/// Why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of bytes above 0, such as 512MiB, 1.5GiB or 1048576")]
pub(crate) struct NoByteSize;

impl FromStr for ByteSize {
    type Err = NoByteSize;

    fn from_str(text: &str) -> Result<Self, NoByteSize> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit: f64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "k" | "kib" => 1024.0,
            "m" | "mib" => 1024f64.powi(2),
            "g" | "gib" => 1024f64.powi(3),
            "t" | "tib" => 1024f64.powi(4),
            "kb" => 1e3,
            "mb" => 1e6,
            "gb" => 1e9,
            "tb" => 1e12,
            _ => return Err(NoByteSize),
        };
        let bytes = number.parse::<f64>().map_err(|_| NoByteSize)? * unit;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no sign, and above 2^64 it saturates"
        )]
        let bytes = bytes as u64;
        if bytes == 0 { Err(NoByteSize) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for ByteSize {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0 as f64, "B");
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, larger);
        }
        let rounded = (value * 10.0).round() / 10.0;
        write!(f, "{rounded}{unit}")
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("1GiB", 1 << 30),
            ("1g", 1 << 30),
            ("1.5 GiB", 3 << 29),
            ("512MiB", 512 << 20),
            ("2GB", 2_000_000_000),
            ("64k", 64 << 10),
            ("1048576", 1 << 20),
            ("7B", 7),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "GiB", "1XB", "-1GiB", "1..5G", "0", "0.2", "1 G iB", "one"] {
            assert_eq!(text.parse::<ByteSize>(), Err(NoByteSize), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_with_a_unit() {
        let shown = [900, 1 << 10, 3 << 29, 1 << 30].map(|bytes| ByteSize(bytes).to_string());
        assert_eq!(shown, ["900B", "1KiB", "1.5GiB", "1GiB"]);
    }
}
