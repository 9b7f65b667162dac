//! Claim: a report is drawn in milliseconds, however long the run was, since curves are thinned before they are drawn
//!
//! Baselines: the same curves with all their points; every line of the metrics as a tree of JSON values.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_cli::heatmap::{self, HeatmapPair, HeatmapSide, HeatmapToken};
use sepo_cli::report::{
    Bar, BarChart, Curve, Histogram, ReportData, Series, curves_from_metrics, render_html,
};

fn walk(n: u32, rng: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
    (0..n)
        .map(|step| (f64::from(step), 0.7 / (1.0 + f64::from(step) / 200.0) + rng.random_range(0.0..0.1)))
        .collect()
}

fn curve(series: Series) -> Curve {
    Curve { title: "Loss".into(), x_label: "step".into(), y_label: "nats".into(), series: vec![series] }
}

fn pair(n_tokens: usize, rng: &mut ChaCha8Rng) -> HeatmapPair {
    let mut side = |name: &str| HeatmapSide {
        name: name.into(),
        tokens: (0..n_tokens)
            .map(|i| {
                let score: f32 = rng.random_range(-3.0..3.0);
                HeatmapToken {
                    text: format!(" word{i}"),
                    score: Some(score),
                    selected: score > 1.2,
                    planted: None,
                    oracle_logp: Some(score - 5.0),
                    reference_logp: Some(-5.0),
                }
            })
            .collect(),
    };
    let sides = vec![side("chosen"), side("rejected")];
    HeatmapPair { title: "Row 0".into(), prompt: "What is the capital of France?".into(), sides }
}

/// What a quickstart writes: four curves, bars, distributions and twelve pairs.
fn report(n_steps: u32, line: fn(Vec<(f64, f64)>) -> Series) -> ReportData {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let scores: Vec<f32> = (0..20_000).map(|_| rng.random_range(-2.0..2.0f32).powi(3)).collect();
    let bar = |i: u32| {
        let value = f64::from(i) / 5.0;
        Bar { name: format!("policy {i}"), value, low: value - 0.1, high: value + 0.1 }
    };
    ReportData {
        title: "SePO quickstart".into(),
        facts: (0..12).map(|i| (format!("setting {i}"), "value".into())).collect(),
        curves: (0..4).map(|_| curve(line(walk(n_steps, &mut rng)))).collect(),
        bars: vec![BarChart { bars: (0..5).map(bar).collect(), ..BarChart::default() }],
        histograms: vec![Histogram::from_values("Scores", "nats", &[("chosen", &scores)], 40)],
        heatmaps: (0..12).map(|_| pair(64, &mut rng)).collect(),
        ..ReportData::default()
    }
}

fn all_points(points: Vec<(f64, f64)>) -> Series {
    Series { name: "training".into(), points, ..Series::default() }
}

fn thinned(points: Vec<(f64, f64)>) -> Series {
    Series::line("training", points)
}

fn pages(c: &mut Criterion) {
    let mut group = c.benchmark_group("render_html/quickstart");
    group.sample_size(20);
    for n_steps in [1000, 100_000] {
        group.throughput(Throughput::Elements(u64::from(4 * n_steps)));
        for (name, line) in [("thinned", thinned as fn(_) -> _), ("all-points", all_points)] {
            let report = report(n_steps, line);
            let page = render_html(&report);
            assert!(page.ends_with("</html>\n") && page.matches("<svg").count() >= 6);
            assert!(name == "all-points" || page.len() < 1_000_000, "{} bytes", page.len());
            group.bench_function(BenchmarkId::new(name, n_steps), |b| {
                b.iter(|| render_html(black_box(&report)));
            });
        }
    }
    group.finish();
}

fn heatmaps(c: &mut Criterion) {
    let pair = pair(512, &mut ChaCha8Rng::seed_from_u64(4));
    assert!(heatmap::html(&pair).contains("word511"));
    let mut group = c.benchmark_group("heatmap");
    group.throughput(Throughput::Elements(2 * 512));
    group.bench_function("html/512", |b| b.iter(|| heatmap::html(black_box(&pair))));
    group.finish();
}

fn metrics(c: &mut Criterion) {
    const N_STEPS: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    let mut text = String::new();
    for step in 1..=N_STEPS {
        let loss = 0.7 / step as f64;
        let _ = writeln!(
            text,
            r#"{{"step":{step},"loss":{loss},"learning_rate":1e-5,"rewards/margins":{loss}}}"#
        );
    }
    std::fs::write(&path, &text).unwrap();
    assert!(!curves_from_metrics(&path).unwrap().is_empty());
    let mut group = c.benchmark_group("curves_from_metrics");
    group.sample_size(20).throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(N_STEPS), |b| {
        b.iter(|| curves_from_metrics(black_box(&path)).unwrap());
    });
    let values = || {
        let text = std::fs::read_to_string(&path).unwrap();
        let losses = text.lines().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["loss"].as_f64().unwrap()
        });
        losses.collect::<Vec<f64>>()
    };
    assert_eq!(values().len() as u64, N_STEPS);
    group.bench_function(BenchmarkId::new("json-values", N_STEPS), |b| b.iter(values));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = pages, heatmaps, metrics
}
criterion_main!(benches);
