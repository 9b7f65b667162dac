//! The formats that rows can have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a row holds its pair.
///
/// # Examples
///
/// ```
/// use sepo_data::PairFormat;
///
/// assert_eq!("hh-rlhf".parse(), Ok(PairFormat::Transcript));
/// assert_eq!(PairFormat::ShareGpt.to_string(), "sharegpt");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PairFormat {
    /// `prompt`, `chosen` and `rejected` as strings.
    #[serde(rename = "explicit")]
    Explicit,
    /// `chosen` and `rejected` as lists of `{role, content}`, with or without `prompt`.
    #[serde(rename = "conversational")]
    Conversational,
    /// `chosen` and `rejected` as whole `\n\nHuman:` / `\n\nAssistant:` transcripts, as in Anthropic's HH data.
    #[serde(rename = "hh-rlhf")]
    Transcript,
    /// `conversations` with `chosen` and `rejected` as `{from, value}`, as LLaMA-Factory has it.
    #[serde(rename = "sharegpt")]
    ShareGpt,
    /// `prompt_ids`, `chosen_ids` and `rejected_ids` as lists of integers.
    #[serde(rename = "tokenized")]
    Tokenized,
    /// Plain text without a preference: rows that are strings, or a `text` column.
    #[serde(rename = "text")]
    Text,
}

impl PairFormat {
    /// Every format.
    pub const ALL: [Self; 6] =
        [Self::Explicit, Self::Conversational, Self::Transcript, Self::ShareGpt, Self::Tokenized, Self::Text];

    /// The name on the command line, which [`FromStr`] reads.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Conversational => "conversational",
            Self::Transcript => "hh-rlhf",
            Self::ShareGpt => "sharegpt",
            Self::Tokenized => "tokenized",
            Self::Text => "text",
        }
    }

    /// The columns that rows of this format have, in plain words.
    pub const fn needs(self) -> &'static str {
        match self {
            Self::Explicit => "`prompt`, `chosen` and `rejected` as strings",
            Self::Conversational => {
                "`chosen` and `rejected` as lists of {role, content}; `prompt` as such a list, as a string, or absent"
            }
            Self::Transcript => {
                "`chosen` and `rejected` as strings with `\\n\\nHuman:` and `\\n\\nAssistant:` turns"
            }
            Self::ShareGpt => {
                "`conversations` as a list of {from, value}; `chosen` and `rejected` as {from, value}; `system` or not"
            }
            Self::Tokenized => "`prompt_ids`, `chosen_ids` and `rejected_ids` as lists of integers",
            Self::Text => "rows that are strings, or `text` as a string (plain text, not pairs)",
        }
    }

    /// One line a format: its name and what it needs.
    pub(crate) fn needs_table() -> String {
        Self::ALL.map(|format| format!("  {}: {}", format.name(), format.needs())).join("\n")
    }
}

impl fmt::Display for PairFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no format; there are explicit, conversational, hh-rlhf, sharegpt, tokenized and text")]
pub struct UnknownFormatName {
    /// The name as given.
    pub name: String,
}

impl FromStr for PairFormat {
    type Err = UnknownFormatName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormatName { name: name.to_owned() })
    }
}
