use serde::{Deserialize, Serialize};

use super::Series;
use crate::heatmap::HeatmapPair;

/// Everything a report shows. An empty list leaves its part out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportData {
    /// Heading of the page, and title of the browser's tab.
    pub title: String,
    /// One line under the heading.
    pub subtitle: String,
    /// Settings, hashes, versions: what and its value, in the order shown.
    pub facts: Vec<(String, String)>,
    /// What a reader must know before the numbers; stands first.
    pub warnings: Vec<String>,
    /// Training curves.
    pub curves: Vec<Curve>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Compared means.
    pub bars: Vec<BarChart>,
    /// Distributions.
    pub histograms: Vec<Histogram>,
    /// Token heat-maps, all drawn on one scale.
    pub heatmaps: Vec<HeatmapPair>,
    /// Remarks; stand last.
    pub notes: Vec<String>,
}

/// A line chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Heading.
    pub title: String,
    /// What runs along the horizontal axis.
    pub x_label: String,
    /// What runs along the vertical axis, with its unit.
    pub y_label: String,
    /// The lines; the first is drawn solid, the others in dash patterns.
    pub series: Vec<Series>,
}

/// A table of text. A column in which every filled cell is a number is set to the right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Heading.
    pub title: String,
    /// A sentence under the heading; may be empty.
    pub caption: String,
    /// One name per column.
    pub header: Vec<String>,
    /// Rows; a short row is filled up with empty cells.
    pub rows: Vec<Vec<String>>,
}

/// Means side by side, each with its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BarChart {
    /// Heading.
    pub title: String,
    /// What the bars measure, with its unit. (The bars lie, so it stands under the horizontal axis.)
    pub y_label: String,
    /// The bars, the first one on top.
    pub bars: Vec<Bar>,
    /// A value to compare with, such as a random selection's, and its name.
    pub baseline: Option<(String, f64)>,
}

/// One mean and its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What was measured.
    pub name: String,
    /// The mean.
    pub value: f64,
    /// Lower end of the 95 % confidence interval; the value itself where there is none.
    pub low: f64,
    /// Upper end of the 95 % confidence interval; the value itself where there is none.
    pub high: f64,
}

/// Distributions over the same bins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Heading.
    pub title: String,
    /// What was counted, with its unit.
    pub x_label: String,
    /// Ascending bin edges, one more than there are bins.
    pub edges: Vec<f64>,
    /// The distributions; each is drawn as shares of its own total, so that unequal sizes compare.
    pub series: Vec<HistogramSeries>,
}

/// The counts of one distribution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramSeries {
    /// What was counted.
    pub name: String,
    /// One count per bin; the outermost bins also hold what lies beyond the edges.
    pub counts: Vec<u64>,
}
