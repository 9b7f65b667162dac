use std::fmt::Write as _;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::DrawResult;
use super::axis::Axis;
use crate::report::escape;
use crate::report::escape::printable;
use crate::report::theme::{GRID, INK, MUTED, Tone};

/// Text height in chart units, twice what is shown.
const TEXT: f64 = 27.0;
/// plotters writes a text 1.24 times smaller than asked.
const FONT_FACTOR: f64 = 1.24;

pub(super) type Svg<'a> = SVGBackend<'a>;
pub(super) type Area<'a> = DrawingArea<Svg<'a>, Shift>;
pub(super) type Chart<'a, 'b> = ChartContext<'a, Svg<'b>, Cartesian2d<Axis, Axis>>;

/// What stands around a chart's lines.
pub(super) struct Frame<'a> {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) x_label: &'a str,
    pub(super) y_label: &'a str,
}

pub(super) fn colour(tone: &Tone) -> RGBColor {
    let [_, red, green, blue] = tone.light.to_be_bytes();
    RGBColor(red, green, blue)
}

pub(super) fn text_style(tone: &Tone) -> TextStyle<'static> {
    ("sans-serif", TEXT * FONT_FACTOR).into_font().color(&colour(tone))
}

pub(super) fn anchored(tone: &Tone, horizontal: HPos) -> TextStyle<'static> {
    text_style(tone).pos(Pos::new(horizontal, VPos::Center))
}

/// The `<svg>` of a drawing, which scales with the page and is announced as `description`.
pub(super) fn svg(
    size: (u32, u32),
    class: &str,
    description: &str,
    draw: impl FnOnce(&Area<'_>) -> DrawResult,
) -> String {
    let mut drawn = String::new();
    let outcome = {
        let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        draw(&area).and_then(|()| area.present().map_err(Into::into))
    };
    if let Err(error) = outcome {
        return format!("<p>the chart could not be drawn: {}</p>\n", escape(&error.to_string()));
    }
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg class=\"{class}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
        size.0,
        size.1,
        escape(description)
    );
    // plotters' own opening tag carries a fixed size in pixels.
    out.push_str(drawn.split_once('\n').map_or("", |(_, inside)| inside));
    out
}

/// Axes, grid and labels; the chart that comes back takes the lines.
pub(super) fn open_chart<'a, 'b>(
    area: &'a Area<'b>,
    frame: &Frame<'_>,
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let label_width = 17 * frame.y.label_chars() + 64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(16)
        .margin_right(24)
        .x_label_area_size(90)
        .y_label_area_size(label_width)
        .build_cartesian_2d(frame.x.clone(), frame.y.clone())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(colour(&GRID).stroke_width(2))
        .axis_style(colour(&MUTED).stroke_width(2))
        .label_style(text_style(&MUTED))
        .axis_desc_style(text_style(&INK))
        .x_label_formatter(&|tick| frame.x.label(*tick))
        .y_label_formatter(&|tick| frame.y.label(*tick))
        .x_desc(printable(frame.x_label))
        .y_desc(printable(frame.y_label))
        .draw()?;
    Ok(chart)
}
