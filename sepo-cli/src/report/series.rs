use serde::{Deserialize, Serialize};

/// How many points one line may have; more than a chart is wide show nothing more.
const MAX_POINTS: usize = 600;
/// A line with fewer points than this is shown as it is.
const MIN_POINTS_TO_SMOOTH: usize = 40;
const MAX_WINDOW: usize = 201;

/// One line of a [`Curve`](super::Curve).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// The line, by ascending x.
    pub points: Vec<(f64, f64)>,
    /// What was measured, drawn pale behind a smoothed line; empty where the line itself is what was measured.
    #[serde(default)]
    pub raw: Vec<(f64, f64)>,
    /// How many measurements each point of the line averages; 0 or 1 = none.
    #[serde(default)]
    pub window: usize,
}

impl Series {
    /// A line through the finite ones of `points`, thinned to at most 600.
    ///
    /// Thinning keeps the lowest and the highest point of each of 300 stretches, so no spike is lost.
    ///
    /// ```
    /// use sepo_cli::report::Series;
    /// let points = (0..10_000).map(|i| (f64::from(i), if i == 777 { 50.0 } else { 0.0 })).collect();
    /// let line = Series::line("loss", points);
    /// assert!(line.points.len() <= 600);
    /// assert!(line.points.contains(&(777.0, 50.0)));
    /// ```
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points: thin(&finite(points)), ..Self::default() }
    }

    /// The same with a moving average as the line, and the measurements behind it.
    ///
    /// The window is a fortieth of the points, at most 201, centred, and cut at the ends; fewer than 40 points are not smoothed.
    pub fn smoothed(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        let points = finite(points);
        if points.len() < MIN_POINTS_TO_SMOOTH {
            return Self::line(name, points);
        }
        let half = (points.len() / 80).clamp(1, MAX_WINDOW / 2);
        Self {
            name: name.into(),
            points: thin(&average(&points, half)),
            raw: thin(&points),
            window: 2 * half + 1,
        }
    }
}

/// Beyond 1e300 the width of an axis overflows.
pub(super) fn is_drawable(value: f64) -> bool {
    value.abs() <= 1e300
}

fn finite(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.into_iter().filter(|point| is_drawable(point.0) && is_drawable(point.1)).collect()
}

/// The mean over `half` neighbours on each side, cut at the ends (a window that shrank there would let the line end in
/// the noise of one measurement). Summed anew for every
/// point: a running sum would carry one huge value's rounding through the rest of the line.
fn average(points: &[(f64, f64)], half: usize) -> Vec<(f64, f64)> {
    (0..points.len())
        .map(|i| {
            let window = &points[i.saturating_sub(half)..=(i + half).min(points.len() - 1)];
            #[expect(clippy::cast_precision_loss, reason = "a window has at most 201 points")]
            let n = window.len() as f64;
            (points[i].0, window.iter().map(|point| point.1 / n).sum())
        })
        .collect()
}

fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MAX_POINTS {
        return points.to_vec();
    }
    // The first and the last point stay, and the stretches between them give two points each.
    let inner = &points[1..points.len() - 1];
    let n_stretches = MAX_POINTS / 2 - 1;
    let mut kept = vec![points[0]];
    for i in 0..n_stretches {
        let stretch = &inner[i * inner.len() / n_stretches..(i + 1) * inner.len() / n_stretches];
        let by_y = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) = (stretch.iter().min_by(by_y), stretch.iter().max_by(by_y)) else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        kept.push(*first);
        if first != second {
            kept.push(*second);
        }
    }
    kept.push(points[points.len() - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn smoothing_averages_what_the_window_holds() {
        let points: Vec<(f64, f64)> = (0..200).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        let series = Series::smoothed("loss", points);
        assert_eq!(series.window, 5);
        assert!((series.points[0].1 - 1.0 / 3.0).abs() < 1e-12);
        assert!((series.points[199].1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((series.points[100].1 - 0.4).abs() < 1e-12);
        assert_eq!(series.raw.len(), 200);
    }

    #[test]
    fn few_points_are_left_alone() {
        let series = Series::smoothed("loss", vec![(1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)]);
        assert_eq!(series.points, [(1.0, 2.0), (3.0, 4.0)]);
        assert!(series.raw.is_empty());
    }

    proptest! {
        #[test]
        fn thinning_keeps_extremes_and_order(ys in prop::collection::vec(-1e9..1e9f64, 0..4000)) {
            let points: Vec<(f64, f64)> = (0u32..).map(f64::from).zip(ys).collect();
            let thinned = Series::line("loss", points.clone()).points;
            prop_assert!(thinned.len() <= MAX_POINTS);
            prop_assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
            let highest = |points: &[(f64, f64)]| points.iter().map(|p| p.1).reduce(f64::max);
            let lowest = |points: &[(f64, f64)]| points.iter().map(|p| p.1).reduce(f64::min);
            prop_assert_eq!(highest(&thinned), highest(&points));
            prop_assert_eq!(lowest(&thinned), lowest(&points));
            prop_assert_eq!(thinned.last(), points.last());
        }
    }
}
