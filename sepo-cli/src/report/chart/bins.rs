use plotters::prelude::*;

use super::DrawResult;
use super::axis::{Axis, Margin};
use super::canvas::{Area, Frame, colour, open_chart, svg};
use super::key::{entry, series_tone};
use crate::report::series::is_drawable;
use crate::report::{Histogram, HistogramSeries};

const SIZE: (u32, u32) = (1080, 560);

/// A histogram as HTML: one outline per distribution, as percent of its own total.
pub(in crate::report) fn bins(histogram: &Histogram) -> String {
    let outlines: Vec<Vec<(f64, f64)>> =
        histogram.series.iter().map(|series| outline(&histogram.edges, series)).collect();
    let points = || outlines.iter().flatten();
    let axes = Axis::over(points().map(|point| point.0), Margin::None)
        .zip(Axis::over(points().map(|point| point.1), Margin::ExceptZero));
    let Some((x, y)) = axes else {
        return "<p class=\"caption\">nothing to count</p>\n".into();
    };
    let frame = Frame { x, y, x_label: &histogram.x_label, y_label: "percent" };
    let mut out = svg(SIZE, "chart", &describe(histogram), |area| draw(area, &frame, &outlines));
    out.push_str("<ul class=\"legend\">\n");
    for (index, series) in histogram.series.iter().enumerate() {
        out.push_str(&entry(index, &format!("{} (n = {})", series.name, total(series)), false));
    }
    out.push_str("</ul>\n<p class=\"caption\">The outermost bins also hold what lies beyond.</p>\n");
    out
}

fn total(series: &HistogramSeries) -> u128 {
    series.counts.iter().map(|count| u128::from(*count)).sum()
}

/// The upper edge of the bins, from the ground to the ground; empty where nothing was counted or the edges are unusable.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits than f64 has")]
fn outline(edges: &[f64], series: &HistogramSeries) -> Vec<(f64, f64)> {
    let total = total(series) as f64;
    let is_usable = edges.iter().all(|edge| is_drawable(*edge)) && edges.is_sorted() && total > 0.0;
    let (Some(first), Some(last), true) = (edges.first(), edges.last(), is_usable) else { return Vec::new() };
    let steps = edges.windows(2).zip(&series.counts).flat_map(|(bin, count)| {
        let percent = 100.0 * *count as f64 / total;
        [(bin[0], percent), (bin[1], percent)]
    });
    [(*first, 0.0)].into_iter().chain(steps).chain([(*last, 0.0)]).collect()
}

fn draw(area: &Area<'_>, frame: &Frame<'_>, outlines: &[Vec<(f64, f64)>]) -> DrawResult {
    let mut chart = open_chart(area, frame)?;
    for (index, outline) in outlines.iter().enumerate() {
        let fill = colour(series_tone(index)).mix(0.14);
        chart.draw_series([Polygon::new(outline.clone(), fill.filled())])?;
    }
    for (index, outline) in outlines.iter().enumerate() {
        let line = colour(series_tone(index)).stroke_width(4);
        chart.draw_series(LineSeries::new(outline.iter().copied(), line))?;
    }
    Ok(())
}

fn describe(histogram: &Histogram) -> String {
    let names: Vec<&str> = histogram.series.iter().map(|series| series.name.as_str()).collect();
    format!("Histogram of {}: {}.", histogram.x_label, names.join(", "))
}
