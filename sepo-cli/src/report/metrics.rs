use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::{Curve, ReportError, Series};

/// One chart: the metrics it draws, each with its name in the legend.
struct Plan {
    title: &'static str,
    y_label: &'static str,
    metrics: &'static [(&'static str, &'static str)],
    factor: f64,
    smoothing: Smoothing,
}

#[derive(Clone, Copy, PartialEq)]
enum Smoothing {
    Average,
    None,
}

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

const PLANS: [Plan; 10] = [
    plan("Loss", "loss, nats", &[("loss", "training"), ("eval_loss", "evaluation")], Smoothing::Average),
    plan(
        "Reward margin",
        "chosen − rejected",
        &[("rewards/margins", "training"), ("eval_rewards/margins", "evaluation")],
        Smoothing::Average,
    ),
    plan(
        "Preference accuracy",
        "share of pairs with a positive margin",
        &[("rewards/accuracies", "training"), ("eval_rewards/accuracies", "evaluation")],
        Smoothing::Average,
    ),
    plan(
        "Rewards",
        "reward",
        &[
            ("rewards/chosen", "chosen"),
            ("rewards/rejected", "rejected"),
            ("eval_rewards/chosen", "chosen, evaluation"),
            ("eval_rewards/rejected", "rejected, evaluation"),
        ],
        Smoothing::Average,
    ),
    plan(
        "Log-probability of the responses",
        "log-prob, nats",
        &[
            ("logps/chosen", "chosen"),
            ("logps/rejected", "rejected"),
            ("eval_logps/chosen", "chosen, evaluation"),
            ("eval_logps/rejected", "rejected, evaluation"),
        ],
        Smoothing::Average,
    ),
    plan(
        "Log-probability by selection",
        "log-prob, nats",
        &[
            ("logps/chosen_selected", "chosen, selected"),
            ("logps/rejected_selected", "rejected, selected"),
            ("logps/chosen_unselected", "chosen, others"),
            ("logps/rejected_unselected", "rejected, others"),
        ],
        Smoothing::Average,
    ),
    plan("Gradient norm", "norm before clipping", &[("grad_norm", "gradient norm")], Smoothing::Average),
    plan("Learning rate", "learning rate", &[("learning_rate", "learning rate")], Smoothing::None),
    plan("Throughput", "tokens per second", &[("tokens_per_s", "tokens per second")], Smoothing::Average),
    Plan {
        factor: 1.0 / GIB,
        ..plan("Peak memory", "GiB", &[("peak_rss_bytes", "resident memory")], Smoothing::None)
    },
];

const fn plan(
    title: &'static str,
    y_label: &'static str,
    metrics: &'static [(&'static str, &'static str)],
    smoothing: Smoothing,
) -> Plan {
    Plan { title, y_label, metrics, factor: 1.0, smoothing }
}

/// The training curves of a `metrics.jsonl`, in reading order; a chart whose metrics are all missing is left out.
///
/// A step that stands in the file twice (a run resumed from an earlier checkpoint, an evaluation written after its step)
/// is merged, the later value winning. `null` and text values are skipped. An `eval_…` metric that no chart names gets one
/// of its own. The last line may be cut off: that is how an interrupted run ends.
///
/// # Errors
/// * [`ReportError::Read`]: the file cannot be read.
/// * [`ReportError::BadLine`]: a line other than the last one is not a JSON object.
///
/// # Examples
/// ```
/// # use std::io::Write;
/// let mut file = tempfile::NamedTempFile::new()?;
/// writeln!(file, "{{\"step\": 1, \"loss\": 0.7}}\n{{\"step\": 2, \"loss\": 0.6}}")?;
/// let curves = sepo_cli::report::curves_from_metrics(file.path())?;
/// assert_eq!(curves[0].series[0].points, [(1.0, 0.7), (2.0, 0.6)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn curves_from_metrics(path: &Path) -> Result<Vec<Curve>, ReportError> {
    let steps = read_steps(path)?;
    let mut curves: Vec<Curve> = PLANS.iter().filter_map(|plan| draw(plan, &steps)).collect();
    curves.extend(unplanned_evaluations(&steps).into_iter().filter_map(|name| {
        let series = Series::line("evaluation", points(&steps, &name, 1.0));
        let title = name.trim_start_matches("eval_").replace(['_', '/'], " ");
        (!series.points.is_empty()).then(|| Curve {
            title: format!("Evaluation: {title}"),
            x_label: "step".into(),
            y_label: title,
            series: vec![series],
        })
    }));
    Ok(curves)
}

type Steps = BTreeMap<u64, Map<String, Value>>;

fn read_steps(path: &Path) -> Result<Steps, ReportError> {
    let read = |source| ReportError::Read { path: path.to_owned(), source };
    let mut steps = Steps::new();
    let mut cut_off = None;
    for (index, line) in BufReader::new(File::open(path).map_err(read)?).lines().enumerate() {
        let line = line.map_err(read)?;
        if line.trim().is_empty() {
            continue;
        }
        if let Some(error) = cut_off.take() {
            return Err(error);
        }
        match serde_json::from_str::<Map<String, Value>>(&line) {
            Ok(record) => {
                let step = record.get("step").and_then(step_of).unwrap_or(index as u64 + 1);
                steps.entry(step).or_default().extend(record);
            }
            Err(source) => {
                cut_off = Some(ReportError::BadLine { path: path.to_owned(), line: index + 1, source });
            }
        }
    }
    Ok(steps)
}

/// A step as an integer, also where a writer made it `12.0`.
fn step_of(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in 0..2^53 and whole, so the conversion is exact"
    )]
    let from_float = |step: f64| (step.fract() == 0.0 && (0.0..9e15).contains(&step)).then_some(step as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(from_float))
}

fn points(steps: &Steps, name: &str, factor: f64) -> Vec<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "no run has 2^52 steps")]
    let point = |(step, record): (&u64, &Map<String, Value>)| {
        record.get(name).and_then(Value::as_f64).map(|value| (*step as f64, value * factor))
    };
    steps.iter().filter_map(point).collect()
}

fn draw(plan: &Plan, steps: &Steps) -> Option<Curve> {
    let series: Vec<Series> = plan
        .metrics
        .iter()
        .map(|(name, legend)| match plan.smoothing {
            Smoothing::Average if !name.starts_with("eval_") => {
                Series::smoothed(*legend, points(steps, name, plan.factor))
            }
            _ => Series::line(*legend, points(steps, name, plan.factor)),
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    (!series.is_empty()).then(|| Curve {
        title: plan.title.into(),
        x_label: "step".into(),
        y_label: plan.y_label.into(),
        series,
    })
}

fn unplanned_evaluations(steps: &Steps) -> BTreeSet<String> {
    let planned: BTreeSet<&str> = PLANS.iter().flat_map(|plan| plan.metrics).map(|metric| metric.0).collect();
    steps
        .values()
        .flat_map(Map::keys)
        .filter(|name| name.starts_with("eval_") && !planned.contains(name.as_str()))
        .cloned()
        .collect()
}
