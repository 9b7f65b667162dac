use super::series::is_drawable;
use super::{Histogram, HistogramSeries};

impl Histogram {
    /// The counts of each set of values in `n_bins` equal bins over the middle 99.5 % of all of them together.
    ///
    /// What lies beyond is counted in the outermost bins, so that a few outliers do not press the rest into one bin.
    /// Values that are not finite are left out. No values: no bins.
    ///
    /// ```
    /// use sepo_cli::report::Histogram;
    /// let histogram = Histogram::from_values("scores", "nats", &[("chosen", &[0.0, 0.1, 1.0])], 2);
    /// assert_eq!(histogram.edges, [0.0, 0.5, 1.0]);
    /// assert_eq!(histogram.series[0].counts, [2, 1]);
    /// ```
    pub fn from_values(title: &str, x_label: &str, sets: &[(&str, &[f32])], n_bins: usize) -> Self {
        let n_bins = n_bins.max(1);
        let mut all: Vec<f64> =
            sets.iter().flat_map(|set| set.1).copied().map(f64::from).filter(is_finite).collect();
        all.sort_by(f64::total_cmp);
        let edges = edges(&all, n_bins);
        let series = sets
            .iter()
            .map(|(name, values)| HistogramSeries { name: (*name).to_owned(), counts: count(values, &edges) })
            .collect();
        Self { title: title.to_owned(), x_label: x_label.to_owned(), edges, series }
    }
}

fn is_finite(value: &f64) -> bool {
    is_drawable(*value)
}

#[expect(clippy::cast_precision_loss, reason = "a bin number is far below 2^52")]
fn edges(sorted: &[f64], n_bins: usize) -> Vec<f64> {
    let (Some(&first), Some(_)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let tail = sorted.len() / 400;
    let (low, high) = (sorted[tail], sorted[sorted.len() - 1 - tail]);
    // All the same: one unit around the value, or what f64 can still tell apart from it.
    let half = if low < high { 0.0 } else { (first.abs() * 1e-6).max(0.5) };
    let (low, high) = (low - half, high + half);
    (0..=n_bins).map(|i| low + (high - low) * (i as f64 / n_bins as f64)).collect()
}

fn count(values: &[f32], edges: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; edges.len().saturating_sub(1)];
    for value in values.iter().copied().map(f64::from).filter(is_finite) {
        let n_edges_below = edges.partition_point(|edge| *edge <= value);
        let bin = n_edges_below.saturating_sub(1).min(counts.len() - 1);
        counts[bin] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_counted_in_the_last_bin() {
        let mut values: Vec<f32> = (0u8..250).cycle().take(1000).map(f32::from).collect();
        values.push(1e9);
        values.push(f32::NAN);
        let histogram = Histogram::from_values("t", "x", &[("a", &values), ("none", &[])], 10);
        assert!(histogram.edges[10] < 300.0);
        assert_eq!(histogram.series[0].counts.iter().sum::<u64>(), 1001);
        assert_eq!(histogram.series[1].counts, [0; 10]);
    }

    #[test]
    fn equal_values_and_no_values_are_fine() {
        let same = Histogram::from_values("t", "x", &[("a", &[3.0, 3.0])], 4);
        assert_eq!(same.series[0].counts.iter().sum::<u64>(), 2);
        assert!(Histogram::from_values("t", "x", &[("a", &[])], 4).edges.is_empty());
    }
}
