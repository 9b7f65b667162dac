use std::fmt::Write as _;

use super::number::is_numeric;
use super::{Table, chart, escape};
use crate::heatmap::{HeatmapPair, Scale, legend, pair_figure};
use crate::report::{BarChart, Curve, Histogram};

/// A framed figure with a heading.
fn card(title: &str, body: &str) -> String {
    format!("<figure class=\"card\"><figcaption><h3>{}</h3></figcaption>\n{body}</figure>\n", escape(title))
}

/// Figures that stand side by side where there is room.
fn grid(cards: impl Iterator<Item = String>) -> String {
    let cards: String = cards.collect();
    if cards.is_empty() { cards } else { format!("<div class=\"grid\">\n{cards}</div>\n") }
}

pub(super) fn results(bars: &[BarChart], tables: &[Table]) -> String {
    let mut out = grid(bars.iter().map(|bar| card(&bar.title, &chart::bars(bar))));
    if !tables.is_empty() {
        out.push_str("<div class=\"stack\">\n");
        out.extend(tables.iter().map(|entry| card(&entry.title, &table(entry))));
        out.push_str("</div>\n");
    }
    out
}

pub(super) fn curves(curves: &[Curve]) -> String {
    grid(curves.iter().map(|curve| card(&curve.title, &chart::lines(curve))))
}

pub(super) fn histograms(histograms: &[Histogram]) -> String {
    grid(histograms.iter().map(|histogram| card(&histogram.title, &chart::bins(histogram))))
}

pub(super) fn heatmaps(pairs: &[HeatmapPair]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let scale = Scale::fit(pairs);
    let figures: String = pairs.iter().map(|pair| pair_figure(pair, scale)).collect();
    format!("{}{figures}", legend(pairs, scale))
}

pub(super) fn facts(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl class=\"facts\">\n");
    for (name, value) in facts {
        let class = if is_code(value) { " class=\"code\"" } else { "" };
        let _ = writeln!(out, "<div><dt>{}</dt><dd{class}>{}</dd></div>", escape(name), escape(value));
    }
    out.push_str("</dl>\n");
    out
}

/// Hashes and paths, which are read character by character.
fn is_code(value: &str) -> bool {
    !value.contains(' ') && (value.len() >= 24 || value.contains('/'))
}

pub(super) fn warnings(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    format!(
        "<div class=\"warnings\" role=\"note\"><strong>{}</strong>\n<ul>\n{}</ul></div>\n",
        if warnings.len() == 1 { "Warning" } else { "Warnings" },
        items(warnings)
    )
}

pub(super) fn notes(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!("<ul class=\"notes\">\n{}</ul>\n", items(notes)) }
}

fn items(texts: &[String]) -> String {
    texts.iter().map(|text| format!("<li>{}</li>\n", escape(text))).collect()
}

fn table(table: &Table) -> String {
    let n_columns = table.rows.iter().map(Vec::len).chain([table.header.len()]).max().unwrap_or(0);
    let class: Vec<&str> = (0..n_columns)
        .map(|column| if is_numeric_column(table, column) { " class=\"num\"" } else { "" })
        .collect();
    let row_of = |cells: &[String], tag: &str| {
        let mut row = String::from("<tr>");
        for (column, class) in class.iter().enumerate() {
            let cell = cells.get(column).map_or("", String::as_str);
            let class = if is_sentence(cell) { " class=\"long\"" } else { class };
            let _ = write!(row, "<{tag}{class}>{}</{tag}>", escape(cell));
        }
        row.push_str("</tr>\n");
        row
    };
    let mut out = String::new();
    if !table.caption.is_empty() {
        let _ = writeln!(out, "<p class=\"caption\">{}</p>", escape(&table.caption));
    }
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n");
    if !table.header.is_empty() {
        let _ = write!(out, "<thead>{}</thead>\n<tbody>\n", row_of(&table.header, "th"));
    } else {
        out.push_str("<tbody>\n");
    }
    out.extend(table.rows.iter().map(|row| row_of(row, "td")));
    out.push_str("</tbody></table></div>\n");
    out
}

/// Too long for one line of a table.
fn is_sentence(cell: &str) -> bool {
    cell.chars().count() > 36
}

/// Every filled cell is a number, and there is one.
fn is_numeric_column(table: &Table, column: usize) -> bool {
    let mut filled = table
        .rows
        .iter()
        .filter_map(|row| row.get(column))
        .map(|cell| cell.trim())
        .filter(|cell| !matches!(*cell, "" | "-" | "–" | "—"))
        .peekable();
    filled.peek().is_some() && filled.all(is_numeric)
}
