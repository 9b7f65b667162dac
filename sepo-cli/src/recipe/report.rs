//! `report.html`: what the stages reported, the curves of all runs, tokens with their scores.

use std::path::Path;

use sepo_data::{ScoredPair, ScoresReader, SelectedPair, SelectionReader, TokenizeConfig};
use sepo_select::{SelectReport, Selected};
use serde_json::Value;

use super::record::{Record, write_whole};
use super::{Recipe, Stage, wording};
use crate::command::{curves, find_runs, heatmap};
use crate::console::{grouped, number, percent};
use crate::exit::{CliError, Exit};
use crate::heatmap::HeatmapPair;
use crate::model_dir::load_tokenizer;
use crate::report::{Histogram, ReportData, Table, render_html};

/// Pairs whose tokens are shown.
const N_HEATMAPS: usize = 8;
/// Pairs whose scores are counted: enough for a shape.
const N_COUNTED: usize = 5000;

/// Writes `report.json`, from which `sepo-cli report` draws again, and `report.html`.
pub(super) fn write(recipe: &Recipe, records: &[(Stage, Record)]) -> Result<(), CliError> {
    let result = |stage: Stage| records.iter().find(|(of, _)| *of == stage).map(|(_, record)| &record.result);
    let selection: Option<SelectReport> =
        result(Stage::Select).and_then(|value| serde_json::from_value(value.clone()).ok());
    let scores = Stage::Score.dir(&recipe.out).join("scores.parquet");
    let mut report = ReportData {
        title: format!("sepo: {}", recipe.file.display()),
        subtitle: "Oracle, scores, selection and policy of one recipe".to_owned(),
        facts: facts(recipe, records),
        warnings: selection
            .iter()
            .flat_map(|report| &report.warnings)
            .map(|warning| wording::text(&warning.to_string(), Stage::Select))
            .collect(),
        tables: [
            result(Stage::Oracle).and_then(oracle_table),
            selection.as_ref().map(selection_table),
            result(Stage::Eval).map(eval_table),
        ]
        .into_iter()
        .flatten()
        .collect(),
        histograms: vec![histogram(&scores)?],
        heatmaps: heatmaps(recipe, &scores)?,
        ..ReportData::default()
    };
    let text = serde_json::to_string(&report).map_err(|error| CliError::of(Exit::Bug, error))?;
    write_whole(&recipe.out.join("report.json"), &text)?;
    let mut runs = Vec::new();
    find_runs(&recipe.out, 3, &mut runs)?;
    report.curves = curves(&recipe.out, &runs)?;
    write_whole(&recipe.out.join("report.html"), &render_html(&report))
}

/// Where everything came from, and every setting of every stage.
fn facts(recipe: &Recipe, records: &[(Stage, Record)]) -> Vec<(String, String)> {
    let mut facts = vec![
        ("program version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("data.inputs".to_owned(), recipe.data.inputs.join(" ")),
        ("data.eval".to_owned(), recipe.data.eval.join(" ")),
        ("models.base".to_owned(), recipe.base.display().to_string()),
        ("models.policy".to_owned(), recipe.policy.display().to_string()),
    ];
    for (_, record) in records {
        add_settings("", &record.settings, &mut facts);
    }
    facts
}

fn add_settings(prefix: &str, settings: &Value, facts: &mut Vec<(String, String)>) {
    match settings {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                add_settings(&path, value, facts);
            }
        }
        Value::Null => {}
        // Several stages read the same data in the same way.
        _ if facts.iter().any(|(known, _)| known == prefix) => {}
        Value::String(text) => facts.push((prefix.to_owned(), text.clone())),
        other => facts.push((prefix.to_owned(), other.to_string())),
    }
}

/// A number somewhere in a result.
fn at(value: &Value, pointer: &str) -> Option<f64> {
    value.pointer(pointer).and_then(Value::as_f64)
}

fn table(title: &str, caption: &str, header: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        title: title.to_owned(),
        caption: caption.to_owned(),
        header: header.iter().map(|&name| name.to_owned()).collect(),
        rows,
    }
}

