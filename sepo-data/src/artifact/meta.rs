//! What an artifact says about its origin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The key-value metadata key under which artifacts keep their JSON.
pub const META_KEY: &str = "sepo";

/// Something read, and what it held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentSource {
    /// Where it was read from; for people, never compared.
    pub path: String,
    /// Hash of its content, as [`content_hash`](super::content_hash) or the model's own hash gives it.
    pub content_hash: String,
}

/// The `sepo` metadata of `scores.parquet`.
///
/// Fields that are absent read as their default; fields unknown to this version are kept in `extra`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoresMeta {
    /// Version of the program that wrote the file.
    pub program_version: String,
    /// The preference-trained model.
    pub oracle: ContentSource,
    /// Its frozen start.
    pub reference: ContentSource,
    /// The tokenizer, where text was tokenized.
    pub tokenizer: Option<ContentSource>,
    /// The chat template, where conversations were rendered.
    pub chat_template: Option<ContentSource>,
    /// The files of pairs, in reading order.
    pub inputs: Vec<ContentSource>,
    /// Number format of the forward passes, such as `f32`.
    pub dtype: String,
    /// Device of the forward passes, such as `cpu`.
    pub device: String,
    /// Longest sequence in tokens, where one was set.
    pub max_length: Option<u64>,
    /// Id that closes a response.
    pub eos_token_id: Option<u32>,
    /// Pairs in the file.
    pub n_pairs: u64,
    /// Source rows that are not in the file, by reason.
    pub n_dropped: BTreeMap<String, u64>,
    /// Tokens of the prompts in the file.
    pub n_prompt_tokens: u64,
    /// Tokens of the chosen responses in the file.
    pub n_chosen_tokens: u64,
    /// Tokens of the rejected responses in the file.
    pub n_rejected_tokens: u64,
    /// Responses in the file, of either side, whose end was cut off.
    pub n_truncated: u64,
    /// Everything else, kept as it was.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How many response tokens there are and how many of them are selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenCounts {
    /// Response tokens.
    pub n_tokens: u64,
    /// Those with a weight other than 0.
    pub n_selected: u64,
}

/// The `sepo` metadata of `selection.parquet`.
///
/// Fields that are absent read as their default; fields unknown to this version are kept in `extra`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelectionMeta {
    /// Version of the program that wrote the file.
    pub program_version: String,
    /// Name of the rule.
    pub rule: String,
    /// The rule's settings, all of them, as the selecting program names them.
    pub settings: Map<String, Value>,
    /// Share of the chosen tokens that was asked for; what a nominal denominator is made of.
    pub keep_chosen: Option<f64>,
    /// Share of the rejected tokens that was asked for.
    pub keep_rejected: Option<f64>,
    /// Pairs in the file.
    pub n_kept: u64,
    /// Pairs of the scores that are not in the file, by reason.
    pub n_dropped: BTreeMap<String, u64>,
    /// Chosen tokens of the pairs in the file.
    pub chosen: TokenCounts,
    /// Rejected tokens of the pairs in the file.
    pub rejected: TokenCounts,
    /// The scores' file.
    pub scores_source: Option<ContentSource>,
    /// The scores' own metadata.
    pub scores: Option<ScoresMeta>,
    /// Everything else, kept as it was.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The `sepo` metadata of stored log-probabilities.
///
/// Fields that are absent read as their default; fields unknown to this version are kept in `extra`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogpsMeta {
    /// Version of the program that wrote the file.
    pub program_version: String,
    /// The model whose log-probabilities these are.
    pub model: ContentSource,
    /// The files of pairs, in reading order.
    pub inputs: Vec<ContentSource>,
    /// Number format of the forward passes, such as `f32`.
    pub dtype: String,
    /// Device of the forward passes, such as `cpu`.
    pub device: String,
    /// Longest sequence in tokens, where one was set.
    pub max_length: Option<u64>,
    /// Pairs in the file.
    pub n_pairs: u64,
    /// Everything else, kept as it was.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
