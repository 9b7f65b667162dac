//! What is wrong with one row of an input.

use crate::Side;
use crate::format::{JsonFault, Kind};

/// What is wrong with one row; the rows around it are read all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadReason {
    /// The line or array element is not UTF-8.
    #[error("not UTF-8 on line {line}, at byte {byte} of the file")]
    InvalidUtf8 {
        /// Line of the first wrong byte, from 1.
        line: u64,
        /// Offset of the first wrong byte in the (decompressed) file.
        byte: u64,
    },
    /// A binary column holds bytes that are not UTF-8.
    #[error("`{column}` is not UTF-8 at byte {byte} of the value")]
    InvalidUtf8Value {
        /// The column.
        column: String,
        /// Offset of the first wrong byte in the value.
        byte: usize,
    },
    /// The line or array element is not JSON.
    #[error("{fault} on line {line}, column {column}")]
    InvalidJson {
        /// Line of the file, from 1.
        line: u64,
        /// Column in bytes, from 1.
        column: u64,
        /// What is wrong there.
        fault: JsonFault,
    },
    /// The row has more text or more values than a row may have.
    #[error(
        "the row takes more than {limit} bytes, its text and 16 for each value; split it, or take it out"
    )]
    RowTooLarge {
        /// Bytes that a row may take.
        limit: usize,
    },
    /// The row is not an object with columns.
    #[error("the row is {found}, not an object")]
    NotAnObject {
        /// What it is.
        found: Kind,
    },
    /// A column is not there.
    #[error("`{column}` is missing")]
    MissingColumn {
        /// The column.
        column: String,
    },
    /// A column is null.
    #[error("`{column}` is null")]
    NullColumn {
        /// The column.
        column: String,
    },
    /// A column, or a message or id within it, has the wrong type.
    #[error("`{column}` holds {found} where {needed} is needed")]
    WrongType {
        /// The column.
        column: String,
        /// What is needed there.
        needed: Kind,
        /// What is there.
        found: Kind,
    },
    /// A message has no role or no content.
    #[error("message {message} of `{column}` has no `{field}`")]
    MissingField {
        /// The column.
        column: String,
        /// The message, from 0.
        message: usize,
        /// What it lacks.
        field: &'static str,
    },
    /// A ShareGPT message is from somebody unknown.
    #[error("message {message} of `{column}` is from `{role}`, which is not known")]
    UnknownRole {
        /// The column.
        column: String,
        /// The message, from 0.
        message: usize,
        /// Whom it is from.
        role: String,
    },
    /// A message stands where its role cannot stand.
    #[error("message {message} of `{column}` is from `{role}` where `{needed}` is needed")]
    RoleOutOfOrder {
        /// The column.
        column: String,
        /// The message, from 0.
        message: usize,
        /// Whom it is from.
        role: String,
        /// Whom it would have to be from.
        needed: &'static str,
    },
    /// A response has no text or no token; white space counts as text.
    #[error("the {side} response is empty")]
    EmptySide {
        /// Which response.
        side: Side,
    },
    /// A plain-text row has no text.
    #[error("the text is empty")]
    EmptyText,
    /// Both responses are the same, so nothing is preferred.
    #[error("the chosen and the rejected response are identical")]
    IdenticalSides,
    /// A transcript has no turn of the assistant.
    #[error("the {side} transcript has no `\\n\\nAssistant:`")]
    NoAssistantTurn {
        /// Which transcript.
        side: Side,
    },
    /// The rejected transcript does not begin with the prompt of the chosen one.
    #[error(
        "the prompt of the chosen transcript ends at byte {prompt_bytes}, but the rejected one differs from byte {shared_bytes}"
    )]
    TranscriptsDiffer {
        /// Length of the prompt: up to and including the last `\n\nAssistant:` of the chosen transcript.
        prompt_bytes: usize,
        /// Length of what both transcripts share.
        shared_bytes: usize,
    },
    /// Two conversations do not share even their first message, and there is no prompt beside them.
    #[error("the two conversations share no leading message, and there is no prompt")]
    NoSharedPrompt,
    /// An id is negative or does not fit 32 bits.
    #[error("id {id} at position {position} of `{column}` is not in 0..=4294967295")]
    IdOutOfRange {
        /// The column.
        column: String,
        /// Position in the list, from 0.
        position: usize,
        /// The id.
        id: i128,
    },
}

impl BadReason {
    /// The reason without its numbers, for counting: `identical-sides`, `invalid-json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidUtf8 { .. } | Self::InvalidUtf8Value { .. } => "invalid-utf8",
            Self::InvalidJson { .. } => "invalid-json",
            Self::RowTooLarge { .. } => "row-too-large",
            Self::NotAnObject { .. } => "not-an-object",
            Self::MissingColumn { .. } => "missing-column",
            Self::NullColumn { .. } => "null-column",
            Self::WrongType { .. } => "wrong-type",
            Self::MissingField { .. } => "missing-field",
            Self::UnknownRole { .. } => "unknown-role",
            Self::RoleOutOfOrder { .. } => "role-out-of-order",
            Self::EmptySide { .. } => "empty-side",
            Self::EmptyText => "empty-text",
            Self::IdenticalSides => "identical-sides",
            Self::NoAssistantTurn { .. } => "no-assistant-turn",
            Self::TranscriptsDiffer { .. } => "transcripts-differ",
            Self::NoSharedPrompt => "no-shared-prompt",
            Self::IdOutOfRange { .. } => "id-out-of-range",
        }
    }

    /// The column at fault, under the name that it has in the file, where a single one is.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::InvalidUtf8Value { column, .. }
            | Self::MissingColumn { column }
            | Self::NullColumn { column }
            | Self::WrongType { column, .. }
            | Self::MissingField { column, .. }
            | Self::UnknownRole { column, .. }
            | Self::RoleOutOfOrder { column, .. }
            | Self::IdOutOfRange { column, .. } => Some(column),
            _ => None,
        }
    }
}