fn oracle_table(result: &Value) -> Option<Table> {
    let held_out = result.get("held_out").filter(|held_out| !held_out.is_null())?;
    let row = |name: &str| {
        let report = held_out.get(name).cloned().unwrap_or_default();
        vec![
            name.to_owned(),
            percent(at(&report, "/accuracies~1logp_sum")),
            percent(at(&report, "/accuracies~1implicit_reward")),
            number(at(&report, "/loss")),
        ]
    };
    Some(table(
        "Reference and oracle on held-out pairs",
        "Pairs that neither was trained on. The oracle's scores can be trusted as far as its implicit reward is right.",
        &["model", "accuracy by log-prob", "accuracy by implicit reward", "DPO loss"],
        vec![row("reference"), row("oracle")],
    ))
}

fn selection_table(report: &SelectReport) -> Table {
    let row = |name: &str, side: &sepo_select::SideReport| {
        vec![
            name.to_owned(),
            grouped(side.n_tokens),
            grouped(side.n_selected),
            percent(side.signal_share),
            percent(side.eos_share),
        ]
    };
    let caption = format!("{} of {} pairs are kept.", grouped(report.n_kept), grouped(report.n_pairs));
    table(
        &format!("Tokens selected by rule `{}`", report.config.rule.name()),
        &caption,
        &["response", "tokens", "selected", "share of |score|", "closing token selected"],
        vec![row("chosen", &report.chosen), row("rejected", &report.rejected)],
    )
}

fn eval_table(result: &Value) -> Table {
    let row = |name: &str| {
        let report = result.get(name).cloned().unwrap_or_default();
        vec![
            name.to_owned(),
            number(at(&report, "/chosen_loss")),
            percent(at(&report, "/pairs/accuracies~1logp_sum")),
            percent(at(&report, "/pairs/accuracies~1logp_mean")),
            percent(at(&report, "/pairs/accuracies~1implicit_reward")),
            number(at(&report, "/pairs/logps~1chosen")),
            number(at(&report, "/pairs/logps~1rejected")),
        ]
    };
    table(
        "Policy and its start on evaluation pairs",
        "Loss in nats a chosen token; log-probs are means of whole responses.",
        &["model", "loss", "by log-prob", "by mean log-prob", "by implicit reward", "chosen", "rejected"],
        vec![row("start"), row("policy")],
    )
}

fn histogram(scores: &Path) -> Result<Histogram, CliError> {
    let mut sides: [Vec<f32>; 2] = Default::default();
    for pair in ScoresReader::open(scores)?.take(N_COUNTED) {
        let pair = pair?;
        sides[0].extend(pair.chosen.scores);
        sides[1].extend(pair.rejected.scores);
    }
    let sets = [("chosen", &sides[0][..]), ("rejected", &sides[1][..])];
    Ok(Histogram::from_values("Token scores", "score (nats)", &sets, 48))
}

/// The first pairs of the selection; none where the data holds ids only.
fn heatmaps(recipe: &Recipe, scores: &Path) -> Result<Vec<HeatmapPair>, CliError> {
    let oracle = Stage::Oracle.dir(&recipe.out).join("oracle");
    if !oracle.join("tokenizer.json").is_file() {
        return Ok(Vec::new());
    }
    let tokenizer = load_tokenizer(&oracle, &TokenizeConfig::default())?;
    let selection = Stage::Select.dir(&recipe.out).join("selection.parquet");
    let kept: Vec<SelectedPair> =
        SelectionReader::open(&selection)?.take(N_HEATMAPS).collect::<Result<_, _>>()?;
    let mut scored = ScoresReader::open(scores)?;
    let mut find = |row: u64| -> Result<Option<ScoredPair>, CliError> {
        // Both files have their rows in the source's order.
        Ok(scored.by_ref().find(|pair| !matches!(pair, Ok(pair) if pair.row != row)).transpose()?)
    };
    let mut maps = Vec::new();
    for pair in kept {
        let Some(scored) = find(pair.row)? else { break };
        let selected =
            Selected { chosen_weights: pair.chosen_weights, rejected_weights: pair.rejected_weights };
        maps.push(heatmap(&tokenizer, format!("row {}", pair.row), &scored, &selected)?);
    }
    Ok(maps)
}
