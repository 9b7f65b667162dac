//! What happened to a data set on its way to ids.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{EncodedPair, ResponseNotes, SkipReason};

/// Counts over one side's responses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SideReport {
    /// Tokens kept, end-of-sequence tokens included.
    pub n_tokens: u64,
    /// Responses that were tokenized apart from their prompt.
    pub n_resplit: u64,
    /// Responses that were cut.
    pub n_truncated: u64,
    /// Tokens cut off them.
    pub n_tokens_cut: u64,
    /// Responses with text after their closing end-of-sequence token, which was dropped.
    pub n_dropped_tails: u64,
}

/// Counts over a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TokenizeReport {
    /// Pairs that came out.
    pub n_pairs: u64,
    /// Prompt tokens kept.
    pub n_prompt_tokens: u64,
    /// Prompts that were cut.
    pub n_prompts_truncated: u64,
    /// Tokens cut off them.
    pub n_prompt_tokens_cut: u64,
    /// The preferred responses.
    pub chosen: SideReport,
    /// The dispreferred responses.
    pub rejected: SideReport,
    /// Pairs that were skipped, by [`SkipReason::kind`].
    pub skipped: BTreeMap<&'static str, u64>,
}

impl TokenizeReport {
    /// Counts a pair that came out.
    pub fn add(&mut self, encoded: &EncodedPair) {
        let EncodedPair { pair, notes } = encoded;
        self.n_pairs += 1;
        self.n_prompt_tokens += pair.prompt_ids.len() as u64;
        self.n_prompts_truncated += u64::from(pair.prompt_truncated);
        self.n_prompt_tokens_cut += notes.n_prompt_cut as u64;
        self.chosen.add(pair.chosen.ids.len(), &notes.chosen);
        self.rejected.add(pair.rejected.ids.len(), &notes.rejected);
    }

    /// Counts a pair that was skipped.
    pub fn add_skipped(&mut self, reason: &SkipReason) {
        *self.skipped.entry(reason.kind()).or_default() += 1;
    }

    /// Tokens that came out, each prompt once a pair.
    #[must_use]
    pub fn n_tokens(&self) -> u64 {
        self.n_prompt_tokens + self.chosen.n_tokens + self.rejected.n_tokens
    }

    /// Pairs that were skipped, for any reason.
    #[must_use]
    pub fn n_skipped(&self) -> u64 {
        self.skipped.values().sum()
    }
}

impl SideReport {
    fn add(&mut self, n_tokens: usize, notes: &ResponseNotes) {
        self.n_tokens += n_tokens as u64;
        self.n_resplit += u64::from(notes.is_resplit);
        self.n_truncated += u64::from(notes.n_cut > 0);
        self.n_tokens_cut += notes.n_cut as u64;
        self.n_dropped_tails += u64::from(notes.n_dropped_bytes > 0);
    }
}
