//! A share of tokens, exactly as it was written.

use std::fmt;
use std::str::FromStr;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Digits after the point that a fraction may have: as many as 128 bits hold.
const MAX_DIGITS: usize = 38;

/// Why a number is not a [`KeepFraction`].
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KeepFractionError {
    /// Not digits with at most one point.
    #[error("`{text}` is not a decimal number such as 0.3")]
    NotADecimal {
        /// What was given.
        text: String,
    },
    /// Below 0 or above 1.
    #[error("{text} is not between 0 and 1")]
    OutOfRange {
        /// What was given.
        text: String,
    },
    /// More digits than can be held exactly.
    #[error("{n_digits} digits after the point are more than the {MAX_DIGITS} that are held exactly")]
    TooManyDigits {
        /// Digits given, without trailing zeros.
        n_digits: usize,
    },
}

/// A share of the tokens of a response, from 0 to 1, held as the decimal that was written.
///
/// In binary, 0.7 · 90 is 62.99…, so a floor would keep 62 tokens of 90. Here it is 63.
///
/// # Rounding
///
/// Text is taken digit by digit. A float is taken through its shortest decimal form, which for a literal is the
/// literal: `KeepFraction::try_from(0.7)` equals `"0.7".parse()`. In JSON it is written as a string; numbers are read too.
///
/// # Examples
///
/// ```
/// use sepo_select::KeepFraction;
/// let keep: KeepFraction = "0.7".parse()?;
/// assert_eq!(keep.count(90), 63);
/// assert_eq!(keep.official_count(90), 62);
/// assert_eq!(keep.count(1), 1); // never nothing of something
/// assert_eq!(keep.count(0), 0);
/// assert!("30%".parse::<KeepFraction>().is_err());
/// # Ok::<(), sepo_select::KeepFractionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeepFraction {
    /// The digits after the point as a number, or 10^`n_digits` for 1.
    numerator: u128,
    /// How many digits; the last is not 0.
    n_digits: u32,
}

impl KeepFraction {
    /// Every token.
    pub const ALL: Self = Self { numerator: 1, n_digits: 0 };

    /// How many of `n` candidates are kept: `min(n, max(1, floor(k · n)))`, with the floor taken exactly.
    ///
    /// So at least one of at least one, also for a fraction of 0.
    #[must_use]
    pub fn count(self, n: usize) -> usize {
        self.floor_of(n).max(1).min(n)
    }

    /// How many of `n` candidates the paper's script keeps: `int(float(k) * n)` in 64-bit floating point. May be 0.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`int()` of a number from 0 to n"
    )]
    pub fn official_count(self, n: usize) -> usize {
        ((self.as_f64() * n as f64) as usize).min(n)
    }

    /// `k · n`, not rounded to tokens: the denominator that the paper writes.
    #[must_use]
    pub fn nominal(self, n: usize) -> f64 {
        self.as_f64() * n as f64
    }

    /// The nearest float.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        // Parsing rounds once; dividing two rounded integers would round three times.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// `floor(k · n)`, from the last digit to the first: with `0.abc` it is `floor((a·n + floor((b·n + floor(c·n /
    /// 10)) / 10)) / 10)`. Flooring in between loses nothing, since what is added is whole, and nothing overflows.
    fn floor_of(self, n: usize) -> usize {
        let n = n as u128;
        let mut digits = self.numerator;
        let mut floor = 0;
        for _ in 0..self.n_digits {
            floor = (digits % 10 * n + floor) / 10;
            digits /= 10;
        }
        // What is left of the digits is the integer part: 1 for the whole.
        usize::try_from(digits * n + floor).unwrap_or(usize::MAX)
    }
}

impl FromStr for KeepFraction {
    type Err = KeepFractionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_a_decimal = || KeepFractionError::NotADecimal { text: text.to_owned() };
        let (sign, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && decimals.is_empty()) || !is_digits(whole) || !is_digits(decimals) {
            return Err(not_a_decimal());
        }
        let whole = whole.trim_start_matches('0');
        let decimals = decimals.trim_end_matches('0');
        let is_zero = whole.is_empty() && decimals.is_empty();
        let is_one = whole == "1" && decimals.is_empty();
        if (sign < 0 && !is_zero) || !(whole.is_empty() || is_one) {
            return Err(KeepFractionError::OutOfRange { text: text.to_owned() });
        }
        if is_one {
            return Ok(Self::ALL);
        }
        let too_many = KeepFractionError::TooManyDigits { n_digits: decimals.len() };
        if decimals.len() > MAX_DIGITS {
            return Err(too_many);
        }
        let numerator = if is_zero { 0 } else { decimals.parse().map_err(|_| not_a_decimal())? };
        let n_digits = u32::try_from(decimals.len()).map_err(|_| too_many)?;
        Ok(Self { numerator, n_digits })
    }
}

impl TryFrom<f64> for KeepFraction {
    type Error = KeepFractionError;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        // `Display` gives the shortest digits that read back as the same float, never an exponent.
        value.to_string().parse()
    }
}

impl Default for KeepFraction {
    /// 0.3, the paper's.
    fn default() -> Self {
        Self { numerator: 3, n_digits: 1 }
    }
}

impl fmt::Display for KeepFraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.n_digits as usize {
            0 => write!(f, "{}", self.numerator),
            width => write!(f, "0.{:0width$}", self.numerator),
        }
    }
}

impl fmt::Debug for KeepFraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeepFraction({self})")
    }
}

impl Serialize for KeepFraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeepFraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FractionVisitor)
    }
}

struct FractionVisitor;

impl Visitor<'_> for FractionVisitor {
    type Value = KeepFraction;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fraction between 0 and 1")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        KeepFraction::try_from(value).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        value.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        u64::try_from(value)
            .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            .and_then(|value| self.visit_u64(value))
    }
}
