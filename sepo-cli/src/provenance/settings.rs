//! Every setting of a stage, as records keep them and as a stage is run again with them.

use sepo_data::{EvalFraction, TemplateChoice, TokenizeConfig};
use sepo_model::Dtype;
use sepo_select::ImportConfig;
use sepo_select::project::Projection;
use sepo_train::TrainConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{DataArgs, ObjectiveChoice};
use crate::exit::{CliError, Exit};

/// Of `sft`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SftSettings {
    pub(crate) read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) train: TrainConfig,
}

/// Of `oracle`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OracleSettings {
    pub(crate) read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) fraction: f64,
    pub(crate) eval_pairs: usize,
    pub(crate) reference_learning_rate: f64,
    pub(crate) reference_epochs: f64,
    pub(crate) beta: f64,
    pub(crate) label_smoothing: f64,
    pub(crate) train: TrainConfig,
}

/// Of `score`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScoreSettings {
    pub(crate) read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) tokens_per_batch: usize,
    pub(crate) tokens_per_shard: usize,
    pub(crate) dtype: Dtype,
}

/// Of `train`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainSettings {
    pub(crate) objective: ObjectiveChoice,
    pub(crate) read: DataArgs,
    pub(crate) eval_read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) train: TrainConfig,
}

/// Whether recorded settings have a loss that no method's name stands for.
pub(super) fn is_composed(settings: &Value) -> bool {
    ["/objective/composition", "/objective/weights"].into_iter().any(|part| settings.pointer(part).is_some())
}

/// Of `data split`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitSettings {
    pub(crate) read: DataArgs,
    pub(crate) eval_fraction: EvalFraction,
}

/// Of `data convert`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConvertSettings {
    pub(crate) read: DataArgs,
}

/// Of `data generate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateSettings {
    /// One of the two bounds is there.
    pub(crate) pairs: Option<usize>,
    /// Bytes of text.
    pub(crate) size: Option<u64>,
    pub(crate) temperature: f64,
}

/// Of `classify train`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassifierSettings {
    pub(crate) train: TrainConfig,
}

/// Of `classify score`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgeSettings {
    pub(crate) read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) tokens_per_batch: usize,
    pub(crate) dtype: Dtype,
}

/// Of `weights export`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportSettings {
    pub(crate) spans: bool,
}

/// Of `weights import`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportSettings {
    pub(crate) read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) row: String,
    pub(crate) chosen_weights: String,
    pub(crate) rejected_weights: String,
    pub(crate) import: ImportConfig,
    /// Left out of a record, it is no.
    #[serde(default)]
    pub(crate) labels: bool,
}

/// Of `weights project`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectSettings {
    pub(crate) read: DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) how: Projection,
}

/// The settings as a record keeps them.
pub(crate) fn to_value(settings: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(settings).map_err(|error| CliError::of(Exit::Bug, error))
}

/// How pairs become ids; a template's file is an input, and where it lies no setting.
pub(crate) fn recorded(tokens: &TokenizeConfig) -> TokenizeConfig {
    let mut tokens = tokens.clone();
    if let TemplateChoice::File(path) = &mut tokens.template {
        *path = path.file_name().map(Into::into).unwrap_or_default();
    }
    tokens
}
