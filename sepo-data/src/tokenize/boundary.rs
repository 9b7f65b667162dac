//! Prompt and response to ids: the border between them.

use tokenizers::Tokenizer;

use super::byte_level::ByteLevel;
use super::encoded_text::EncodedText;
use super::guard::{Added, encode, encode_fast};
use super::pieces::Pieces;
use super::{Boundary, PairPart, SkipReason};
use crate::Span;

/// Texts put in front of a response to see it tokenized without the space that the tokenizer invents before every
/// text. The first that no token joins to the response is used; which one it is does not matter to the result.
const SENTINELS: [&str; 7] = ["\n", "a", "1", ".", "語", "\u{1}", "\u{e000}"];

/// A tokenizer with what is known about it.
#[derive(Debug)]
pub(super) struct TextTokenizer {
    pub(super) tokenizer: Tokenizer,
    /// The same, where it is of the usual form and can be had faster.
    byte_level: Option<ByteLevel>,
    pub(super) pieces: Pieces,
    /// Whether a text gets a space in front that it does not have.
    pub(super) invents_space: bool,
    /// BLAKE3 of `tokenizer.json`.
    pub(super) hash: String,
}

/// A response as ids, apart from its prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) ids: Vec<u32>,
    pub(super) spans: Vec<Span>,
    pub(super) is_resplit: bool,
}

impl TextTokenizer {
    pub(super) fn new(tokenizer: Tokenizer, hash: String) -> Self {
        let pieces = Pieces::new(&tokenizer);
        let invents_space = ["a", "0", "."].iter().any(|probe| {
            let encoding = encode_fast(&tokenizer, probe, Added::Nothing);
            let bytes = encoding
                .iter()
                .flat_map(|e| e.get_ids())
                .filter_map(|id| pieces.get(*id))
                .collect::<Vec<_>>();
            bytes.concat().strip_prefix(b" ") == Some(probe.as_bytes())
        });
        // What it does with a text must be what the rules below expect, which is known of these only.
        let byte_level = ByteLevel::new(&tokenizer).filter(|_| !invents_space);
        Self { tokenizer, byte_level, pieces, invents_space, hash }
    }

    /// Ids of a text, nothing added.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        match self.quickly(text) {
            Some(encoded) => Ok(encoded?.ids),
            None => Ok(encode_fast(&self.tokenizer, text, Added::Nothing)?.get_ids().to_vec()),
        }
    }

    /// Ids and spans of a text, nothing added.
    pub(super) fn ids_and_spans(&self, text: &str) -> Result<(Vec<u32>, Vec<Span>), tokenizers::Error> {
        let whole = self.rest(self.encode(text)?, 0, 0, text);
        Ok((whole.ids, whole.spans))
    }

    /// A text as ids with their places, nothing added.
    fn encode(&self, text: &str) -> Result<EncodedText, tokenizers::Error> {
        self.quickly(text).unwrap_or_else(|| Ok((&encode(&self.tokenizer, text)?).into()))
    }

    /// The same where the text is one that can be had faster.
    fn quickly(&self, text: &str) -> Option<Result<EncodedText, tokenizers::Error>> {
        let lengths = self.byte_level.as_ref()?.encode(&self.tokenizer, text)?;
        Some(lengths.map(EncodedText::from))
    }

    /// The ids of `response` after `prompt`.
    ///
    /// The joint text is tokenized. Where its ids begin with the prompt's own and no token reaches over the border,
    /// the response is the rest; otherwise `policy` decides.
    pub(super) fn split(
        &self,
        part: PairPart,
        prompt: (&str, &[u32]),
        response: &str,
        policy: Boundary,
    ) -> Result<Split, SkipReason> {
        let (prompt, prompt_ids) = prompt;
        let failed = |source| SkipReason::Encode { part, source };
        let joint = self.encode(&[prompt, response].concat()).map_err(failed)?;
        if joint.ids.starts_with(prompt_ids) && joint.parts_cleanly(prompt_ids.len(), prompt.len()) {
            return Ok(self.rest(joint, prompt_ids.len(), prompt.len(), response));
        }
        if policy == Boundary::Strict {
            return Err(SkipReason::Straddles { part });
        }
        if !self.invents_space {
            let alone = self.encode(response).map_err(failed)?;
            return Ok(Split { is_resplit: true, ..self.rest(alone, 0, 0, response) });
        }
        for sentinel in SENTINELS {
            let led = self.encode(&[sentinel, response].concat()).map_err(failed)?;
            let n_sentinel = led.n_until(sentinel.len());
            if n_sentinel > 0 && led.parts_cleanly(n_sentinel, sentinel.len()) {
                return Ok(Split {
                    is_resplit: true,
                    ..self.rest(led, n_sentinel, sentinel.len(), response)
                });
            }
        }
        Err(SkipReason::NoCleanSplit { part })
    }

    /// The tokens from `first` on, whose text starts at byte `start` of what was encoded.
    fn rest(&self, encoded: EncodedText, first: usize, start: usize, response: &str) -> Split {
        let spans = encoded.spans(first, start, response, &self.pieces);
        let mut ids = encoded.ids;
        ids.drain(..first);
        Split { ids, spans, is_resplit: false }
    }
}
