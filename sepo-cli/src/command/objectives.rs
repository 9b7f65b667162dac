//! `sepo-cli objectives`

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use sepo_loss::{CompositionForm, Input, Preset, WeightSource};
use sepo_train::reads_teacher;
use serde::Serialize;

use crate::args::{ObjectivesArgs, TokenWeights};
use crate::console::{Form, print, result};
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
    objective: Written,
    /// The same as TOML.
    #[serde(skip)]
    keys: Vec<String>,
}

/// A method as the section `[objective]` of a recipe.
#[derive(Debug, Serialize)]
struct Written {
    /// Where it is no composition.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<TokenWeights>,
    #[serde(flatten)]
    composition: CompositionForm,
}

pub(crate) fn run(args: &ObjectivesArgs) -> Result<Exit, CliError> {
    let form = if args.json { Form::Json } else { Form::Human };
    match args.name {
        // An objective file is data.
        Some(name) if form == Form::Human => print(&describe(&method(name.preset())?))?,
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
    let mut needs: Vec<String> = if reads_teacher(&objective) {
        vec!["`--teacher`".to_owned(), "`--reverse-teacher`".to_owned()]
    } else {
        objective.inputs().into_iter().filter_map(need).collect()
    };
    needs.dedup();
    needs.extend(match preset.weights {
        WeightSource::Uniform => None,
        WeightSource::Selection("weights import") => Some("weights by `weights import`".to_owned()),
        WeightSource::Selection(rule) => Some(format!("weights by `select --rule {rule}`")),
        WeightSource::Rewards(rule) => Some(format!("rewards of tokens by `select --rule {rule}`")),
        WeightSource::Confidence | WeightSource::Gap => None,
    });
    let composition = objective.composition().map(CompositionForm::from);
    let written = Written {
        name: composition.is_none().then_some(preset.name),
        weights: TokenWeights::of(preset.weights, preset.value("quantile", &[])),
        composition: composition.unwrap_or_default(),
    };
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
        keys: keys(&written)?,
        objective: written,
    })
}

/// What is to be given, so that training has the array.
fn need(input: Input) -> Option<String> {
    match input {
        Input::ReferenceLogps => Some("`--reference`".to_owned()),
        Input::ForwardKls | Input::ReverseKls => Some("the reference in memory".to_owned()),
        // Named with the weights.
        Input::PolicyLogps
        | Input::Weights
        | Input::TokenRewards
        | Input::Extrapolations
        | Input::LogCollisions
        // Runs of tokens of one weight.
        | Input::Segments => None,
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

/// The method as an objective file: what is to be known of it as comments, and its choices.
#[cfg(test)]
pub(crate) fn text(preset: &'static Preset) -> Result<String, CliError> {
    Ok(describe(&method(preset)?))
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
    let comments = lines.into_iter().map(|line| format!("# {line}"));
    comments.chain(["[objective]".to_owned()]).chain(method.keys.clone()).collect::<Vec<_>>().join("\n")
}

/// A line of TOML for each key, in the order of the parts.
fn keys(written: &Written) -> Result<Vec<String>, CliError> {
    let values = toml::Table::try_from(written).map_err(|error| CliError::of(Exit::Bug, error))?;
    // TOML's tables are sorted by key.
    let ordered = serde_json::to_value(written).map_err(|error| CliError::of(Exit::Bug, error))?;
    let names = ordered.as_object().into_iter().flat_map(|written| written.keys());
    Ok(names.filter_map(|name| Some(format!("{name} = {}", values.get(name)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_documentation_is_the_programs() {
        let document = include_str!("../../../docs/methods.md");
        for preset in Preset::all() {
            let method = method(preset).unwrap();
            let or_none = |text: String| if text.is_empty() { "–".to_owned() } else { text };
            let row = format!(
                "| `{}` | {} | {} | {} | {} | {} | {} |",
                method.name,
                method.title,
                method.paper,
                method.formula.replace('|', "\\|"),
                or_none(settings(&method)),
                or_none(method.needs.join(", ")),
                or_none(method.note.replace('|', "\\|"))
            );
            assert!(document.lines().any(|line| line == row), "docs/methods.md lacks\n{row}");
        }
    }
}
