//! The comparison as a table in the terminal, as `report.html`, and its first chart as `utility.svg`.

use std::path::Path;

use comfy_table::{Table as TextTable, presets::UTF8_FULL_CONDENSED};
use sepo_data::AtomicFile;

use super::measure::OverSeeds;
use super::{Comparison, Line};
use crate::exit::{CliError, io_error};
use crate::report::{Bar, BarChart, ReportData, Table, render_html, render_svg};

pub(super) fn write(comparison: &Comparison, out: &Path) -> Result<(), CliError> {
    let utility = chart(comparison, "Utility above the reference's", "utility", |line| line.gain);
    let path = out.join("utility.svg");
    AtomicFile::replace(&path, render_svg(&utility)).map_err(|source| io_error(&path, source))?;
    let report = ReportData {
        title: "sepo bench methods".to_owned(),
        subtitle: "Methods side by side on built-in data of which the true utility is known".to_owned(),
        facts: facts(comparison),
        tables: vec![lines(comparison)],
        bars: vec![
            utility,
            chart(comparison, "Distance from the reference", "nats", |line| line.kl),
            chart(comparison, "Length of a response", "tokens", |line| line.length),
        ],
        notes: notes(),
        ..ReportData::default()
    };
    let path = out.join("report.html");
    AtomicFile::replace(&path, render_html(&report)).map_err(|source| io_error(&path, source))
}

pub(super) fn table(comparison: &Comparison) -> String {
    let table = lines(comparison);
    let mut text = TextTable::new();
    text.load_style(UTF8_FULL_CONDENSED).set_header(table.header);
    text.add_rows(table.rows);
    format!("\n{}\n{text}", table.title)
}

fn facts(comparison: &Comparison) -> Vec<(String, String)> {
    let seeds: Vec<String> = comparison.seeds.iter().map(u64::to_string).collect();
    vec![
        ("Seeds".to_owned(), seeds.join(", ")),
        ("Utility of the reference".to_owned(), interval(comparison.reference, 3)),
        ("Tokens of its responses".to_owned(), interval(comparison.reference_length, 1)),
        ("Version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

fn interval(over: OverSeeds, digits: usize) -> String {
    let half = over.half.map(|half| format!(" ± {half:.digits$}")).unwrap_or_default();
    format!("{:.digits$}{half}", over.mean)
}

fn lines(comparison: &Comparison) -> Table {
    let row = |line: &Line| {
        vec![
            line.method.clone(),
            interval(line.gain, 3),
            interval(line.win_rate, 3),
            interval(line.kl, 2),
            interval(line.length, 1),
            interval(line.finished, 3),
            interval(line.chosen, 3),
        ]
    };
    let header = ["method", "utility gained", "win rate", "KL (nats)", "tokens", "ended", "chosen"];
    Table {
        title: "Methods, the best first".to_owned(),
        caption: "Means over seeds with 95 % intervals by Student's t. Utility gained: above the reference's of the same seed. \
            Win rate: share of test prompts at which the sample is worth more than the reference's, ties half. \
            Chosen: log π − log π_ref of a token of the chosen responses trained on, in nats; below 0 where they fell."
            .to_owned(),
        header: header.map(str::to_owned).to_vec(),
        rows: comparison.methods.iter().map(row).collect(),
    }
}

fn chart(comparison: &Comparison, title: &str, y_label: &str, of: fn(&Line) -> OverSeeds) -> BarChart {
    let bar = |line: &Line| {
        let OverSeeds { mean, half } = of(line);
        let half = half.unwrap_or_default();
        Bar { name: line.method.clone(), value: mean, low: mean - half, high: mean + half }
    };
    BarChart {
        title: title.to_owned(),
        y_label: y_label.to_owned(),
        bars: comparison.methods.iter().map(bar).collect(),
        baseline: None,
    }
}

fn notes() -> Vec<String> {
    vec![
        "The data is synthetic, the models are small, and the scale of every loss is matched rather than tuned: this measures what \
            methods do with what is there to be found, not how they do on yours."
            .to_owned(),
        "Intervals that overlap are no order.".to_owned(),
    ]
}
