//! The report of a run: one HTML file that holds everything it shows, so that it can be mailed, archived and printed.
//!
//! [`ReportData`] says what to show, [`render_html`] shows it, [`curves_from_metrics`] reads the curves of a training run.
//! Charts are inline SVG, the style sheet follows the reader's light or dark scheme, and there is no script at all. No
//! number of the data can make the drawing fail: what is not finite is left out, and said to be.

mod chart;
mod data;
mod error;
mod escape;
mod histogram;
mod label;
mod metrics;
mod number;
mod page;
mod render;
mod section;
mod series;
mod theme;

pub use data::{Bar, BarChart, Curve, Histogram, HistogramSeries, ReportData, Table};
pub use error::ReportError;
pub(crate) use escape::escape;
pub(crate) use label::labels;
pub use metrics::curves_from_metrics;
pub(crate) use page::page;
pub use render::render_html;
pub(crate) use render::render_svg;
pub use series::Series;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
