//! Why a tokenizer cannot be used at all.

use std::path::PathBuf;

use crate::TemplateError;

/// Why a tokenizer cannot be loaded or asked. What is wrong with a single pair is a
/// [`SkipReason`](super::SkipReason).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The model folder has no `tokenizer.json`.
    #[error("find tokenizer.json in {}", dir.display())]
    Missing {
        /// The model folder.
        dir: PathBuf,
    },
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the JSON that its name promises.
    #[error("parse {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// `tokenizer.json` is not a tokenizer.
    #[error("load the tokenizer of {}", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What the tokenizers library said.
        #[source]
        source: tokenizers::Error,
    },
    /// The tokenizer's normalizers can make a text grow without measure.
    #[error(
        "the normalizers of tokenizer.json can make a text {growth} times as long, expected at most {limit} times; take another copy of it"
    )]
    Growth {
        /// Bytes that a byte of text can become.
        growth: u64,
        /// Bytes that it may become.
        limit: u64,
    },
    /// The tokenizer failed on a text.
    #[error("tokenize {n_bytes} bytes of text")]
    Encode {
        /// Length of the text.
        n_bytes: usize,
        /// What the tokenizers library said.
        #[source]
        source: tokenizers::Error,
    },
    /// The tokenizer failed on ids.
    #[error("turn {n_ids} ids into text")]
    Decode {
        /// How many ids.
        n_ids: usize,
        /// What the tokenizers library said.
        #[source]
        source: tokenizers::Error,
    },
    /// The chat template cannot be loaded or rendered.
    #[error("use the chat template")]
    Template(#[from] TemplateError),
    /// Pairs are to be wrapped as conversations, or a conversation is to be encoded, and there is no template.
    #[error("find a chat template; choose a built-in one or a file")]
    NoTemplate,
    /// A beginning-of-sequence token is wanted on every sequence and none is known.
    #[error("find the beginning-of-sequence token; name one, or add none")]
    NoBos,
    /// An end-of-sequence token is to close responses and none is known.
    #[error("find the end-of-sequence token; name one, or append none")]
    NoEos,
    /// A special token that the caller named is not in the vocabulary.
    #[error("find the token `{token}` in the vocabulary")]
    UnknownToken {
        /// The token.
        token: String,
    },
    /// No room for a prompt token and a response token.
    #[error("fit a prompt token and a response token into a max_length of {max_length}")]
    MaxLengthTooSmall {
        /// The limit given.
        max_length: usize,
    },
    /// The prompt's limit leaves nothing for the prompt or nothing for a response.
    #[error("fit a max_prompt_length of {max_prompt_length} into 1..{max_length}")]
    MaxPromptLength {
        /// The prompt's limit.
        max_prompt_length: usize,
        /// The limit of both together.
        max_length: usize,
    },
    /// Text was given where only ids can be handled.
    #[error("tokenize text without a tokenizer (only ids can be passed through)")]
    IdsOnly,
}
