use std::fmt::Write as _;

use super::{BarChart, ReportData, chart, escape, page, section};

/// One HTML page with everything in it: no network, no script, no font of its own.
///
/// ```
/// use sepo_cli::report::{ReportData, render_html};
/// let report = ReportData { title: "a < b".into(), notes: vec!["done".into()], ..ReportData::default() };
/// assert!(render_html(&report).contains("<h1>a &lt; b</h1>"));
/// ```
pub fn render_html(report: &ReportData) -> String {
    let parts: Vec<(&str, &str, String)> = [
        ("results", "Results", section::results(&report.bars, &report.tables)),
        ("training", "Training", section::curves(&report.curves)),
        ("distributions", "Distributions", section::histograms(&report.histograms)),
        ("tokens", "Tokens", section::heatmaps(&report.heatmaps)),
        ("settings", "Settings", section::facts(&report.facts)),
        ("notes", "Notes", section::notes(&report.notes)),
    ]
    .into_iter()
    .filter(|part| !part.2.is_empty())
    .collect();

    let mut body = format!("<header>\n<h1>{}</h1>\n", escape(&report.title));
    if !report.subtitle.is_empty() {
        let _ = writeln!(body, "<p class=\"subtitle\">{}</p>", escape(&report.subtitle));
    }
    body.push_str(&section::warnings(&report.warnings));
    body.push_str("</header>\n");
    if parts.len() > 1 {
        body.push_str("<nav aria-label=\"Sections\"><ul>\n");
        for (id, name, _) in &parts {
            let _ = writeln!(body, "<li><a href=\"#{id}\">{name}</a></li>");
        }
        body.push_str("</ul></nav>\n");
    }
    body.push_str("<main>\n");
    for (id, name, content) in &parts {
        let _ = writeln!(body, "<section id=\"{id}\">\n<h2>{name}</h2>\n{content}</section>");
    }
    let _ = writeln!(body, "</main>\n<footer>Written by sepo-cli {}.</footer>", env!("CARGO_PKG_VERSION"));
    page(&report.title, &body)
}

/// One chart as the text of an SVG file, on white, for a page of somebody's own.
pub(crate) fn render_svg(chart: &BarChart) -> String {
    chart::bars_file(chart)
}
