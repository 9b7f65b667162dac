use std::io::Write as _;

use proptest::prelude::*;

use super::{
    Bar, BarChart, Curve, Histogram, HistogramSeries, ReportData, ReportError, Series, Table, sample,
};
use super::{curves_from_metrics, render_html};
use crate::heatmap::{self, HeatmapPair, HeatmapSide, HeatmapToken};

/// The opening tags of a page, indented by depth, without what a chart draws inside its `<svg>`.
fn outline(page: &str) -> String {
    let mut lines = Vec::new();
    let mut depth = 0usize;
    let mut in_svg = false;
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag)) {
        if tag == "/svg" {
            in_svg = false;
        } else if tag.starts_with("svg ") {
            in_svg = true;
            lines.push(format!("{}{tag}", " ".repeat(depth)));
        } else if in_svg || tag.starts_with('!') || tag.starts_with("meta") || ["wbr", "br"].contains(&tag) {
        } else if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else {
            if !["td", "tr", "li", "span", "i", "b", "dt", "dd"]
                .contains(&tag.split(' ').next().unwrap_or(""))
            {
                lines.push(format!("{}{tag}", " ".repeat(depth)));
            }
            depth += 1;
        }
    }
    lines.join("\n")
}

fn n_of(page: &str, tag: &str) -> (usize, usize) {
    let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
    (opened, page.matches(&format!("</{tag}>")).count())
}

#[test]
fn structure_of_a_full_report() {
    insta::assert_snapshot!(outline(&render_html(&sample::report())));
}

/// Also the way to look at it: `SEPO_SAMPLE_DIR=/tmp/sample cargo test -p sepo-cli sample_pages`.
#[test]
fn sample_pages_need_nothing_from_outside() {
    let pages =
        [("report.html", render_html(&sample::report())), ("explain.html", heatmap::html(&sample::pair()))];
    for (name, page) in &pages {
        for outside in ["<script", "http://", "https://", "url(", "@import", " src=", "<link", "javascript:"]
        {
            assert!(!page.contains(outside), "{name} contains {outside}");
        }
        for tag in [
            "section", "figure", "div", "table", "tr", "td", "span", "ul", "li", "svg", "text", "dl",
            "details",
        ] {
            let (opened, closed) = n_of(page, tag);
            assert_eq!(opened, closed, "{name}: {tag}");
        }
        if let Some(dir) = std::env::var_os("SEPO_SAMPLE_DIR") {
            std::fs::write(std::path::Path::new(&dir).join(name), page).unwrap();
        }
    }
}

#[test]
fn an_empty_report_is_a_page() {
    let page = render_html(&ReportData::default());
    assert!(!page.contains("<section"));
    assert!(!page.contains("<nav"));
    assert!(page.ends_with("</html>\n"));
}

#[test]
fn report_data_survives_json() {
    let report = sample::report();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ReportData>(&json).unwrap(), report);
    assert_eq!(serde_json::from_str::<ReportData>("{}").unwrap(), ReportData::default());
}

#[test]
fn reads_metrics_of_a_resumed_and_interrupted_run() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(
        b"{\"step\":1,\"loss\":0.70,\"peak_rss_bytes\":1073741824,\"grad_norm\":null}\n\
          {\"step\":2,\"loss\":0.65,\"rewards/accuracies\":0.5}\n\
          {\"step\":2,\"eval_loss\":0.68,\"eval_true_utility\":0.2}\n\n\
          {\"step\":3.0,\"loss\":0.9}\n\
          {\"step\":3,\"loss\":0.60}\n\
          {\"step\":4,\"lo",
    )
    .unwrap();
    let curves = curves_from_metrics(file.path()).unwrap();
    let shown: Vec<String> = curves
        .iter()
        .flat_map(|curve| curve.series.iter().map(move |series| (&curve.title, series)))
        .map(|(title, series)| format!("{title} / {}: {:?}", series.name, series.points))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    Loss / training: [(1.0, 0.7), (2.0, 0.65), (3.0, 0.6)]
    Loss / evaluation: [(2.0, 0.68)]
    Preference accuracy / training: [(2.0, 0.5)]
    Peak memory / resident memory: [(1.0, 1.0)]
    Evaluation: true utility / evaluation: [(2.0, 0.2)]
    ");
}

