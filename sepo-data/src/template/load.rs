//! Where a model folder keeps its chat template and the tokens that templates name.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::TemplateError;
use crate::small_file::{MAX_CONFIG_BYTES, read_at_most};

/// A template's source with the file it came from.
pub(super) struct Found {
    pub(super) source: String,
    pub(super) path: PathBuf,
}

/// The template of a model folder: `chat_template.jinja`, then `tokenizer_config.json`, then `chat_template.json`.
/// That is transformers' order: a file of its own overrides the entry in the configuration.
pub(super) fn find(dir: &Path) -> Result<Found, TemplateError> {
    let path = dir.join("chat_template.jinja");
    if path.is_file() {
        return Ok(Found { source: read(&path)?, path });
    }
    for name in ["tokenizer_config.json", "chat_template.json"] {
        let path = dir.join(name);
        if let Some(config) = read_object(&path)?
            && let Some(source) = template_in(&config, &path)?
        {
            return Ok(Found { source, path });
        }
    }
    Err(TemplateError::Missing { dir: dir.to_owned() })
}

/// The template in a file: `.json` holds it under `chat_template`, any other file is the template.
pub(super) fn from_file(path: &Path) -> Result<String, TemplateError> {
    if path.extension().is_none_or(|ext| ext != "json") {
        return read(path);
    }
    let config = read_object(path)?.unwrap_or_default();
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    template_in(&config, path)?.ok_or(TemplateError::Missing { dir })
}

/// `chat_template` as a string, or the one called `default` in a list of `{name, template}`.
fn template_in(config: &Map<String, Value>, path: &Path) -> Result<Option<String>, TemplateError> {
    match config.get("chat_template") {
        Some(Value::String(source)) => Ok(Some(source.clone())),
        Some(Value::Array(list)) => {
            let named = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
            let default = list.iter().find(|entry| named(entry, "name").as_deref() == Some("default"));
            match default.and_then(|entry| named(entry, "template")) {
                Some(source) => Ok(Some(source)),
                None => Err(TemplateError::NoDefault {
                    path: path.to_owned(),
                    names: list.iter().filter_map(|entry| named(entry, "name")).collect(),
                }),
            }
        }
        _ => Ok(None),
    }
}

/// `bos_token`, `eos_token` and every other `*_token` of `special_tokens_map.json` and `tokenizer_config.json`, the
/// latter winning. Null entries are left out: a template sees them undefined, as in transformers.
pub(super) fn special_tokens(dir: &Path) -> Result<Map<String, Value>, TemplateError> {
    let mut tokens = Map::new();
    for name in ["special_tokens_map.json", "tokenizer_config.json"] {
        for (key, value) in read_object(&dir.join(name))?.unwrap_or_default() {
            if key.ends_with("_token") {
                match token_text(&value) {
                    Some(text) => drop(tokens.insert(key, Value::from(text))),
                    None if value.is_null() => drop(tokens.shift_remove(&key)),
                    None => {}
                }
            } else if key == "additional_special_tokens"
                && let Value::Array(list) = &value
            {
                let texts = list.iter().filter_map(token_text).map(Value::from).collect();
                tokens.insert(key, Value::Array(texts));
            }
        }
    }
    Ok(tokens)
}

/// A token written as a string or as `{content: …}`.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

fn read(path: &Path) -> Result<String, TemplateError> {
    let text = read_at_most(path, MAX_CONFIG_BYTES).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| {
            let byte = error.utf8_error().valid_up_to();
            std::io::Error::new(std::io::ErrorKind::InvalidData, format!("it is not UTF-8 at byte {byte}"))
        })
    });
    text.map_err(|source| TemplateError::Read { path: path.to_owned(), source })
}

/// The object in a JSON file, `None` where there is no such file.
fn read_object(path: &Path) -> Result<Option<Map<String, Value>>, TemplateError> {
    if !path.is_file() {
        return Ok(None);
    }
    serde_json::from_str(&read(path)?)
        .map(Some)
        .map_err(|source| TemplateError::Json { path: path.to_owned(), source })
}
