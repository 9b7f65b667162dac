//! What decides the scores: runs of which all of this is the same make the same bytes.

use std::path::Path;

use sepo_data::{ContentSource, PairTokenizer, ScoresMeta, TemplateChoice, TokenizeConfig, content_hash};
use serde_json::{Map, Value, json};

use super::score_job::ScoreJob;
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
    read.files(data)?.into_iter().flatten().map(source).collect()
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
        "source": source(job)?,
        "tokens": tokens(&job.tokens)?,
        "tokens_per_batch": job.shards.tokens_per_batch,
        "tokens_per_shard": job.shards.tokens_per_shard,
        "dtype": job.dtype.name(),
        "device": crate::machine::device(),
    });
    match identity {
        Value::Object(identity) => Ok(identity),
        other => unreachable!("{other} was written as an object"),
    }
}

/// What decides which pairs of its inputs come out in what order; null for all of them one after the other.
fn source(job: &ScoreJob<'_>) -> Result<Value, CliError> {
    let mut source = source_meta(job.read);
    if let Some(Value::Object(fields)) = source.get_mut(SOURCE_KEY)
        && !job.read.mix.is_empty()
    {
        // Which file belongs to which input of the mix.
        let files = job.read.files(job.data)?;
        let n_files: Vec<usize> = files.iter().map(Vec::len).collect();
        fields.insert("n_files".to_owned(), n_files.into());
    }
    Ok(source.remove(SOURCE_KEY).unwrap_or_default())
}

/// The key of scores' metadata under which stands how inputs became pairs.
const SOURCE_KEY: &str = "source";

/// How inputs became pairs, for the metadata of scores; nothing where they are read one after the other and whole.
pub(super) fn source_meta(read: &DataArgs) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(mix) = read.mix() {
        fields.insert("mix".to_owned(), json!(mix));
    }
    if read.dedup {
        fields.insert("dedup".to_owned(), true.into());
    }
    if let Some((fraction, part)) = read.part {
        fields.insert("eval_fraction".to_owned(), json!(fraction));
        fields.insert("part".to_owned(), json!(part));
    }
    let source = (!fields.is_empty()).then(|| (SOURCE_KEY.to_owned(), Value::Object(fields)));
    source.into_iter().collect()
}

/// The share that was held out when these scores were made.
pub(super) fn held_out(scores: &ScoresMeta) -> Option<f64> {
    scores.extra.get(SOURCE_KEY)?.get("eval_fraction")?.as_f64()
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