#[test]
fn names_the_line_that_is_no_object() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\"step\":1}\n[3]\n{\"step\":2}\n").unwrap();
    assert!(matches!(curves_from_metrics(file.path()), Err(ReportError::BadLine { line: 2, .. })));
    let missing = file.path().join("missing");
    assert!(matches!(curves_from_metrics(&missing), Err(ReportError::Read { .. })));
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style></title></svg><script>",
    "]]>&lt;&#60;\0\u{1b}[31m\u{7f}\u{85}\r\n\t",
    "\u{202e}txt.exe\u{2066}",
    "-->",
    "",
];

fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(HOSTILE).prop_map(str::to_owned), any::<String>()]
}

fn hostile_report() -> impl Strategy<Value = ReportData> {
    (prop::collection::vec(hostile_text(), 12), prop::collection::vec(any::<f64>(), 8), any::<Option<f32>>())
        .prop_map(|(t, v, score)| {
            let token = HeatmapToken { text: t[0].clone(), score, selected: true, ..Default::default() };
            ReportData {
                title: t[1].clone(),
                subtitle: t[2].clone(),
                facts: vec![(t[3].clone(), t[4].clone())],
                warnings: vec![t[5].clone()],
                curves: vec![Curve {
                    title: t[6].clone(),
                    x_label: t[7].clone(),
                    y_label: t[8].clone(),
                    series: vec![Series {
                        name: t[9].clone(),
                        points: vec![(v[0], v[1]), (v[2], v[3])],
                        ..Default::default()
                    }],
                }],
                tables: vec![Table {
                    title: t[10].clone(),
                    caption: t[11].clone(),
                    header: t.clone(),
                    rows: vec![t.clone()],
                }],
                bars: vec![BarChart {
                    title: t[0].clone(),
                    y_label: t[1].clone(),
                    bars: vec![Bar { name: t[2].clone(), value: v[4], low: v[5], high: v[6] }],
                    baseline: Some((t[3].clone(), v[7])),
                }],
                histograms: vec![Histogram {
                    title: t[4].clone(),
                    x_label: t[5].clone(),
                    edges: v[..3].to_vec(),
                    series: vec![HistogramSeries { name: t[6].clone(), counts: vec![u64::MAX, 3, 1] }],
                }],
                heatmaps: vec![HeatmapPair {
                    title: t[7].clone(),
                    prompt: t[8].clone(),
                    sides: vec![HeatmapSide { name: t[9].clone(), tokens: vec![token] }],
                }],
                notes: vec![t[10].clone()],
            }
        })
}

proptest! {
    #[test]
    fn no_text_or_number_breaks_the_page(report in hostile_report()) {
        let page = render_html(&report);
        // Every tag is one that the drawing itself writes.
        for tag in page.split('<').skip(1).filter_map(|rest| rest.split(['>', ' ', '\n']).next()) {
            prop_assert!(TAGS.contains(&tag.trim_start_matches('/').trim_end_matches('/')), "<{tag}");
        }
        for forbidden in ["onerror=alert(1)>", "' onmouseover='", "NaN", "\0", "\u{1b}", "\u{202e}"] {
            prop_assert!(!page.contains(forbidden), "{forbidden:?}");
        }
        prop_assert_eq!(n_of(&page, "svg").0, n_of(&page, "svg").1);
    }
}

const TAGS: &[&str] = &[
    "!doctype",
    "a",
    "b",
    "body",
    "br",
    "circle",
    "details",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "i",
    "li",
    "line",
    "main",
    "meta",
    "nav",
    "p",
    "path",
    "polygon",
    "polyline",
    "rect",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "wbr",
];
