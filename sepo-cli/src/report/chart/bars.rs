use std::fmt::Write as _;

use plotters::element::Text;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::DrawResult;
use super::axis::{Axis, Margin};
use super::canvas::{Area, Frame, anchored, colour, svg, text_style};
use super::key::series_tone;
use crate::report::escape::printable;
use crate::report::number::number;
use crate::report::series::is_drawable;
use crate::report::theme::{GRID, INK, MUTED};
use crate::report::{Bar, BarChart, escape};

const WIDTH: u32 = 1080;
const ROW_HEIGHT: u32 = 64;
/// Room above the first bar and below the last: margin, ticks and the axis' name.
const AROUND: u32 = 16 + 92;
/// A name longer than this is cut in the drawing; the table under it has the whole name.
const MAX_NAME_CHARS: usize = 24;
/// About one character of the charts' text, in chart units.
const CHAR_WIDTH: u32 = 14;

/// A bar chart as HTML: lying bars with whiskers, and the numbers as a table.
pub(in crate::report) fn bars(chart: &BarChart) -> String {
    let mut out = drawing(chart);
    if out.is_empty() {
        return out;
    }
    if let Some((name, value)) = &chart.baseline {
        let _ = writeln!(
            out,
            "<ul class=\"legend\"><li><svg class=\"chart key\" viewBox=\"0 0 80 24\" aria-hidden=\"true\"><line x1=\"1\" y1=\"12\" \
             x2=\"79\" y2=\"12\" stroke=\"#{:06X}\" stroke-width=\"4\" stroke-dasharray=\"12 8\"/></svg>{}: {}</li></ul>",
            INK.light,
            escape(name),
            number(*value)
        );
    }
    out.push_str(&table(chart));
    out
}

/// The bars alone as the text of an SVG file, on white.
pub(in crate::report) fn bars_file(chart: &BarChart) -> String {
    drawing(chart).replacen(
        "<svg ",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" style=\"background:#fff\" ",
        1,
    )
}

/// The `<svg>` alone; empty where nothing can be drawn.
fn drawing(chart: &BarChart) -> String {
    let ends = chart.bars.iter().flat_map(|bar| [bar.value, bar.low, bar.high]);
    let baseline = chart.baseline.as_ref().map(|baseline| baseline.1);
    let Some(x) = Axis::over(ends.chain(baseline).chain([0.0]), Margin::ExceptZero) else {
        return String::new();
    };
    let names: Vec<String> = chart.bars.iter().map(|bar| short(&bar.name)).collect();
    let frame = Frame { x, y: Axis::of_names(names), x_label: &chart.y_label, y_label: "" };
    let n_bars = u32::try_from(chart.bars.len()).unwrap_or(u32::MAX).clamp(1, 200);
    let size = (WIDTH, AROUND + ROW_HEIGHT * n_bars);
    svg(size, "chart bar", &describe(chart), |area| draw(area, &frame, chart))
}

fn short(name: &str) -> String {
    let name = printable(name);
    if name.chars().count() <= MAX_NAME_CHARS {
        return name;
    }
    name.chars().take(MAX_NAME_CHARS - 1).chain(['…']).collect()
}

fn draw(area: &Area<'_>, frame: &Frame<'_>, data: &BarChart) -> DrawResult {
    let value_chars =
        data.bars.iter().filter_map(|bar| u32::try_from(value_text(bar).chars().count()).ok()).max();
    let right = value_chars.unwrap_or(0) * CHAR_WIDTH + 24;
    let mut chart = ChartBuilder::on(area)
        .margin_top(16)
        .margin_right(right)
        .x_label_area_size(92)
        .y_label_area_size(frame.y.label_chars() * CHAR_WIDTH + 36)
        .build_cartesian_2d(frame.x.clone(), frame.y.clone())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(colour(&GRID).stroke_width(2))
        .axis_style(colour(&GRID).stroke_width(2))
        .label_style(text_style(&MUTED))
        .y_label_style(text_style(&INK))
        .axis_desc_style(text_style(&INK))
        .x_label_formatter(&|tick| frame.x.label(*tick))
        .y_label_formatter(&|tick| frame.y.label(*tick))
        .x_desc(printable(frame.x_label))
        .draw()?;
    let fill = colour(series_tone(0));
    let rows =
        || (0u32..).map(|row| f64::from(row) + 0.5).zip(&data.bars).filter(|(_, bar)| is_drawable(bar.value));
    chart.draw_series(rows().map(|(middle, bar)| {
        Rectangle::new([(0.0, middle - 0.3), (bar.value, middle + 0.3)], fill.mix(0.8).filled())
    }))?;
    chart.draw_series(
        rows().filter(|(_, bar)| has_interval(bar)).flat_map(|(middle, bar)| whisker(middle, bar)),
    )?;
    chart.draw_series([PathElement::new(
        vec![(0.0, 0.0), (0.0, frame.y.low())],
        colour(&MUTED).stroke_width(2),
    )])?;
    if let Some((_, value)) = data.baseline.as_ref().filter(|baseline| is_drawable(baseline.1)) {
        let ends = [(*value, 0.0), (*value, frame.y.low())];
        chart.draw_series(DashedLineSeries::new(ends, 12, 8, colour(&INK).stroke_width(4)))?;
    }
    draw_values(area, &chart.plotting_area().get_pixel_range(), data)
}

/// The interval as a line with a cap at each end.
fn whisker(middle: f64, bar: &Bar) -> [PathElement<(f64, f64)>; 3] {
    let cap = |at: f64| vec![(at, middle - 0.13), (at, middle + 0.13)];
    [vec![(bar.low, middle), (bar.high, middle)], cap(bar.low), cap(bar.high)]
        .map(|path| PathElement::new(path, colour(&INK).stroke_width(3)))
}

/// The numbers in a column to the right of the bars.
fn draw_values(
    area: &Area<'_>,
    plot: &(std::ops::Range<i32>, std::ops::Range<i32>),
    data: &BarChart,
) -> DrawResult {
    let n_bars = i32::try_from(data.bars.len())?.max(1);
    let height = plot.1.end - plot.1.start;
    for (row, bar) in (0..).zip(&data.bars) {
        let y = plot.1.start + height * (2 * row + 1) / (2 * n_bars);
        area.draw(&Text::new(value_text(bar), (plot.0.end + 18, y), anchored(&INK, HPos::Left)))?;
    }
    Ok(())
}

fn has_interval(bar: &Bar) -> bool {
    is_drawable(bar.low) && is_drawable(bar.high) && bar.low < bar.high
}

/// `0.72 [0.61, 0.83]`.
fn value_text(bar: &Bar) -> String {
    if has_interval(bar) {
        format!("{} [{}, {}]", number(bar.value), number(bar.low), number(bar.high))
    } else {
        number(bar.value)
    }
}

fn describe(chart: &BarChart) -> String {
    let bars: Vec<String> =
        chart.bars.iter().map(|bar| format!("{}: {}", bar.name, value_text(bar))).collect();
    format!("Bar chart of {}. {}.", chart.title, bars.join("; "))
}

fn table(chart: &BarChart) -> String {
    let mut out = String::from(
        "<details><summary>Numbers</summary><div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>name</th><th class=\"num\">mean</th>\
         <th class=\"num\">95 % from</th><th class=\"num\">to</th></tr></thead><tbody>\n",
    );
    for bar in &chart.bars {
        let _ = write!(out, "<tr><td>{}</td>", escape(&bar.name));
        for value in [bar.value, bar.low, bar.high] {
            let _ = write!(out, "<td class=\"num\">{}</td>", number(value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div></details>\n");
    out
}
