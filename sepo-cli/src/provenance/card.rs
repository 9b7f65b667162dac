//! The model card: what it says.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use serde_json::{Map, Value};

use super::Record;
use crate::exit::{CliError, io_error};

/// A line of `metrics.jsonl` that stands in the card.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) what: &'static str,
    pub(super) values: Map<String, Value>,
}

/// What a model card is made of.
#[derive(Debug)]
pub(super) struct Card<'a> {
    pub(super) title: String,
    pub(super) record: &'a Record,
    pub(super) metrics: Vec<Measured>,
}

impl<'a> Card<'a> {
    /// By which our own cards are known.
    pub(super) const MARK: &'static str =
        "<!-- written by sepo-cli from sepo.json; without this line it is never written over -->";

    /// The card of the model in `dir`.
    pub(super) fn of(dir: &Path, record: &'a Record) -> Result<Self, CliError> {
        let name = |dir: &Path| dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let title =
            name(dir).or_else(|| name(&dir.canonicalize().ok()?)).unwrap_or_else(|| "model".to_owned());
        Ok(Self { title, record, metrics: measured(&dir.join("metrics.jsonl"))? })
    }
}

/// The last step, the last evaluation, and the evaluation with the smallest loss; none where nothing was trained.
fn measured(path: &Path) -> Result<Vec<Measured>, CliError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.map_err(|source| io_error(path, source))?,
    };
    let loss = |values: &Map<String, Value>| values.get("eval_loss").and_then(Value::as_f64);
    let (mut step, mut eval, mut best) = (None, None, None::<Map<String, Value>>);
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|source| io_error(path, source))?;
        let Ok(Value::Object(values)) = serde_json::from_str(&line) else { continue };
        if loss(&values).is_none() {
            step = Some(values);
            continue;
        }
        if best.as_ref().is_none_or(|best| loss(&values) < loss(best)) {
            best = Some(values.clone());
        }
        eval = Some(values);
    }
    // One evaluation is the last and the best.
    let best = best.filter(|best| Some(best) != eval.as_ref());
    let rows = [("last step", step), ("last evaluation", eval), ("evaluation of the smallest loss", best)];
    Ok(rows.into_iter().filter_map(|(what, values)| Some(Measured { what, values: values? })).collect())
}
