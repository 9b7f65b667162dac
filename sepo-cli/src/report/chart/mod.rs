//! Charts as inline SVG through plotters.
//!
//! Drawn at twice the size they are shown, because plotters places things on whole units.

mod axis;
mod bars;
mod bins;
mod canvas;
mod key;
mod lines;

pub(super) use bars::{bars, bars_file};
pub(super) use bins::bins;
pub(super) use lines::lines;

/// Why plotters did not draw; only a fault of ours can cause it, so the page says so in the chart's place.
type DrawResult = Result<(), Box<dyn std::error::Error>>;
