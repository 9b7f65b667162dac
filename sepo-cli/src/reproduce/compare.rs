//! What was made again, beside what was made first.

use std::path::Path;

use sepo_data::{ScoredPair, ScoredResponse, ScoresReader, SelectedPair, SelectionReader};
use serde::Serialize;
use serde_json::Value;

use crate::exit::{CliError, Exit};
use crate::provenance::{Content, InputKind, Subject, model_contents};

/// A part of the original and of what was made again, by content.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    name: String,
    /// blake3; nothing where there was none.
    recorded: Option<String>,
    made: Option<String>,
}

impl Compared {
    pub(super) fn agrees(&self) -> bool {
        self.recorded == self.made
    }

    pub(super) fn text(&self) -> String {
        let short = |hash: &Option<String>| match hash {
            Some(hash) => hash.chars().take(12).collect::<String>(),
            None => "nothing".to_owned(),
        };
        let (name, recorded, made) = (&self.name, short(&self.recorded), short(&self.made));
        if self.agrees() {
            format!("`{name}` agrees, blake3 {recorded}")
        } else {
            format!("`{name}` DIFFERS, recorded is blake3 {recorded}, made was {made}")
        }
    }
}

/// `subject` beside what lies at `made`. A model folder is compared file by file with its record, and so is a file of
/// pairs; scores and a selection by their rows, bit for bit, and by their metadata apart from where things lie.
pub(super) fn compared(subject: &Subject, made: &Path) -> Result<Vec<Compared>, CliError> {
    let recorded = &subject.record.outputs;
    if subject.kind == InputKind::Model {
        return Ok(of_files(recorded, &model_contents(made)?));
    }
    if !recorded.is_empty() {
        return Ok(of_files(recorded, &[Content::at(made)?]));
    }
    let [recorded, made] = [Digests::of(&subject.path)?, Digests::of(made)?];
    let pair = |name: &str, recorded, made| Compared {
        name: name.to_owned(),
        recorded: Some(recorded),
        made: Some(made),
    };
    Ok(vec![pair("rows", recorded.rows, made.rows), pair("metadata", recorded.meta, made.meta)])
}

fn of_files(recorded: &[Content], made: &[Content]) -> Vec<Compared> {
    let find = |contents: &[Content], name: &str| {
        contents.iter().find(|content| content.name == name).map(|content| content.blake3.clone())
    };
    let new = made.iter().filter(|new| find(recorded, &new.name).is_none());
    let names = recorded.iter().chain(new).map(|content| content.name.clone());
    names.map(|name| Compared { recorded: find(recorded, &name), made: find(made, &name), name }).collect()
}

struct Digests {
    rows: String,
    meta: String,
}

impl Digests {
    fn of(path: &Path) -> Result<Self, CliError> {
        let mut rows = Rows(blake3::Hasher::new());
        let meta = if let Ok(reader) = ScoresReader::open(path) {
            let meta = serde_json::to_value(reader.meta());
            for pair in reader {
                rows.add_scored(&pair?);
            }
            meta
        } else {
            let reader = SelectionReader::open(path)?;
            let meta = serde_json::to_value(reader.meta());
            for pair in reader {
                rows.add_selected(&pair?);
            }
            meta
        };
        let meta = placeless(meta.map_err(|error| CliError::of(Exit::Bug, error))?).to_string();
        Ok(Self {
            rows: rows.0.finalize().to_hex().to_string(),
            meta: blake3::hash(meta.as_bytes()).to_hex().to_string(),
        })
    }
}

/// Rows as bytes: lists with their length, numbers as their bits.
struct Rows(blake3::Hasher);

impl Rows {
    fn add_scored(&mut self, pair: &ScoredPair) {
        self.0.update(&pair.row.to_le_bytes());
        self.ids(&pair.prompt_ids);
        for response in [&pair.chosen, &pair.rejected] {
            let ScoredResponse { ids, oracle_logps, reference_logps, scores, spans, truncated } = response;
            self.ids(ids);
            [oracle_logps, reference_logps, scores].into_iter().for_each(|values| self.values(values));
            let spans = spans
                .as_ref()
                .map(|spans| spans.iter().flat_map(|span| [span.start, span.end]).collect::<Vec<_>>());
            self.0.update(&[u8::from(spans.is_some()), u8::from(*truncated)]);
            self.ids(&spans.unwrap_or_default());
        }
    }

    fn add_selected(&mut self, pair: &SelectedPair) {
        self.0.update(&pair.row.to_le_bytes());
        [&pair.prompt_ids, &pair.chosen_ids, &pair.rejected_ids].into_iter().for_each(|ids| self.ids(ids));
        [&pair.chosen_weights, &pair.rejected_weights].into_iter().for_each(|weights| self.values(weights));
    }

    fn ids(&mut self, ids: &[u32]) {
        self.0.update(&(ids.len() as u64).to_le_bytes());
        for id in ids {
            self.0.update(&id.to_le_bytes());
        }
    }

    fn values(&mut self, values: &[f32]) {
        self.0.update(&(values.len() as u64).to_le_bytes());
        for value in values {
            self.0.update(&value.to_bits().to_le_bytes());
        }
    }
}

/// Metadata without where anything lay, and without what was said about that.
fn placeless(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            if fields.contains_key("blake3") {
                fields.remove("name");
            }
            // Nor does it count which instructions made it: whether that matters is seen in the rows.
            let apart = ["path", "given", "accepted", "instructions"];
            fields.retain(|name, _| !apart.contains(&name.as_str()));
            fields.into_iter().map(|(name, value)| (name, placeless(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(placeless).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_do_not_count_and_names_of_other_things_do() {
        let of = |path: &str, objective: &str| {
            placeless(json!({
                "oracle": { "path": path, "content_hash": "1" },
                "record": {
                    "inputs": [{ "given": [path], "files": [{ "name": path, "blake3": "2" }] }],
                    "settings": { "objective": { "name": objective } },
                },
            }))
        };
        assert_eq!(of("a", "dpo"), of("b", "dpo"));
        assert_ne!(of("a", "dpo"), of("a", "sepo"));
    }

    #[test]
    fn a_file_more_or_less_is_no_agreement() {
        let content = |name: &str| Content { name: name.to_owned(), bytes: 1, blake3: name.to_owned() };
        let compared = of_files(&[content("a"), content("b")], &[content("b"), content("c")]);
        assert_eq!(compared.iter().map(Compared::agrees).collect::<Vec<_>>(), [false, true, false]);
    }
}
