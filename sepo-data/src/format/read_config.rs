//! What a reader can be told.

use super::pair_format::PairFormat;

/// Settings of [`open_pairs`](super::open_pairs) and [`open_texts`](super::open_texts); the default detects
/// everything.
///
/// # Examples
///
/// ```
/// use sepo_data::{PairFormat, ReadConfig};
///
/// let config = ReadConfig { format: Some(PairFormat::Explicit), chosen_column: Some("good".into()), ..ReadConfig::default() };
/// assert_eq!(config.split, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadConfig {
    /// The format of every file, instead of detecting it.
    pub format: Option<PairFormat>,
    /// The split to read of inputs that are folders. `None`: the only one, else `train`, else `train_prefs`.
    pub split: Option<String>,
    /// Name of the column with the prompt, text or ids, instead of `prompt` and `prompt_ids`.
    pub prompt_column: Option<String>,
    /// Name of the column with the chosen response, instead of `chosen` and `chosen_ids`.
    pub chosen_column: Option<String>,
    /// Name of the column with the rejected response, instead of `rejected` and `rejected_ids`.
    pub rejected_column: Option<String>,
    /// Name of the column with plain text, instead of `text`.
    pub text_column: Option<String>,
}
