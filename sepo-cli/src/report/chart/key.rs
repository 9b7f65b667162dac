use plotters::element::{Circle, Cross, EmptyElement, Rectangle, TriangleMarker};
use plotters::style::{Color, RGBColor};

use super::DrawResult;
use super::canvas::Chart;
use crate::report::escape;
use crate::report::theme::{SERIES, Tone};

/// The colour of series `index`; it also decides the dash pattern, through the style sheet.
pub(super) fn series_tone(index: usize) -> &'static Tone {
    &SERIES[index % SERIES.len()]
}

/// One entry of a legend in HTML, with a piece of the line (and its marker) as it looks in the chart.
pub(super) fn entry(index: usize, name: &str, with_marker: bool) -> String {
    let colour = format!("#{:06X}", series_tone(index).light);
    let marker = if with_marker { marker_svg(index, &colour) } else { String::new() };
    format!(
        "<li><svg class=\"chart key\" viewBox=\"0 0 80 24\" aria-hidden=\"true\"><polyline fill=\"none\" stroke=\"{colour}\" \
         stroke-width=\"5\" points=\"1,12 79,12\"/>{marker}</svg>{}</li>\n",
        escape(name)
    )
}

fn marker_svg(index: usize, colour: &str) -> String {
    match index % 4 {
        0 => format!("<circle cx=\"40\" cy=\"12\" r=\"8\" fill=\"{colour}\"/>"),
        1 => format!("<polygon points=\"40,2 50,20 30,20\" fill=\"{colour}\"/>"),
        2 => format!("<polygon points=\"32,4 48,4 48,20 32,20\" fill=\"{colour}\"/>"),
        _ => format!("<path d=\"M32 4L48 20M48 4L32 20\" stroke=\"{colour}\" stroke-width=\"4\"/>"),
    }
}

/// Markers on points, in a shape of the series' own.
pub(super) fn draw_markers(
    chart: &mut Chart<'_, '_>,
    index: usize,
    points: &[(f64, f64)],
    colour: RGBColor,
) -> DrawResult {
    let points = points.iter().copied();
    match index % 4 {
        0 => chart.draw_series(points.map(|at| Circle::new(at, 7, colour.filled()))).map(drop),
        1 => chart.draw_series(points.map(|at| TriangleMarker::new(at, 10, colour.filled()))).map(drop),
        2 => {
            let square = |at| EmptyElement::at(at) + Rectangle::new([(-6, -6), (6, 6)], colour.filled());
            chart.draw_series(points.map(square)).map(drop)
        }
        _ => chart.draw_series(points.map(|at| Cross::new(at, 7, colour.stroke_width(3)))).map(drop),
    }?;
    Ok(())
}
