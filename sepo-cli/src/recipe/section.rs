//! What each section of a recipe holds, as it is written. Settings of training and of the selection are those of the libraries.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use sepo_data::{
    Bos, Boundary, Eos, EvalFraction, LongPrompt, MixEnd, PairFormat, Part, TextHandling, TokenizeConfig,
    TruncationConfig,
};
use sepo_model::Dtype;
use sepo_select::ShardConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::args::{DataArgs, ObjectiveName, TokenWeights, template_choice};
use crate::length::default_length;
use crate::memory::ByteSize;

/// `[run]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunSection {
    pub(super) out: Option<PathBuf>,
    pub(super) seed: u64,
    pub(super) threads: Option<NonZeroUsize>,
    pub(super) memory_limit: Option<ByteSize>,
}

/// `[data]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DataSection {
    pub(super) inputs: Vec<String>,
    pub(super) eval: Vec<String>,
    pub(super) format: Option<PairFormat>,
    pub(super) split: Option<String>,
    pub(super) eval_split: Option<String>,
    pub(super) prompt_column: Option<String>,
    pub(super) chosen_column: Option<String>,
    pub(super) rejected_column: Option<String>,
    pub(super) limit: Option<u64>,
    pub(super) eval_limit: Option<u64>,
    pub(super) mix: Vec<f64>,
    pub(super) mix_seed: u64,
    pub(super) mix_end: MixEnd,
    pub(super) dedup: bool,
    /// Share of `inputs` that is held out, in place of `eval`.
    pub(super) eval_fraction: Option<EvalFraction>,
    pub(super) strict: bool,
    pub(super) max_bad_rows: Option<u64>,
}

impl DataSection {
    /// How the training pairs are read.
    pub(super) fn read(&self) -> DataArgs {
        DataArgs {
            format: self.format,
            split: self.split.clone(),
            prompt_column: self.prompt_column.clone(),
            chosen_column: self.chosen_column.clone(),
            rejected_column: self.rejected_column.clone(),
            strict: self.strict,
            max_bad_rows: self.max_bad_rows,
            limit: self.limit,
            mix: self.mix.clone(),
            mix_seed: self.mix_seed,
            mix_end: self.mix_end.into(),
            dedup: self.dedup,
            part: self.part(Part::Train),
        }
    }

    fn part(&self, part: Part) -> Option<(EvalFraction, Part)> {
        self.eval_fraction.map(|fraction| (fraction, part))
    }

    /// How the evaluation pairs are read.
    pub(super) fn eval_read(&self) -> DataArgs {
        if self.eval_fraction.is_some() {
            return DataArgs { part: self.part(Part::Eval), ..self.read() };
        }
        DataArgs {
            mix: Vec::new(),
            split: self.eval_split.clone().or_else(|| self.read().beside(&self.eval, &self.inputs).split),
            limit: self.eval_limit,
            ..self.read()
        }
    }
}

impl DataSection {
    /// What decides which training pairs are read, apart from the files.
    pub(super) fn read_settings(&self) -> Value {
        let rows = json!({ "split": self.split, "limit": self.limit });
        joined([joined([self.columns(), rows]), self.mixed(Part::Train)])
    }

    /// The same for evaluation pairs.
    pub(super) fn eval_read_settings(&self) -> Value {
        if self.eval_fraction.is_some() {
            return joined([self.read_settings(), self.mixed(Part::Eval)]);
        }
        let split = self.eval_split.as_ref().or(self.split.as_ref());
        let rows = json!({ "eval_split": split, "eval_limit": self.eval_limit });
        let dedup = json!({ "dedup": self.dedup.then_some(true) });
        joined([joined([self.columns(), rows]), dedup])
    }

    /// What mixes, leaves out and holds out.
    fn mixed(&self, part: Part) -> Value {
        let is_mixed = !self.mix.is_empty();
        json!({
            "mix": is_mixed.then_some(&self.mix),
            "mix_seed": is_mixed.then_some(self.mix_seed),
            "mix_end": is_mixed.then_some(self.mix_end),
            // Null where nothing is asked for, as in records from before.
            "dedup": self.dedup.then_some(true),
            "eval_fraction": self.eval_fraction,
            "part": self.part(part).map(|(_, part)| part),
        })
    }

