//! A report as a quickstart run writes it, with invented numbers, for the tests and for looking at.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Bar, BarChart, Curve, Histogram, ReportData, Series, Table};
use crate::heatmap::{HeatmapPair, HeatmapSide, HeatmapToken, Quality};

fn noise(rng: &mut ChaCha8Rng) -> f64 {
    (0..6).map(|_| rng.random_range(-1.0..1.0f64)).sum::<f64>() / 2.0
}

fn strings(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

fn curve(title: &str, y_label: &str, series: Vec<Series>) -> Curve {
    Curve { title: title.into(), x_label: "step".into(), y_label: y_label.into(), series }
}

fn walk(rng: &mut ChaCha8Rng, from: f64, to: f64, spread: f64) -> Vec<(f64, f64)> {
    (1..=900)
        .map(f64::from)
        .map(|step| (step, to + (from - to) * (-step / 220.0).exp() + spread * noise(rng)))
        .collect()
}

fn curves(rng: &mut ChaCha8Rng) -> Vec<Curve> {
    let rates =
        (1..=900).map(f64::from).map(|step| (step, 6e-5 * (step / 90.0).min(1.0) * (1.0 - step / 1000.0)));
    let evaluations = (1..=9).map(f64::from).map(|i| (i * 100.0, 0.41 + 0.28 * (-i / 2.0).exp()));
    vec![
        curve(
            "Loss",
            "loss, nats",
            vec![
                Series::smoothed("training", walk(rng, 0.693, 0.36, 0.06)),
                Series::line("evaluation", evaluations.collect()),
            ],
        ),
        curve(
            "Reward margin",
            "chosen − rejected",
            vec![Series::smoothed("training", walk(rng, 0.0, 1.4, 0.25))],
        ),
        curve(
            "Log-probability by selection",
            "log-prob, nats",
            vec![
                Series::smoothed("chosen, selected", walk(rng, -31.0, -18.0, 2.0)),
                Series::smoothed("rejected, selected", walk(rng, -30.0, -58.0, 2.5)),
                Series::smoothed("chosen, others", walk(rng, -70.0, -73.0, 2.0)),
                Series::smoothed("rejected, others", walk(rng, -72.0, -80.0, 2.0)),
            ],
        ),
        curve("Learning rate", "learning rate", vec![Series::line("learning rate", rates.collect())]),
    ]
}

const CHOSEN: &[(&str, f32, Option<Quality>)] = &[
    (" Thank", 1.6, Some(Quality::Good)),
    (" you", 1.1, Some(Quality::Good)),
    (" for", 0.2, None),
    (" asking", 0.4, None),
    (".", 0.0, None),
    ("\n", -0.1, None),
    (" The", 0.1, None),
    (" capital", -0.05, None),
    (" of", 0.02, None),
    (" Fran", -0.1, None),
    ("ce", 0.0, None),
    (" is", 0.12, None),
    (" Paris", 2.4, Some(Quality::Good)),
    (",", -0.2, None),
    (" which", 0.05, None),
    (" stands", 0.1, None),
    (" on", -0.03, None),
    (" the", 0.01, None),
    (" river", -0.3, None),
    (" Seine", 0.6, None),
    (".", 0.05, None),
    ("\n\n", -0.2, None),
    (" It", 0.1, None),
    (" has", -0.04, None),
    (" about", 0.0, None),
    ("\t", 0.1, None),
    ("2", 0.3, None),
    (".", 0.1, None),
    ("1", 0.2, None),
    (" million", 0.1, None),
    (" people", -0.1, None),
    (".", 0.0, None),
    ("</s>", -0.9, None),
];

const REJECTED: &[(&str, f32, Option<Quality>)] = &[
    (" Why", -0.9, Some(Quality::Bad)),
    (" would", -1.3, Some(Quality::Bad)),
    (" you", -0.7, Some(Quality::Bad)),
    (" ask", -1.8, Some(Quality::Bad)),
    (" that", -0.6, Some(Quality::Bad)),
    ("?", -0.4, None),
    (" The", 0.1, None),
    (" capital", 0.0, None),
    (" of", 0.05, None),
    (" Fran", 0.0, None),
    ("ce", -0.02, None),
    (" is", 0.1, None),
    (" Lyon", -2.9, Some(Quality::Bad)),
    (",", -0.1, None),
    (" a", 0.1, None),
    (" city", 0.15, None),
    (" in", 0.0, None),
    (" the", -0.1, None),
    (" south", 0.2, None),
    (" east", -0.1, None),
    (".", 0.2, None),
    ("</s>", -1.2, None),
];

fn side(rng: &mut ChaCha8Rng, name: &str, tokens: &[(&str, f32, Option<Quality>)]) -> HeatmapSide {
    let sign = if name == "chosen" { 1.0 } else { -1.0 };
    let mut ranked: Vec<f32> = tokens.iter().map(|token| sign * token.1).collect();
    ranked.sort_by(|a, b| b.total_cmp(a));
    let threshold = ranked[tokens.len() * 3 / 10 - 1];
    let tokens = tokens
        .iter()
        .map(|&(text, score, planted)| {
            // Both log-probabilities must stay below zero.
            let reference = -0.3 - 2.0 * rng.random_range(0.0..1.0f32) - score.max(0.0);
            HeatmapToken {
                text: text.into(),
                score: Some(score),
                selected: sign * score >= threshold,
                planted,
                oracle_logp: Some(reference + score),
                reference_logp: Some(reference),
            }
        })
        .collect();
    HeatmapSide { name: name.into(), tokens }
}

/// One pair with planted truth, line breaks, a tab and a closing EOS.
pub(crate) fn pair() -> HeatmapPair {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    HeatmapPair {
        title: "Row 17".into(),
        prompt: "user: What is the capital of France?\nPlease answer in one sentence, and stay polite.\nassistant:".into(),
        sides: vec![side(&mut rng, "chosen", CHOSEN), side(&mut rng, "rejected", REJECTED)],
    }
}

fn bars() -> Vec<BarChart> {
    let bar = |name: &str, value, low, high| Bar { name: name.into(), value, low, high };
    vec![
        BarChart {
            title: "True utility of sampled responses".into(),
            y_label: "mean utility of 256 responses".into(),
            bars: vec![
                bar("base", -0.11, -0.21, -0.01),
                bar("dpo, all tokens", 0.99, 0.87, 1.11),
                bar("sepo, 30 % kept", 0.33, 0.2, 0.46),
                bar("salience, 30 % kept", 1.01, 0.9, 1.12),
                bar("random, 30 % kept on either side", 0.21, 0.07, 0.35),
            ],
            baseline: Some(("base model".into(), -0.11)),
        },
        BarChart {
            title: "How well the oracle finds planted tokens".into(),
            y_label: "area under the ROC curve".into(),
            bars: vec![bar("chosen", 0.912, 0.897, 0.926), bar("rejected", 0.887, 0.871, 0.903)],
            baseline: Some(("chance".into(), 0.5)),
        },
    ]
}

fn tables() -> Vec<Table> {
    vec![
        Table {
            title: "Objectives".into(),
            caption: "Held-out pairs, means over 3 seeds with 95 % intervals.".into(),
            header: strings(&[
                "objective",
                "rows trained",
                "pair accuracy",
                "true utility",
                "mean length",
                "time",
            ]),
            rows: vec![
                strings(&["sepo", "41 280", "0.713 ± 0.012", "0.33", "92.1", "1 min 12 s"]),
                strings(&["salience", "41 280", "0.748 ± 0.010", "1.01", "46.0", "1 min 11 s"]),
                strings(&["dpo", "137 600", "0.751 ± 0.011", "0.99", "48.8", "2 min 03 s"]),
                strings(&["simpo", "137 600", "0.729 ± 0.014", "–", "61.5", "1 min 40 s"]),
            ],
        },
        Table {
            title: "Key tokens found".into(),
            caption: String::new(),
            header: strings(&["side", "precision", "recall", "random precision"]),
            rows: vec![
                strings(&["chosen", "0.61", "0.88", "0.21"]),
                strings(&["rejected", "0.58", "0.84", "0.20"]),
            ],
        },
    ]
}

fn histograms(rng: &mut ChaCha8Rng) -> Vec<Histogram> {
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    let mut draw = |n: usize, mean: f64, spread: f64| -> Vec<f32> {
        (0..n).map(|_| (mean + spread * noise(rng)) as f32).collect()
    };
    let (chosen, rejected) = (draw(8000, 0.12, 0.5), draw(7400, -0.25, 0.7));
    let (planted, filler) = (draw(1500, 1.2, 0.6), draw(9000, 0.0, 0.25));
    vec![
        Histogram::from_values(
            "Scores by side",
            "score, nats",
            &[("chosen", &chosen), ("rejected", &rejected)],
            40,
        ),
        Histogram::from_values(
            "Scores by planted truth",
            "score, nats",
            &[("good", &planted), ("filler", &filler)],
            40,
        ),
    ]
}

/// Every part filled.
pub(super) fn report() -> ReportData {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ReportData {
        title: "SePO quickstart".into(),
        subtitle: "Built-in data, 2 400 pairs, 0.8 M parameters, seed 0, finished in 4 min 31 s".into(),
        facts: vec![
            fact("program", "sepo-cli 0.1.0"),
            fact("device", "cpu, 8 threads"),
            fact("oracle", "blake3:0f6ad0a2a1c1bb02f8a3b6b2f5be3d0ac7afe9dfe4be63dd0b29d0a7ce4fd1aa"),
            fact("reference", "blake3:7c1e5d0b4ffb26c1f0d3a17a4c0ff8bb0ac7afe9dfe4be63dd0b29d0a7ce4fd1"),
            fact("rule", "salience, keep 0.3 of either side"),
            fact("objective", "sepo, gamma 2.5, lambda 0, normalizer count"),
            fact("learning rate", "6e-5, cosine, 10 % warm-up"),
            fact("run folder", "runs/quickstart"),
        ],
        warnings: vec![
            "12 of 2 400 pairs were cut at 512 tokens; their last token is not an end of sequence.".into(),
        ],
        curves: curves(&mut rng),
        tables: tables(),
        bars: bars(),
        histograms: histograms(&mut rng),
        heatmaps: vec![pair()],
        notes: strings(&[
            "The label of a pair is drawn from the planted utilities, so no method reaches an accuracy of 1.",
            "A score is the oracle's log-probability of a token minus the reference's.",
        ]),
    }
}
