//! The keys of a `config.json`, read with errors that name them.

use serde_json::{Map, Value};

use crate::ModelError;

/// Most layers of a model; deep ones have some hundreds.
const MAX_LAYERS: usize = 10_000;
/// Characters of a value that an error shows.
const SHOWN_CHARS: usize = 60;

/// The beginning of a text that a file may have made long.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Typed access to the keys of one JSON object, with errors that name the key.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Keys<'a> {
    /// The value under `key`; `null` counts as absent, as `transformers` treats it.
    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn wrong(self, key: &'static str, expected: &'static str) -> ModelError {
        let found = self.get(key).map_or_else(|| "missing".to_owned(), |value| shortened(&value.to_string()));
        ModelError::ConfigValue { key, found, expected }
    }

    pub(super) fn size_or(self, key: &'static str, default: Option<usize>) -> Result<usize, ModelError> {
        // 2^31 keeps every product of two sizes inside 64 bits; `check_size` looks at those of more.
        let expected = "a whole number from 1 to 2147483648";
        let value = match (self.get(key), default) {
            (None, Some(default)) => Some(default),
            (value, _) => value.and_then(Value::as_u64).and_then(|v| usize::try_from(v).ok()),
        };
        value.filter(|v| (1..=1 << 31).contains(v)).ok_or_else(|| self.wrong(key, expected))
    }

    /// Every layer costs memory as soon as the configuration is read, so their number has a bound of its own.
    pub(super) fn n_layers(self) -> Result<usize, ModelError> {
        let key = "num_hidden_layers";
        let n_layers = self.size_or(key, None)?;
        if n_layers > MAX_LAYERS {
            return Err(self.wrong(key, "at most 10000 layers"));
        }
        Ok(n_layers)
    }

    pub(super) fn number_or(self, key: &'static str, default: f64) -> Result<f64, ModelError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|v| v.is_finite() && *v > 0.0)
                .ok_or_else(|| self.wrong(key, "a positive number")),
        }
    }

    pub(super) fn flag_or(self, key: &'static str, default: bool) -> Result<bool, ModelError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    pub(super) fn ids(self, key: &'static str) -> Result<Vec<u32>, ModelError> {
        let id = |value: &Value| value.as_u64().and_then(|v| u32::try_from(v).ok());
        match self.get(key) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(id).collect(),
            Some(value) => id(value).map(|id| vec![id]),
        }
        .ok_or_else(|| self.wrong(key, "a token id or a list of token ids"))
    }
}
