//! How pairs become ids: every choice, with its default.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::TokenizeError;

/// What happens where a token would straddle the border of prompt and response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// The response is tokenized on its own and appended; counted as resplit.
    #[default]
    Resplit,
    /// The pair is skipped, with [`SkipReason::Straddles`](super::SkipReason::Straddles).
    Strict,
}

/// Whether a beginning-of-sequence token stands in front. Never two: text that already begins with it gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bos {
    /// Where the tokenizer itself would put one: as `add_bos_token` of `tokenizer_config.json` says, and where that
    /// is silent, where the empty text encodes to it.
    #[default]
    Auto,
    /// On every sequence.
    Always,
    /// Never added; one that the text spells out stays.
    Never,
}

/// Whether an end-of-sequence token closes a response. Never two: text that already ends in one gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Eos {
    /// Appended to every response that is not truncated.
    #[default]
    Append,
    /// Never added; one that the text spells out stays.
    Never,
}

/// What is done with pairs of plain strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextHandling {
    /// Used as they stand, without a template.
    #[default]
    Plain,
    /// The prompt becomes a user's message, each response an assistant's.
    AsChat,
}

/// Which chat template renders conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateChoice {
    /// The model folder's. Where it has none, conversations are skipped and plain text works.
    #[default]
    Model,
    /// A built-in one, by name.
    Builtin(String),
    /// A file's: Jinja, or `.json` with `chat_template`.
    File(PathBuf),
}

/// What happens to a prompt that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongPrompt {
    /// Its start is cut off; the beginning-of-sequence token stays.
    #[default]
    Truncate,
    /// The pair is skipped, with [`SkipReason::PromptTooLong`](super::SkipReason::PromptTooLong).
    Skip,
}

/// How many tokens a pair may take.
///
/// 1. A prompt longer than `max_prompt_length` is cut to it, always.
/// 2. Where there is no `max_prompt_length` and prompt and longer response exceed `max_length`, the prompt keeps what
///    the longer response leaves free, but at least half of `max_length`.
/// 3. Each response is cut to what the prompt leaves of `max_length`.
///
/// Prompts are cut at their start, responses at their end. A cut response gets no end-of-sequence token and is
/// flagged. Both sides keep at least one token and share one prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TruncationConfig {
    /// Tokens of prompt and response together, special tokens included; at least 2.
    pub max_length: usize,
    /// Tokens of the prompt, below `max_length`; see above for `None`.
    pub max_prompt_length: Option<usize>,
    /// What happens to a prompt that is too long.
    pub long_prompt: LongPrompt,
}

impl Default for TruncationConfig {
    /// 1024 tokens, as TRL has it.
    fn default() -> Self {
        Self { max_length: 1024, max_prompt_length: None, long_prompt: LongPrompt::Truncate }
    }
}

/// How pairs become ids.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenizeConfig {
    /// Where a token would straddle prompt and response.
    pub boundary: Boundary,
    /// The beginning-of-sequence token.
    pub bos: Bos,
    /// The end-of-sequence token.
    pub eos: Eos,
    /// Pairs of plain strings.
    pub text: TextHandling,
    /// The chat template.
    pub template: TemplateChoice,
    /// More variables for the template, such as `enable_thinking`.
    pub template_variables: Map<String, Value>,
    /// Lengths.
    pub truncation: TruncationConfig,
    /// The beginning-of-sequence token, where the model folder's is not wanted.
    pub bos_token: Option<String>,
    /// The end-of-sequence token, where the model folder's is not wanted.
    pub eos_token: Option<String>,
}

impl TruncationConfig {
    /// Nothing, where prompt and response each have room for a token.
    ///
    /// # Errors
    ///
    /// * [`TokenizeError::MaxLengthTooSmall`]: `max_length` below 2.
    /// * [`TokenizeError::MaxPromptLength`]: `max_prompt_length` 0, or not below `max_length`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::TruncationConfig;
    ///
    /// assert!(TruncationConfig::default().check().is_ok());
    /// assert!(TruncationConfig { max_length: 1, ..TruncationConfig::default() }.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), TokenizeError> {
        let Self { max_length, max_prompt_length, .. } = *self;
        if max_length < 2 {
            return Err(TokenizeError::MaxLengthTooSmall { max_length });
        }
        match max_prompt_length {
            Some(max_prompt_length) if max_prompt_length == 0 || max_prompt_length >= max_length => {
                Err(TokenizeError::MaxPromptLength { max_prompt_length, max_length })
            }
            _ => Ok(()),
        }
    }
}