    fn columns(&self) -> Value {
        json!({
            "format": self.format,
            "prompt_column": self.prompt_column,
            "chosen_column": self.chosen_column,
            "rejected_column": self.rejected_column,
        })
    }
}

/// `[tokens]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TokensSection {
    pub(super) max_length: Option<usize>,
    pub(super) max_prompt_length: Option<usize>,
    pub(super) long_prompt: LongPrompt,
    /// `model`, a built-in template's name, or a file.
    pub(super) template: String,
    pub(super) template_variables: Map<String, Value>,
    pub(super) text: TextHandling,
    pub(super) bos: Bos,
    pub(super) eos: Eos,
    pub(super) bos_token: Option<String>,
    pub(super) eos_token: Option<String>,
    pub(super) boundary: Boundary,
}

impl Default for TokensSection {
    fn default() -> Self {
        let TokenizeConfig { boundary, bos, eos, text, truncation, .. } = TokenizeConfig::default();
        let TruncationConfig { max_prompt_length, long_prompt, .. } = truncation;
        Self {
            max_length: None,
            max_prompt_length,
            long_prompt,
            template: "model".to_owned(),
            template_variables: Map::new(),
            text,
            bos,
            eos,
            bos_token: None,
            eos_token: None,
            boundary,
        }
    }
}

impl TokensSection {
    /// The configuration; the models' positions have no say in it yet.
    pub(super) fn config(self) -> TokenizeConfig {
        let Self { max_prompt_length, long_prompt, template, template_variables, .. } = self;
        let max_length = self.max_length.unwrap_or_else(default_length);
        TokenizeConfig {
            boundary: self.boundary,
            bos: self.bos,
            eos: self.eos,
            text: self.text,
            template: template_choice(&template),
            template_variables,
            truncation: TruncationConfig { max_length, max_prompt_length, long_prompt },
            bos_token: self.bos_token,
            eos_token: self.eos_token,
        }
    }
}

/// `[models]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ModelsSection {
    pub(super) base: Option<PathBuf>,
    pub(super) reference: Option<PathBuf>,
    pub(super) policy: Option<PathBuf>,
}

/// `[oracle]`, without the settings of training.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OracleSection {
    pub(super) fraction: f64,
    pub(super) eval_pairs: usize,
    pub(super) beta: f64,
    pub(super) label_smoothing: f64,
    pub(super) reference_learning_rate: f64,
    pub(super) reference_epochs: f64,
}

impl Default for OracleSection {
    fn default() -> Self {
        Self {
            fraction: 0.3,
            eval_pairs: 1000,
            beta: 0.1,
            label_smoothing: 0.0,
            reference_learning_rate: 1e-5,
            reference_epochs: 1.0,
        }
    }
}

/// `[score]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ScoreSection {
    pub(super) tokens_per_batch: usize,
    pub(super) tokens_per_shard: usize,
    pub(super) dtype: Dtype,
}

impl Default for ScoreSection {
    fn default() -> Self {
        let ShardConfig { tokens_per_batch, tokens_per_shard } = ShardConfig::default();
        Self { tokens_per_batch, tokens_per_shard, dtype: Dtype::F32 }
    }
}

/// `[train]`, without the objective's settings and those of training.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TrainSection {
    pub(super) objective: ObjectiveName,
}

/// `[objective]`, but for settings of a method and choices of a composition.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ObjectiveSection {
    /// The method that it starts from; DPO where there is none.
    pub(super) name: Option<ObjectiveName>,
    pub(super) weights: Option<TokenWeights>,
}

/// `[eval]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EvalSection {
    pub(super) beta: f64,
    pub(super) tokens_per_batch: usize,
}

impl Default for EvalSection {
    fn default() -> Self {
        Self { beta: 0.1, tokens_per_batch: 8192 }
    }
}

/// `[hashes]`: blake3 of an input's file or, of several, over their hashes, a line each, in reading order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HashesSection {
    pub(super) inputs: Option<String>,
    pub(super) eval: Option<String>,
    pub(super) base: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) template: Option<String>,
}

/// The fields of both.
pub(super) fn joined(tables: [Value; 2]) -> Value {
    let mut all = Map::new();
    for table in tables {
        if let Value::Object(fields) = table {
            all.extend(fields);
        }
    }
    Value::Object(all)
}
