//! Why a single pair cannot be used.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::TemplateError;

/// The three texts of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairPart {
    /// What both responses answer.
    Prompt,
    /// The preferred response.
    Chosen,
    /// The dispreferred response.
    Rejected,
}

impl fmt::Display for PairPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prompt => "prompt",
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
        })
    }
}

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// A response without a token of its own; a closing end-of-sequence token does not count.
    #[error("{part} is empty")]
    EmptySide {
        /// Which response.
        part: PairPart,
    },
    /// Both responses are the same ids, after truncation where there was one: they carry no preference.
    #[error("chosen and rejected are the same ids")]
    IdenticalSides,
    /// The prompt is too long and the policy is to skip.
    #[error("prompt of {n_tokens} tokens exceeds {limit}")]
    PromptTooLong {
        /// Its length, special tokens included.
        n_tokens: usize,
        /// How many it could have kept.
        limit: usize,
    },
    /// No prompt token and no beginning-of-sequence token: nothing predicts the first response token.
    #[error("no prompt and no beginning-of-sequence token: nothing predicts the first token")]
    NoContext,
    /// An id that the model has no embedding for.
    #[error("{part} id {id} at position {index} is not below the vocabulary size {vocab}")]
    IdOutOfVocab {
        /// Where.
        part: PairPart,
        /// Position in that part's ids.
        index: usize,
        /// The id.
        id: u32,
        /// Ids are below this.
        vocab: u32,
    },
    /// The chat template failed or refused.
    #[error("rendering {part}")]
    Template {
        /// Rendered when it happened; responses are rendered with their prompt.
        part: PairPart,
        /// What the template or the engine said.
        #[source]
        source: TemplateError,
    },
    /// The rendered conversation does not begin with its rendered prompt.
    #[error(
        "{part} rendered with its prompt has `{found}` at byte {at_byte} where the prompt alone has `{expected}`"
    )]
    TemplateDiverges {
        /// Which response.
        part: PairPart,
        /// The first byte that differs.
        at_byte: usize,
        /// What the prompt alone has from there, shortened.
        expected: String,
        /// What the conversation has from there, shortened.
        found: String,
    },
    /// A token straddles prompt and response, and the policy is strict.
    #[error("a token straddles prompt and {part}")]
    Straddles {
        /// Which response.
        part: PairPart,
    },
    /// The tokenizer puts a space before every text, and no way was found to tokenize the response without it.
    #[error("{part} cannot be tokenized apart from its prompt without an invented leading space")]
    NoCleanSplit {
        /// Which response.
        part: PairPart,
    },
    /// A conversation, and no chat template.
    #[error("a conversation needs a chat template")]
    NoTemplate,
    /// Text, and no tokenizer.
    #[error("text needs a tokenizer")]
    NoTokenizer,
    /// The tokenizer failed.
    #[error("tokenizing {part}")]
    Encode {
        /// On which text.
        part: PairPart,
        /// What the tokenizers library said.
        #[source]
        source: tokenizers::Error,
    },
}

impl SkipReason {
    /// A short stable name, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EmptySide { .. } => "empty-side",
            Self::IdenticalSides => "identical-sides",
            Self::PromptTooLong { .. } => "prompt-too-long",
            Self::NoContext => "no-context",
            Self::IdOutOfVocab { .. } => "id-out-of-vocab",
            Self::Template { .. } => "template",
            Self::TemplateDiverges { .. } => "template-diverges",
            Self::Straddles { .. } => "straddles",
            Self::NoCleanSplit { .. } => "no-clean-split",
            Self::NoTemplate => "no-template",
            Self::NoTokenizer => "no-tokenizer",
            Self::Encode { .. } => "encode",
        }
    }
}

/// A pair that is not used, with the place it stands.
#[derive(Debug, thiserror::Error)]
#[error("use row {row} (row {file_row} of {})", file.display())]
pub struct SkippedPair {
    /// Row in the whole input, from 0.
    pub row: u64,
    /// The file that holds it.
    pub file: Arc<PathBuf>,
    /// Row within that file, from 0.
    pub file_row: u64,
    /// Why.
    #[source]
    pub reason: SkipReason,
}
