//! `sepo-cli objectives`

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use sepo_loss::{Input, Preset, WeightSource};
use serde::Serialize;

use crate::args::ObjectivesArgs;
use crate::console::{Form, result};
use crate::exit::{CliError, Exit};

/// A method as it is told.
#[derive(Debug, Serialize)]
struct Method {
    name: &'static str,
    title: &'static str,
    paper: &'static str,
    formula: &'static str,
    /// Names of its settings with their defaults.
    settings: serde_json::Map<String, serde_json::Value>,
    /// What it takes besides the policy and pairs.
    needs: Vec<String>,
    batch_coupled: bool,
    note: &'static str,
}

pub(crate) fn run(args: &ObjectivesArgs) -> Result<Exit, CliError> {
    let form = if args.json { Form::Json } else { Form::Human };
    match args.name {
        Some(name) => result(form, &method(name.preset())?, describe)?,
        None => {
            let methods = Preset::all().map(method).collect::<Result<Vec<_>, _>>()?;
            result(form, &methods, |methods| table(methods))?;
        }
    }
    Ok(Exit::Done)
}

fn method(preset: &'static Preset) -> Result<Method, CliError> {
    let objective = preset.objective(&[])?;
    let mut needs: Vec<String> = objective.inputs().into_iter().filter_map(need).collect();
    needs.dedup();
    needs.extend(match preset.weights {
        WeightSource::Uniform => None,
        WeightSource::Selection("weights import") => Some("weights by `weights import`".to_owned()),
        WeightSource::Selection(rule) => Some(format!("weights by `select --rule {rule}`")),
        WeightSource::Rewards(rule) => Some(format!("rewards of tokens by `select --rule {rule}`")),
        WeightSource::Confidence | WeightSource::Gap => None,
    });
    let value = |setting: &sepo_loss::Setting| (setting.name.to_owned(), setting.default.into());
    Ok(Method {
        name: preset.name,
        title: preset.title,
        paper: preset.paper,
        formula: preset.formula,
        settings: preset.settings.iter().map(value).collect(),
        needs,
        batch_coupled: objective.composition().is_some_and(|loss| loss.is_batch_coupled()),
        note: preset.note,
    })
}

/// What is to be given, so that training has the array.
fn need(input: Input) -> Option<String> {
    match input {
        Input::ReferenceLogps => Some("`--reference`".to_owned()),
        Input::ForwardKls | Input::ReverseKls => Some("the reference in memory".to_owned()),
        // Named with the weights.
        Input::PolicyLogps | Input::Weights | Input::TokenRewards => None,
        Input::LogCollisions | Input::Segments => Some(format!("one {input} a token")),
    }
}

fn settings(method: &Method) -> String {
    let settings = method.settings.iter().map(|(name, default)| format!("{name} {default}"));
    settings.collect::<Vec<_>>().join(", ")
}

fn table(methods: &[Method]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["objective", "what it is", "source", "settings", "needs"]);
    for method in methods {
        table.add_row([method.name, method.title, method.paper, &settings(method), &method.needs.join(", ")]);
    }
    format!("{}\n\n`sepo-cli objectives NAME` shows one with its formula", table.trim_fmt())
}

fn describe(method: &Method) -> String {
    let mut lines = vec![
        format!("{}: {} ({})", method.name, method.title, method.paper),
        format!("loss of a pair: {}", method.formula),
    ];
    if !method.settings.is_empty() {
        lines.push(format!("settings: {}", settings(method)));
    }
    if !method.needs.is_empty() {
        lines.push(format!("needs: {}", method.needs.join(", ")));
    }
    if !method.note.is_empty() {
        lines.push(method.note.to_owned());
    }
    lines.join("\n")
}
