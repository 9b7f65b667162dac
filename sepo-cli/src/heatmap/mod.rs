//! Token heat-maps: which tokens of a response carry the preference, and which of them were selected.
//!
//! One [`HeatmapPair`] is drawn for a terminal by [`ansi`] and as a page of its own by [`html`]; the
//! [report](crate::report) draws many of them on one scale. Blue is a negative score (the oracle likes the token less
//! than the reference does), orange a positive one. Nothing is told by colour alone: a selected token is also bold,
//! underlined and framed (in brackets where there is no colour), planted truth is a `+` or `-` above its token.

mod ansi;
mod ansi_line;
mod html;
mod pair;
mod scale;
mod strongest;
mod visible;
mod wrap;

pub use ansi::{Color, Width, ansi};
pub use html::html;
pub(crate) use html::{legend, pair_figure};
pub use pair::{HeatmapPair, HeatmapSide, HeatmapToken, Quality};
pub(crate) use scale::{N_LEVELS, Scale};
pub(crate) use visible::stand_in;

#[cfg(test)]
mod tests;
