//! What decides the scores: runs of which all of this is the same make the same bytes.

use std::path::Path;

use sepo_data::{ContentSource, PairTokenizer, TemplateChoice, TokenizeConfig, content_hash, input_files};
use serde_json::{Map, Value, json};

use super::score::ScoreJob;
use crate::args::DataArgs;
use crate::exit::{CliError, Exit};
use crate::provenance::without_credentials;

/// Files of a model folder, apart from weights, that have a say in what its model or its tokenizer does.
const FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
];

/// The files of pairs with their content hashes, in reading order.
pub(super) fn sources(data: &[String], read: &DataArgs) -> Result<Vec<ContentSource>, CliError> {
    let source = |path: std::path::PathBuf| {
        Ok(ContentSource {
            content_hash: content_hash(&path)?,
            path: without_credentials(&path.display().to_string()),
        })
    };
    input_files(data, &read.read_config())?.into_iter().map(source).collect()
}

/// The identity of a scoring run. Paths have no part in it.
pub(super) fn identity(
    job: &ScoreJob<'_>,
    weights: [&str; 2],
    tokenizer: &PairTokenizer,
    inputs: &[ContentSource],
) -> Result<Map<String, Value>, CliError> {
    let read = job.read;
    let inputs: Vec<&str> = inputs.iter().map(|input| input.content_hash.as_str()).collect();
    let identity = json!({
        "program_version": env!("CARGO_PKG_VERSION"),
        "oracle": model(job.oracle, weights[0])?,
        "reference": model(job.reference, weights[1])?,
        "chat_template": tokenizer.template_hash(),
        "inputs": inputs,
        "format": read.format,
        "split": read.split,
        "columns": [&read.prompt_column, &read.chosen_column, &read.rejected_column],
        "limit": read.limit,
        "tokens": tokens(&job.tokens)?,
        "tokens_per_batch": job.shards.tokens_per_batch,
        "tokens_per_shard": job.shards.tokens_per_shard,
        "dtype": job.dtype.name(),
        "device": "cpu",
    });
    match identity {
        Value::Object(identity) => Ok(identity),
        other => unreachable!("{other} was written as an object"),
    }
}

fn model(dir: &Path, weights: &str) -> Result<Value, CliError> {
    let mut hashes = Map::from_iter([("weights".to_owned(), weights.into())]);
    for name in FILES {
        let path = dir.join(name);
        if path.is_file() {
            hashes.insert(name.to_owned(), content_hash(&path)?.into());
        }
    }
    Ok(Value::Object(hashes))
}

/// How pairs become ids; a template counts by its hash, wherever its file lies.
fn tokens(config: &TokenizeConfig) -> Result<Value, CliError> {
    let config = TokenizeConfig { template: TemplateChoice::Model, ..config.clone() };
    serde_json::to_value(config).map_err(|error| CliError::of(Exit::Bug, error))
}
