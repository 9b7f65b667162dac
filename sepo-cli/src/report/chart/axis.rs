use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::report::number::scientific;
use crate::report::series::is_drawable;

/// One axis: its ends and the ticks on it.
///
/// plotters' own `f64` axis searches its ticks in a loop that depends on the values; this one computes at most a dozen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    labels: Vec<String>,
}

/// How an axis meets its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Margin {
    /// The axis ends where the data ends.
    None,
    /// A little room beyond the ends, except where they are zero.
    ExceptZero,
}

impl Axis {
    /// An axis over all of `values`, or `None` where none of them can be drawn.
    pub(super) fn over(values: impl Iterator<Item = f64>, margin: Margin) -> Option<Self> {
        let (low, high) =
            values.filter(|value| is_drawable(*value)).fold(None, |ends: Option<(f64, f64)>, value| {
                match ends {
                    None => Some((value, value)),
                    Some((low, high)) => Some((low.min(value), high.max(value))),
                }
            })?;
        let size = low.abs().max(high.abs());
        // A range that is no wider than the rounding of its ends gets a width that can be drawn.
        let (low, high) = if high - low > size * 1e-9 {
            (low, high)
        } else {
            let half = if size == 0.0 { 0.5 } else { size * 0.1 };
            (low - half, high + half)
        };
        let room = (high - low) * 0.05;
        let (below, above) = match margin {
            Margin::None => (0.0, 0.0),
            Margin::ExceptZero => (if low == 0.0 { 0.0 } else { room }, if high == 0.0 { 0.0 } else { room }),
        };
        Some(Self::between(low - below, high + above))
    }

    fn between(low: f64, high: f64) -> Self {
        let step = nice_step((high - low) / 7.0);
        let first = (low / step).ceil();
        let ticks: Vec<f64> = (0..12)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|tick| *tick <= high + step * 1e-6)
            .collect();
        let labels = labels(&ticks, step);
        Self { low, high, ticks, labels }
    }

    /// An axis of `names`, one unit each: name `i` stands at `i + 0.5`, the first one on top.
    pub(super) fn of_names(names: Vec<String>) -> Self {
        let ticks: Vec<f64> = (0u32..).map(|i| f64::from(i) + 0.5).take(names.len()).collect();
        Self { low: ticks.last().map_or(1.0, |last| last + 0.5), high: 0.0, ticks, labels: names }
    }

    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The label of a tick of this axis.
    pub(super) fn label(&self, tick: f64) -> String {
        self.ticks.iter().position(|own| *own == tick).map_or(String::new(), |i| self.labels[i].clone())
    }

    /// How many characters the widest label has.
    pub(super) fn label_chars(&self) -> u32 {
        self.labels.iter().filter_map(|label| u32::try_from(label.chars().count()).ok()).max().unwrap_or(1)
    }
}

/// The smallest of 1, 2, 5, 10, 20, … (and their decimal fractions) that is at least `step`.
fn nice_step(step: f64) -> f64 {
    let decade = 10f64.powf(step.log10().floor());
    let in_decade =
        [1.0, 2.0, 5.0].into_iter().map(|factor| factor * decade).find(|nice| *nice >= step * 0.999_999);
    let nice = in_decade.unwrap_or(10.0 * decade);
    // Among the smallest subnormal numbers a decade can round to zero.
    if nice > 0.0 { nice } else { f64::MIN_POSITIVE }
}

/// Labels of one style: as many decimals as the step needs, `k` and `M` for large numbers, powers of ten beyond.
fn labels(ticks: &[f64], step: f64) -> Vec<String> {
    let size = ticks.iter().fold(0.0, |size: f64, tick| size.max(tick.abs()));
    if size >= 1e9 || (size > 0.0 && size < 1e-3) {
        return ticks
            .iter()
            .map(|tick| if *tick == 0.0 { "0".into() } else { scientific(*tick, 2) })
            .collect();
    }
    let (unit, suffix) = match size {
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "size < 1e9 and step > size * 1e-10: two digits at most"
    )]
    let n_decimals = usize::try_from(-((step / unit).log10() + 1e-9).floor() as i32).unwrap_or(0);
    ticks
        .iter()
        .map(|tick| {
            // A tick that should be zero is the product of zero and the step, perhaps with a minus sign.
            let tick = if *tick == 0.0 { 0.0 } else { *tick };
            let suffix = if tick == 0.0 { "" } else { suffix };
            format!("{:.n_decimals$}{suffix}", tick / unit)
        })
        .collect()
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(-0.1, 1.1);
        let place = f64::from(limit.0) + share * f64::from(limit.1 - limit.0);
        #[expect(clippy::cast_possible_truncation, reason = "within a tenth of the chart's own units")]
        let place = place.round() as i32;
        place
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels_over(values: &[f64]) -> String {
        Axis::over(values.iter().copied(), Margin::None).map_or("none".into(), |axis| axis.labels.join(" "))
    }

    #[test]
    fn ticks_are_round_and_labels_of_one_style() {
        assert_eq!(labels_over(&[0.0, 1.0]), "0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels_over(&[-0.3, 0.694]), "-0.2 0.0 0.2 0.4 0.6");
        assert_eq!(labels_over(&[0.0, 5e-5]), "0 1e-5 2e-5 3e-5 4e-5 5e-5");
        assert_eq!(labels_over(&[0.0, 30_000.0]), "0 5k 10k 15k 20k 25k 30k");
        assert_eq!(labels_over(&[-180.0, -120.0]), "-180 -170 -160 -150 -140 -130 -120");
        assert_eq!(labels_over(&[7.0]), "6.4 6.6 6.8 7.0 7.2 7.4 7.6");
        assert_eq!(labels_over(&[f64::NAN]), "none");
    }

    proptest! {
        #[test]
        fn every_axis_can_be_drawn(values in prop::collection::vec(any::<f64>(), 1..5)) {
            if let Some(axis) = Axis::over(values.iter().copied(), Margin::ExceptZero) {
                prop_assert!(axis.low < axis.high);
                prop_assert!(axis.ticks.len() <= 12);
                for value in values.into_iter().filter(|value| is_drawable(*value)) {
                    prop_assert!((0..=100).contains(&axis.map(&value, (0, 100))));
                }
            }
        }
    }
}
