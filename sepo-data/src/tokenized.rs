//! A preference pair as token ids: made once, by one rule, and never tokenized again.

/// Bytes `start..end` of the response text that a token stands for.
///
/// Tokens that stand for no text (an appended end-of-sequence token) have an empty span at the text's end. Pieces
/// of one character that was split into byte tokens each carry their own byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// One response as token ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenizedResponse {
    /// Ids of the response tokens, the closing end-of-sequence token included where there is one.
    pub ids: Vec<u32>,
    /// One span a token, or `None` where the input held ids only.
    pub spans: Option<Vec<Span>>,
    /// Whether tokens were cut off its end; a truncated response gets no end-of-sequence token.
    pub truncated: bool,
}

/// A pair as token ids. `prompt_ids` is a true prefix of both sequences.
///
/// # Which token an index names
///
/// `chosen.ids[i]` is the token at sequence position `prompt_ids.len() + i`; its log-probability comes from the
/// hidden state one position earlier, which for `i = 0` is the last prompt token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedPair {
    /// Row in the whole input, from 0.
    pub row: u64,
    /// Ids before the responses, the beginning-of-sequence token included where there is one.
    pub prompt_ids: Vec<u32>,
    /// Whether tokens were cut off the prompt's start.
    pub prompt_truncated: bool,
    /// The preferred response.
    pub chosen: TokenizedResponse,
    /// The dispreferred response.
    pub rejected: TokenizedResponse,
}
