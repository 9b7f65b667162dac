//! A preference pair as it stands in a data set, before tokenization.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One turn of a conversation, as chat templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or whatever the template knows.
    pub role: String,
    /// The text of the turn, byte for byte.
    pub content: String,
}

/// What a row holds: text, conversations or token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairContent {
    /// Plain strings; the prompt is used as it stands.
    Text {
        /// What both responses answer.
        prompt: String,
        /// The preferred response.
        chosen: String,
        /// The dispreferred response.
        rejected: String,
    },
    /// Conversations; a chat template turns them into text.
    Chat {
        /// The turns that both responses share.
        prompt: Vec<Message>,
        /// The turns of the preferred response, usually one of the assistant's.
        chosen: Vec<Message>,
        /// The turns of the dispreferred response.
        rejected: Vec<Message>,
    },
    /// Token ids; nothing is tokenized again.
    Tokens {
        /// Ids of the prompt.
        prompt_ids: Vec<u32>,
        /// Ids of the preferred response.
        chosen_ids: Vec<u32>,
        /// Ids of the dispreferred response.
        rejected_ids: Vec<u32>,
    },
}

/// A preference pair with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferencePair {
    /// Row in the whole input, counted over all its files from 0, bad rows included.
    pub row: u64,
    /// The file that holds it.
    pub file: Arc<PathBuf>,
    /// Row within that file, from 0.
    pub file_row: u64,
    /// The text or ids.
    pub content: PairContent,
}
