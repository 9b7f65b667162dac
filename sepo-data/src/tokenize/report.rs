//! What happened to a data set on its way to ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EncodedPair, ResponseNotes, SkipReason};

/// Counts over one side's responses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
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
    pub skipped: BTreeMap<String, u64>,
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
        *self.skipped.entry(reason.kind().to_owned()).or_default() += 1;
    }

    /// Counts what another stretch of the same data set came to.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::TokenizeReport;
    /// let counted = |n_pairs| TokenizeReport { n_pairs, ..TokenizeReport::default() };
    /// let mut whole = counted(3);
    /// whole.merge(&counted(4));
    /// assert_eq!(whole, counted(7));
    /// assert_eq!(whole.since(&counted(3)), counted(4));
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.n_pairs += other.n_pairs;
        self.n_prompt_tokens += other.n_prompt_tokens;
        self.n_prompts_truncated += other.n_prompts_truncated;
        self.n_prompt_tokens_cut += other.n_prompt_tokens_cut;
        self.chosen.merge(&other.chosen);
        self.rejected.merge(&other.rejected);
        for (kind, n) in &other.skipped {
            *self.skipped.entry(kind.clone()).or_default() += n;
        }
    }

    /// What was counted since `earlier`, an earlier state of the same counts.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let skipped = self.skipped.iter().filter_map(|(kind, n)| {
            let n = n - earlier.skipped.get(kind).unwrap_or(&0);
            (n > 0).then(|| (kind.clone(), n))
        });
        Self {
            n_pairs: self.n_pairs - earlier.n_pairs,
            n_prompt_tokens: self.n_prompt_tokens - earlier.n_prompt_tokens,
            n_prompts_truncated: self.n_prompts_truncated - earlier.n_prompts_truncated,
            n_prompt_tokens_cut: self.n_prompt_tokens_cut - earlier.n_prompt_tokens_cut,
            chosen: self.chosen.since(&earlier.chosen),
            rejected: self.rejected.since(&earlier.rejected),
            skipped: skipped.collect(),
        }
    }

    /// Pairs that went in: what came out, and what was skipped.
    #[must_use]
    pub fn n_read(&self) -> u64 {
        self.n_pairs + self.n_skipped()
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
    fn merge(&mut self, other: &Self) {
        self.n_tokens += other.n_tokens;
        self.n_resplit += other.n_resplit;
        self.n_truncated += other.n_truncated;
        self.n_tokens_cut += other.n_tokens_cut;
        self.n_dropped_tails += other.n_dropped_tails;
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            n_tokens: self.n_tokens - earlier.n_tokens,
            n_resplit: self.n_resplit - earlier.n_resplit,
            n_truncated: self.n_truncated - earlier.n_truncated,
            n_tokens_cut: self.n_tokens_cut - earlier.n_tokens_cut,
            n_dropped_tails: self.n_dropped_tails - earlier.n_dropped_tails,
        }
    }

    fn add(&mut self, n_tokens: usize, notes: &ResponseNotes) {
        self.n_tokens += n_tokens as u64;
        self.n_resplit += u64::from(notes.is_resplit);
        self.n_truncated += u64::from(notes.n_cut > 0);
        self.n_tokens_cut += notes.n_cut as u64;
        self.n_dropped_tails += u64::from(notes.n_dropped_bytes > 0);
    }
}
