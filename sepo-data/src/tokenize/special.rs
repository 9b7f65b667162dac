//! Which tokens begin and end a sequence, and which file says so.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use tokenizers::Tokenizer;

use super::guard::{Added, encode_fast};
use super::{TokenizeConfig, TokenizeError};
use crate::small_file::{MAX_CONFIG_BYTES, read_at_most};

/// What decided on a special token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialSource {
    /// The caller.
    Given,
    /// `tokenizer_config.json`.
    TokenizerConfig,
    /// `special_tokens_map.json`.
    SpecialTokensMap,
    /// `generation_config.json`.
    GenerationConfig,
    /// `config.json`.
    ModelConfig,
    /// The post-processor of `tokenizer.json`, which puts it before every text.
    PostProcessor,
}

impl fmt::Display for SpecialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "the caller",
            Self::TokenizerConfig => "tokenizer_config.json",
            Self::SpecialTokensMap => "special_tokens_map.json",
            Self::GenerationConfig => "generation_config.json",
            Self::ModelConfig => "config.json",
            Self::PostProcessor => "the post-processor of tokenizer.json",
        })
    }
}

/// A special token with what decided on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct SpecialToken {
    /// Its id.
    pub id: u32,
    /// What decided.
    pub source: SpecialSource,
}

/// The tokens that begin and end a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SpecialTokens {
    /// The beginning-of-sequence token.
    pub bos: Option<SpecialToken>,
    /// The end-of-sequence token that is appended.
    pub eos: Option<SpecialToken>,
    /// Every id that any file calls an end of sequence, ascending, `eos` included: text that ends in one of these is
    /// closed already, and generation stops at any of them.
    pub closing_ids: Vec<u32>,
}

/// What the files of a model folder say beside the tokenizer.
pub(super) struct Declared {
    files: Vec<(SpecialSource, Map<String, Value>)>,
}

impl Declared {
    /// Reads the four files, in the order in which they decide. A missing file says nothing.
    pub(super) fn read(dir: &Path) -> Result<Self, TokenizeError> {
        let names = [
            (SpecialSource::TokenizerConfig, "tokenizer_config.json"),
            (SpecialSource::SpecialTokensMap, "special_tokens_map.json"),
            (SpecialSource::GenerationConfig, "generation_config.json"),
            (SpecialSource::ModelConfig, "config.json"),
        ];
        let mut files = Vec::new();
        for (source, name) in names {
            let path = dir.join(name);
            if !path.is_file() {
                continue;
            }
            let bytes = read_at_most(&path, MAX_CONFIG_BYTES)
                .map_err(|source| TokenizeError::Read { path: path.clone(), source })?;
            let object =
                serde_json::from_slice(&bytes).map_err(|source| TokenizeError::Json { path, source })?;
            files.push((source, object));
        }
        Ok(Self { files })
    }

    /// `add_bos_token`, where it is stated.
    pub(super) fn add_bos_token(&self) -> Option<bool> {
        self.of(SpecialSource::TokenizerConfig)?.get("add_bos_token")?.as_bool()
    }

    /// How many ids the model has embeddings for.
    pub(super) fn model_vocab(&self) -> Option<u32> {
        u32::try_from(self.of(SpecialSource::ModelConfig)?.get("vocab_size")?.as_u64()?).ok()
    }

    fn of(&self, source: SpecialSource) -> Option<&Map<String, Value>> {
        self.files.iter().find(|(found, _)| *found == source).map(|(_, object)| object)
    }

    /// The special tokens: the caller's word first, then the first file that names a token of the vocabulary.
    pub(super) fn special_tokens(
        &self,
        tokenizer: &Tokenizer,
        config: &TokenizeConfig,
    ) -> Result<SpecialTokens, TokenizeError> {
        let given = |token: &Option<String>| {
            let token = token.as_ref()?;
            let id = tokenizer.token_to_id(token);
            Some(
                id.map(|id| SpecialToken { id, source: SpecialSource::Given })
                    .ok_or_else(|| TokenizeError::UnknownToken { token: token.clone() }),
            )
        };
        let bos = match given(&config.bos_token).transpose()? {
            Some(bos) => Some(bos),
            None if self.says_none("bos_token") => None,
            None => self.named("bos", tokenizer).first().copied().or_else(|| prepended(tokenizer)),
        };
        let named = self.named("eos", tokenizer);
        let eos = given(&config.eos_token).transpose()?.or_else(|| named.first().copied());
        let mut closing_ids: Vec<u32> = named.iter().chain(&eos).map(|token| token.id).collect();
        closing_ids.sort_unstable();
        closing_ids.dedup();
        Ok(SpecialTokens { bos, eos, closing_ids })
    }

    /// Whether `tokenizer_config.json` states null: the ids in `config.json` are then leftovers (Qwen2.5).
    fn says_none(&self, key: &str) -> bool {
        self.of(SpecialSource::TokenizerConfig).and_then(|config| config.get(key)).is_some_and(Value::is_null)
    }

    /// Every id that a file names as `{kind}_token` or `{kind}_token_id`, in the order in which files decide.
    fn named(&self, kind: &str, tokenizer: &Tokenizer) -> Vec<SpecialToken> {
        let mut found = Vec::new();
        for (source, object) in &self.files {
            if let Some(value) = object.get(&format!("{kind}_token"))
                && let Some(token) = value.as_str().or_else(|| value.get("content")?.as_str())
            {
                found.extend(tokenizer.token_to_id(token).map(|id| SpecialToken { id, source: *source }));
            }
            let ids = match object.get(&format!("{kind}_token_id")) {
                Some(Value::Array(list)) => list.as_slice(),
                Some(single) => std::slice::from_ref(single),
                None => &[],
            };
            let ids = ids.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok());
            found.extend(ids.map(|id| SpecialToken { id, source: *source }));
        }
        found
    }
}

/// The one token that the post-processor puts before an empty text, if it does.
fn prepended(tokenizer: &Tokenizer) -> Option<SpecialToken> {
    let with = encode_fast(tokenizer, "a", Added::Special).ok()?;
    let without = encode_fast(tokenizer, "a", Added::Nothing).ok()?;
    let extra = with.get_ids().len().checked_sub(without.get_ids().len())?;
    let is_prefix = extra > 0 && with.get_ids()[1..].starts_with(without.get_ids());
    is_prefix.then(|| SpecialToken { id: with.get_ids()[0], source: SpecialSource::PostProcessor })
}
