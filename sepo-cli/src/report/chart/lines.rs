use std::fmt::Write as _;

use plotters::prelude::*;

use super::DrawResult;
use super::axis::{Axis, Margin};
use super::canvas::{Area, Frame, colour, open_chart, svg};
use super::key::{draw_markers, entry, series_tone};
use crate::report::number::number;
use crate::report::series::is_drawable;
use crate::report::{Curve, Series, escape};

const SIZE: (u32, u32) = (1080, 620);
/// A line with at most so many points shows each of them.
const MAX_MARKERS: usize = 30;
/// The style sheet knows a measured line behind a smoothed one by this opacity, and leaves its dashes out.
const PALE: f64 = 0.35;

/// A curve as HTML: the drawing, its legend, and each line's numbers.
pub(in crate::report) fn lines(curve: &Curve) -> String {
    let points = || curve.series.iter().flat_map(|series| series.points.iter().chain(&series.raw));
    let axes = Axis::over(points().map(|point| point.0), Margin::None)
        .zip(Axis::over(points().map(|point| point.1), Margin::ExceptZero));
    let Some((x, y)) = axes else {
        return "<p class=\"caption\">nothing finite to draw</p>\n".into();
    };
    let frame = Frame { x, y, x_label: &curve.x_label, y_label: &curve.y_label };
    let mut out = svg(SIZE, "chart", &describe(curve), |area| draw(area, &frame, &curve.series));
    out.push_str("<ul class=\"legend\">\n");
    for (index, series) in curve.series.iter().enumerate() {
        out.push_str(&entry(index, &series.name, has_markers(series)));
    }
    out.push_str("</ul>\n");
    if let Some(window) = curve.series.iter().map(|series| series.window).max().filter(|window| *window > 1) {
        let _ = writeln!(out, "<p class=\"caption\">Line: mean over {window} steps. Pale: each step.</p>");
    }
    out.push_str(&summary(curve));
    out
}

fn has_markers(series: &Series) -> bool {
    series.points.len() <= MAX_MARKERS
}

fn draw(area: &Area<'_>, frame: &Frame<'_>, all_series: &[Series]) -> DrawResult {
    let mut chart = open_chart(area, frame)?;
    for (index, series) in all_series.iter().enumerate() {
        let pale = colour(series_tone(index)).mix(PALE).stroke_width(2);
        chart.draw_series(LineSeries::new(drawable(&series.raw), pale))?;
    }
    for (index, series) in all_series.iter().enumerate() {
        let colour = colour(series_tone(index));
        let points = drawable(&series.points);
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(4)))?;
        if has_markers(series) {
            draw_markers(&mut chart, index, &points, colour)?;
        }
    }
    Ok(())
}

fn drawable(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().copied().filter(|point| is_drawable(point.0) && is_drawable(point.1)).collect()
}

/// `Line chart of Loss by step. training: from 0.69 to 0.31.`
fn describe(curve: &Curve) -> String {
    let mut text = format!("Line chart of {} by {}.", curve.title, curve.x_label);
    for series in &curve.series {
        if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
            let _ = write!(text, " {}: from {} to {}.", series.name, number(first.1), number(last.1));
        }
    }
    text
}

fn summary(curve: &Curve) -> String {
    let mut out = String::from(
        "<details><summary>Numbers</summary><div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>line</th><th class=\"num\">first</th>\
         <th class=\"num\">last</th><th class=\"num\">lowest</th><th class=\"num\">highest</th></tr></thead><tbody>\n",
    );
    for series in &curve.series {
        let points = drawable(&series.points);
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        let lowest = points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let highest = points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
        let _ = write!(out, "<tr><td>{}</td>", escape(&series.name));
        for value in [first.1, last.1, lowest, highest] {
            let _ = write!(out, "<td class=\"num\">{}</td>", number(value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div></details>\n");
    out
}
